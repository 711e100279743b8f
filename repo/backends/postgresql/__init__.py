"""PostgreSQL through psycopg 3."""

from __future__ import annotations

from typing import Any

from repo.backends.postgresql.backend import PostgreSQLBackend
from repo.settings import DatabaseURL


def connect(address: DatabaseURL, *, read_only: bool, **options: Any) -> PostgreSQLBackend:
    """Open a server's database; see :class:`PostgreSQLBackend` for the options."""
    return PostgreSQLBackend(address.secret, read_only=read_only, **options)
