"""The only place that knows an engine: a package for each, named for it.

A package has a class ``Backend``, a :class:`repo.engine.Backend` that is made of an address and options.
What a third engine would have to bring:

- the package here, with ``Backend``, which says for each duty of the protocol how this engine does
  it, and its adapter how a query runs and what the driver's errors mean (those of ``repo.errors``);
- the scheme of its URLs in ``repo.settings``, and its name in ``repo.queries.DIALECTS``;
- its variants: a folder of its name in ``queries/``, with a statement for each that is not portable, and
  its migrations in ``schema/``;
- a URL in ``tests/conftest.py``, after which the whole suite runs on it, and so does the proof that the
  engines are equal.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from repo.engine import Backend
from repo.settings import DatabaseURL


def connect(address: DatabaseURL, *, read_only: bool, **options: Any) -> Backend:
    """Open a database by the package that is named for its engine.

    A driver is imported when it is needed: psycopg takes longer than everything else together.

    :raises ConfigurationError: for an option that the engine does not have.
    :raises DatabaseUnavailable: when the server or the file cannot be reached.
    """
    engine = import_module(f"repo.backends.{address.engine}")
    backend: Backend = engine.Backend(address, read_only=read_only, **options)
    return backend
