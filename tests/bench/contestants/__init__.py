"""The ways of doing the jobs: this package, hand-written code, and other packages.

Each is a module of its own that imports what it measures, so that one that is not installed is left
out with the reason.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from tests.bench.contestants.base import Contestant, NotOffered

__all__ = ["BARE", "NAMES", "OURS", "Contestant", "NotOffered", "load"]

OURS: Final = "ours"
BARE: Final = "bare"

_PLACES: Final = {
    OURS: ("ours", "Ours"),
    BARE: ("bare_{backend}", "Bare"),
    "aiosql": ("aiosql_plain", "PlainAiosql"),
    "SQLAlchemy Core": ("sqlalchemy_core", "Core"),
    "SQLAlchemy ORM": ("sqlalchemy_orm", "ORM"),
}

NAMES: Final = tuple(_PLACES)
"""Every contestant, in the order of the tables."""


def load(name: str, backend: str) -> type[Contestant]:
    """The class of a contestant for an engine.

    :raises NotOffered: when its package is not installed.
    """
    module, kind = _PLACES[name]
    try:
        found = import_module(f"{__name__}.{module.format(backend=backend)}")
    except ImportError as error:
        raise NotOffered(f"not installed ({error.name})") from error
    contestant: type[Contestant] = getattr(found, kind)
    return contestant
