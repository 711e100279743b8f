"""Sentiment: what retail investors look at, as counted by a source."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from repo.frames import ArrowTable
from repo.records import Sentiment
from repo.repositories.base import Repository, bounds
from repo.tables import TABLES
from repo.validation import argument

if TYPE_CHECKING:
    import pyarrow


class SentimentRepository(Repository):
    """Interest and score by ticker, source and date."""

    _table = TABLES["sentiment"]

    def upsert(self, rows: Iterable[Sentiment] | ArrowTable) -> int:
        """Insert rows, or change those that are stored and differ.

        A table may lack score; for the rest see :class:`.base.Repository`.

        :returns: how many were new or different.
        :raises InvalidRecord: for bad rows, naming the first 20; nothing is written.
        :raises UnknownTicker: naming every symbol that is missing; nothing is written.
        """
        return self._upsert(rows)

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
        return self._joined_to_ticker(
            "sentiment.history", "date", symbol, source=named, start=first, end=last
        )

    def frame(
        self,
        symbols: Iterable[str] | None = None,
        start: date | None = None,
        end: date | None = None,
        source: str | None = None,
    ) -> pyarrow.Table:
        """Rows as an Arrow table with the fields of Sentiment.

        By symbol, date and source.

        Of all tickers, or of those named, for days in a range, both ends included;
        pandas and polars take the table without a copy.

        :raises UnknownTicker: naming every symbol that is missing.
        :raises ConfigurationError: when pyarrow (the extra ``arrow``) is not installed.
        """
        return self._frame(
            "sentiment.frame",
            symbols,
            start,
            end,
            source=argument("source", "source", source, optional=True),
        )

    def sources(self) -> list[str]:
        """The names of the sources there are, sorted."""
        return [row.source for row in self._session.read("sentiment.sources")]
