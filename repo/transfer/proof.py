"""What proves a copy: the digests of what arrived, read back, and keys that are there once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from repo.chunks import ChunkDigest, span
from repo.engine.transfer import FIRST_KEY, LAST_KEY
from repo.queries import RunQuery
from repo.tables import TABLES, Table

if TYPE_CHECKING:
    from repo.database import Database
    from repo.engine.connection import Connection
    from repo.engine.staging import RunAll

_DIGEST_ROWS: Final = 200_000
"""Rows that are hashed by one query; a server answers two at once."""


def prove(
    target: Database,
    sent: Mapping[str, Sequence[ChunkDigest]],
    run_all: RunAll,
    progress: Callable[[str, int, int], None],
) -> list[str]:
    """In what a copy differs from the chunks that were sent, and what breaks its constraints.

    :param run_all: runs functions on connections that see the copy.
    """
    queries = target._session.executor.queries
    transfer = target._backend.transfer()

    def hashed(
        table: Table, chunks: Sequence[ChunkDigest], first: int, last: int
    ) -> Callable[[Connection], tuple[int, list[str]]]:
        def digest(connection: Connection) -> tuple[int, list[str]]:
            found = transfer.digest(connection, queries, table, first, last)
            rows = sum(each.rows for each in chunks)
            differing = sorted({each.chunk for each in {*found} ^ {*chunks}})
            if not differing:
                return rows, []
            return rows, [
                f"{table.name} differs in {len(differing)} chunks, the first at {differing[0]}"
            ]

        return digest

    def broken(connection: Connection) -> tuple[int, list[str]]:
        return 0, faults(lambda name: queries[name](connection, {}))

    pieces = chain.from_iterable(
        [(table, *piece) for piece in _pieces(table, sent[table.name])] for table in TABLES.values()
    )
    total = sum(each.rows for chunks in sent.values() for each in chunks)
    done = 0
    wrong: list[str] = []
    for rows, differences in run_all([broken, *(hashed(*piece) for piece in pieces)]):
        done += rows
        wrong += differences
        progress("proof", done, total)
    return wrong


def _pieces(
    table: Table, chunks: Sequence[ChunkDigest]
) -> Iterator[tuple[Sequence[ChunkDigest], int, int]]:
    """Chunks side by side, with bounds of keys that leave no gap between them, nor before and after."""
    first, start, rows = FIRST_KEY, 0, 0
    for number, each in enumerate(chunks, 1):
        rows += each.rows
        if rows >= _DIGEST_ROWS and number < len(chunks):
            last = (each.chunk + 1) * span(table) - 1
            yield chunks[start:number], first, last
            first, start, rows = last + 1, number, 0
    yield chunks[start:], first, LAST_KEY


def others(db: Database) -> tuple[str, ...]:
    """The tables that are neither copied nor compared, for they are not the package's."""
    with db._session.connection() as connection:
        found = db._backend.transfer().others(connection, db._session.executor.queries)
    return tuple(each.quoted for each in found if not each.bookkeeping)


def faults(ask: RunQuery) -> list[str]:
    """Keys that are there more than once, and keys that are referred to and not there."""
    found = []
    for each in ask("proof.duplicates"):
        key = ", ".join(str(value) for value in each[1:-1] if value is not None)
        found.append(f"{each.name}: {key} is there {each.number} times")
    return found + [
        f"{each.name}: {each.id} is not there, and {each.number:,} rows refer to it"
        for each in ask("proof.orphans")
    ]
