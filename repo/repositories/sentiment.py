"""Sentiment: what retail investors look at, as counted by a source."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

from repo.batches import Table
from repo.records import Sentiment, argument
from repo.repositories.base import Repository, bounds

__all__ = ["SentimentRepository"]

_TABLE: Final = Table(
    aggregate="sentiment",
    record=Sentiment,
    columns=(
        ("ticker_id", "id"),
        ("source", "text"),
        ("date", "day"),
        ("interest", "int"),
        ("score", "float"),
    ),
    fields=("symbol", "source", "date", "interest", "score"),
    key_width=3,
)


class SentimentRepository(Repository):
    """Interest and score by ticker, source and date."""

    def upsert(self, rows: Iterable[Sentiment]) -> int:
        """Insert rows, or change those that are there and differ.

        Takes any iterable in bounded memory. Duplicate keys settle, the last one wins.

        :returns: how many were new or different.
        :raises InvalidRecord: for bad rows, naming the first 20; nothing is written.
        :raises UnknownTicker: naming every symbol that is missing; nothing is written.
        """
        return self._upsert(_TABLE, rows)

    def history(
        self,
        symbol: str,
        start: date | None = None,
        end: date | None = None,
        source: str | None = None,
    ) -> list[Sentiment]:
        """One ticker's rows of one source, or of all, by date and source; both ends included.

        :raises UnknownTicker: when there is no such ticker.
        """
        symbol = argument("symbol", "symbol", symbol)
        first, last = bounds(start, end)
        named = argument("source", "source", source, optional=True)
        return self._of_ticker("sentiment.history", "date", symbol, source=named, start=first, end=last)

    def sources(self) -> list[str]:
        """The names of the sources there are, sorted."""
        return [row.source for row in self._session.read("sentiment.sources")]
