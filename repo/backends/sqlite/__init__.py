"""SQLite through the standard library's sqlite3."""

from repo.backends.sqlite.backend import SQLiteBackend as Backend

__all__ = ["Backend"]
