"""The only place that knows an engine: a package for each, named for it.

A package has a class ``Backend``, a :class:`repo.engine.backend.Backend` made of an address and options.
What a third engine would have to bring:

- the package here: what ``repo/engine/`` asks for, and an adapter (:class:`repo.binding.Adapter`), which
  runs queries and says what the driver's errors mean (those of ``repo.errors``);
- its URLs and options in ``repo.settings`` and ``repo.database``, its name in ``repo.queries.DIALECTS``,
  its driver in ``pyproject.toml``;
- its variants: a folder of its name in ``queries/``, with a statement for each that is not portable, and
  its migrations in ``schema/``;
- its grammar and types in ``repo/review/tables.py``, and its sample in ``repo/review/samples.py``;
- a fixture beside the two of ``tests/conftest.py`` for the behaviour suite, and a third side in
  ``tests/equivalence/engines.py``; the tests that name an engine say so in ``tests/test_imports.py``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from repo.engine.backend import Backend
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
