"""SQLite through the standard library's sqlite3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from repo.backends.sqlite.backend import SQLiteBackend
from repo.settings import DatabaseURL


def connect(address: DatabaseURL, *, read_only: bool, **options: Any) -> SQLiteBackend:
    """Open a file, or a database in memory; see :class:`SQLiteBackend` for the options."""
    path = Path(address.path) if address.path else None
    return SQLiteBackend(path, read_only=read_only, **options)
