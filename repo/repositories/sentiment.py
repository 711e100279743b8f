"""Sentiment: what retail investors look at, as counted by a source."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from repo.records import Sentiment
from repo.repositories.repository import TableRepository, bounds
from repo.tables import TABLES
from repo.validation import argument

if TYPE_CHECKING:
    import pyarrow


class SentimentRepository(TableRepository[Sentiment]):
    """Interest and score by ticker, source and date."""

    _table = TABLES["sentiment"]

    def history(
        self, symbol: str, start: date | None = None, end: date | None = None, source: str | None = None
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
        """Rows as an Arrow table with the fields of Sentiment, by symbol, date and source.

        Of all tickers, or of those named, for days in a range, both ends included;
        pandas and polars take the table without a copy.

        :raises UnknownTicker: naming every symbol that is missing.
        :raises ConfigurationError: when pyarrow (the extra ``arrow``) is not installed.
        """
        named = argument("source", "source", source, optional=True)
        return self._frame("sentiment.frame", symbols, start, end, source=named)

    def sources(self) -> list[str]:
        """The names of all sources, sorted."""
        return [row.source for row in self._session.read("sentiment.sources")]
