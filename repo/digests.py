"""What the rows of a database come to: a digest of each table, equal for equal rows on either engine.

Keys that the database gave and the moments at which rows were made are part of it. A chunk's digest is
defined in :mod:`repo.chunks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from repo.chunks import combined
from repo.engine.transfer import FIRST_KEY, LAST_KEY
from repo.errors import ConfigurationError
from repo.showing import short
from repo.tables import TABLES

if TYPE_CHECKING:
    from repo.chunks import ChunkDigest
    from repo.database import Database


_MODULUS: Final = 2**256


@dataclass(frozen=True, slots=True)
class TableDigest:
    """How many rows a table has, and a SHA-256 of them in hexadecimal digits."""

    table: str
    rows: int
    sha256: str


def digests(db: Database, tables: Iterable[str] | None = None) -> dict[str, TableDigest]:
    """The digests of tables by their names, all of one state of the database.

    PostgreSQL computes them where the rows are, SQLite's rows are read.

    :param db: a database, or a transaction's handle, whose own writes then count.
    :param tables: their names; None is every table of the package.
    :raises ConfigurationError: for a table that is not the package's.
    :raises QueryContractError: where a table is not there.
    """
    return combined_digests(chunk_digests(db, tables))


def other_digests(db: Database) -> dict[str, TableDigest]:
    """The digests of the tables that are not the package's, by the names that SQL has for them.

    Of the rows as the engine writes them, in no order: equal for equal rows of one engine, and of no use
    between two. The sum of the rows' SHA-256 does not depend on where they lie.
    """
    transfer, queries = db._backend.transfer(), db._session.executor.queries
    found = {}
    with db._session.connection() as connection, transfer.scanning(connection):
        for table in transfer.others(connection, queries):
            rows = total = 0
            for row in transfer.other_rows(connection, queries, table):
                rows += 1
                total += int.from_bytes(sha256(row).digest(), "big")
            found[table.quoted] = TableDigest(table.quoted, rows, f"{total % _MODULUS:064x}")
    return found


def combined_digests(chunks: Mapping[str, Iterable[ChunkDigest]]) -> dict[str, TableDigest]:
    """The digests of tables by their names, from those of their chunks."""
    return {name: TableDigest(name, *combined(each)) for name, each in chunks.items()}


def chunk_digests(db: Database, tables: Iterable[str] | None = None) -> dict[str, list[ChunkDigest]]:
    """The same for each chunk of each table, in the order of the keys."""
    known = {table.name: table for table in TABLES.values()}
    wanted = list(known) if tables is None else list(tables)
    for name in wanted:
        if name not in known:
            raise ConfigurationError(f"there is no table {short(name)}; there are {', '.join(known)}")
    transfer = db._backend.transfer()
    with db._session.connection() as connection, transfer.scanning(connection):
        return {
            name: transfer.digest(
                connection, db._session.executor.queries, known[name], FIRST_KEY, LAST_KEY
            )
            for name in wanted
        }
