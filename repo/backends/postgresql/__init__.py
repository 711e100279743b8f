"""PostgreSQL through psycopg 3."""

from repo.backends.postgresql.backend import PostgreSQLBackend as Backend

__all__ = ["Backend"]
