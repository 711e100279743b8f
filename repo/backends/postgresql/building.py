"""Statements that run outside of transactions: to build and drop indexes while others write."""

from __future__ import annotations

import re
from typing import Final

from repo.backends.postgresql.connection import PooledConnection

_INDEX: Final = re.compile(
    r"(?P<verb>CREATE|DROP)\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
    r"(?P<name>\"(?:[^\"]|\"\")+\"|[\w.]+)\s*(?=\W|\Z)",
    re.IGNORECASE,
)
# Here and not in queries/: no query is bound to the connection that runs migrations.
_VALID: Final = "SELECT x.indisvalid FROM pg_index AS x WHERE x.indexrelid = to_regclass(%s)"


def run_alone(connection: PooledConnection, statement: str, *, again: bool) -> None:
    """Run a statement on a connection that is in no transaction.

    An index that a failed build left behind is dropped before it is built.

    :param again: whether it may have been run before; it is skipped if it is done already.
    :raises psycopg.Error: where it fails.
    """
    found = _INDEX.match(statement)
    if found is not None:
        builds, name = found["verb"].upper() == "CREATE", found["name"]
        row = connection.execute(_VALID, [name], prepare=False).fetchone()
        if again and (row == (True,) if builds else row is None):
            return
        if builds and row == (False,):
            # The name is as the migration writes it, which made the failed build too.
            connection.execute(f"DROP INDEX CONCURRENTLY {name}".encode(), prepare=False)
    connection.execute(statement.encode(), prepare=False)
