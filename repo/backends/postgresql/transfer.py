"""Whole tables of PostgreSQL."""

from __future__ import annotations

from typing import Any, Final

from repo.binding import BoundQueries
from repo.chunks import Chunk
from repo.tables import Table

__all__ = ["PostgreSQLTransfer"]

_DIGESTS: Final = {
    "tickers": "digests.tickers",
    "institutions": "digests.institutions",
    "market": "digests.market",
    "holdings": "digests.holdings",
    "sentiment": "digests.sentiment",
}


class PostgreSQLTransfer:
    """See :class:`repo.engine.Transfer`."""

    def digest(self, connection: Any, queries: BoundQueries, table: Table) -> list[Chunk]:
        found: list[Chunk] = queries[_DIGESTS[table.aggregate]](connection, {})
        return [Chunk(*each) for each in found]
