"""Whole tables of SQLite, read as they are stored."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from repo.batches import Columns
from repo.binding import BoundQueries
from repo.chunks import Chunk, ChunkHashes, encoded, pieces
from repo.tables import Table

__all__ = ["SQLiteTransfer"]

_ROWS: Final = {
    "tickers": "rows.tickers",
    "institutions": "rows.institutions",
    "market": "rows.market",
    "holdings": "rows.holdings",
    "sentiment": "rows.sentiment",
}
_ALL: Final = {"first": -(2**63), "last": 2**63 - 1, "since": date.min, "until": date.max}


class SQLiteTransfer:
    """See :class:`repo.engine.Transfer`."""

    def digest(self, connection: Any, queries: BoundQueries, table: Table) -> list[Chunk]:
        hashes = ChunkHashes(table)

        def add(columns: Columns) -> None:
            for chunk, piece in pieces(table, columns):
                hashes.add(chunk, len(piece[0]), encoded(table, piece))

        read = queries.columnar(_ROWS[table.aggregate])
        read(connection, _ALL, add)
        return hashes.end()
