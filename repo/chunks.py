"""Tables as they are stored, cut into chunks by their keys, and what is hashed of them.

A chunk is the rows that have one value in the first column of the key, or a thousand values side by
side where that column is the whole key: the rows alone say where it ends. Its digest is the SHA-256 of
its rows in the order of the key, as :mod:`repo.binary` encodes them, with -0.0 as 0.0, which is equal
to it. A server computes the same by itself: ``queries/postgresql/engine/digests.sql``.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from struct import Struct, error
from typing import Any, Final, NamedTuple

from repo import binary
from repo.batches import Columns
from repo.errors import RangeError
from repo.tables import Table

__all__ = ["ChunkDigest", "ChunkHashes", "combined", "encoded", "pieces", "span"]

_IDS_TOGETHER: Final = 1000
_MINUS_ZERO: Final = Struct(">id").pack(8, -0.0)
_CHUNK: Final = Struct(">qq")


class ChunkDigest(NamedTuple):
    """How many rows a chunk has, and their SHA-256; ``chunk`` is its key divided by the table's span."""

    chunk: int
    rows: int
    sha256: str


def span(table: Table) -> int:
    """How many values of the first column of a table's key are one chunk."""
    return 1 if table.surrogate is None else _IDS_TOGETHER


def pieces(table: Table, columns: Columns) -> Iterator[tuple[int, Columns]]:
    """Rows in the order of the key, cut where a chunk ends, each piece with its chunk."""
    width, keys = span(table), columns[0]
    start = 0
    while start < len(keys):
        chunk = keys[start] // width
        end = bisect_left(keys, (chunk + 1) * width, start)
        whole = end - start == len(keys)
        yield chunk, columns if whole else [column[start:end] for column in columns]
        start = end


def encoded(table: Table, columns: Columns) -> bytes:
    """Rows as they are sent and hashed.

    :raises RangeError: for a number that leaves what PostgreSQL's column holds.
    """
    kinds = [column.kind for column in table.columns]
    try:
        found = binary.encode(kinds, columns)
        if _MINUS_ZERO in found:  # or the integer with the same bytes
            found = binary.encode(kinds, [*map(_with_one_zero, kinds, columns)])
    except error as reason:
        raise RangeError(f"{table.name} has a number that leaves the type of its column") from reason
    return found


def _with_one_zero(kind: str, column: Any) -> Any:
    if kind != "float":
        return column
    return [None if value is None else value + 0.0 for value in column]


class ChunkHashes:
    """The digests of chunks whose rows come by in the order of the key."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._chunk: int | None = None
        self._rows = 0
        self._hash = hashlib.sha256()
        self.ended: list[ChunkDigest] = []

    def take(self, columns: Columns) -> None:
        """Take some rows, in the order of the key."""
        for chunk, piece in pieces(self._table, columns):
            self.add(chunk, len(piece[0]), encoded(self._table, piece))

    def add(self, chunk: int, rows: int, data: bytes) -> None:
        """Take some rows of a chunk, which ends the one before, if that was another."""
        if chunk != self._chunk:
            self.end()
            self._chunk = chunk
        self._rows += rows
        self._hash.update(data)

    def end(self) -> list[ChunkDigest]:
        """End the last chunk; the digests of all."""
        if self._chunk is not None:
            self.ended.append(ChunkDigest(self._chunk, self._rows, self._hash.hexdigest()))
            self._chunk, self._rows, self._hash = None, 0, hashlib.sha256()
        return self.ended


def combined(chunks: Iterable[ChunkDigest]) -> tuple[int, str]:
    """How many rows chunks have together, and the SHA-256 of their numbers, rows and digests."""
    whole = hashlib.sha256()
    rows = 0
    for each in chunks:
        rows += each.rows
        whole.update(_CHUNK.pack(each.chunk, each.rows) + bytes.fromhex(each.sha256))
    return rows, whole.hexdigest()
