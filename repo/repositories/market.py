"""Market data: one bar a ticker and day."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import TYPE_CHECKING

from repo.errors import UnknownTicker
from repo.records import Bar, Coverage, Summary
from repo.repositories.repository import TableRepository, bounds, join_matched, several_symbols
from repo.tables import TABLES
from repo.validation import argument

if TYPE_CHECKING:
    import pyarrow


class MarketRepository(TableRepository[Bar]):
    """Bars by ticker and date. Ranges of days include both ends; None leaves an end open."""

    _table = TABLES["market"]

    def history(
        self, symbol: str, start: datetime.date | None = None, end: datetime.date | None = None
    ) -> list[Bar]:
        """One ticker's bars, by date; empty when it has none there.

        :raises UnknownTicker: when there is no such ticker.
        """
        symbol = argument("symbol", "symbol", symbol)
        first, last = bounds(start, end)
        bars: list[Bar] = self._session.read("market.history", symbol=symbol, start=first, end=last)
        return bars or self._none_of(symbol)

    def frame(
        self,
        symbols: Iterable[str] | None = None,
        start: datetime.date | None = None,
        end: datetime.date | None = None,
    ) -> pyarrow.Table:
        """Bars as an Arrow table with the fields of Bar, by symbol and date.

        Of all tickers, or of those named; pandas and polars take the table without a copy.

        :raises UnknownTicker: naming every symbol that is missing.
        :raises ConfigurationError: when pyarrow (the extra ``arrow``) is not installed.
        """
        return self._frame("market.frame", symbols, start, end)

    def latest(self, symbols: Iterable[str] | None = None) -> list[Bar]:
        """The last bar of each ticker, or of each one named, by symbol.

        A ticker without bars is left out.

        :raises UnknownTicker: naming every symbol that is missing.
        """
        if symbols is None:
            return self._rows("market.latest")
        asked = several_symbols(symbols)
        if len(asked) == 1:
            bars: list[Bar] = self._session.read("market.latest_one", symbol=asked[0])
            return bars or self._none_of(asked[0])
        rows = self._rows("market.latest_of", symbols=asked)
        if len(rows) < len(asked):
            raise UnknownTicker(set(asked) - {row.symbol for row in rows})
        return [row for row in rows if join_matched(row, "date")]

    def on(self, date: datetime.date) -> list[Bar]:
        """Every ticker's bar of one day, by symbol."""
        return self._rows("market.on_day", date=argument("date", "date", date))

    def coverage(self) -> list[Coverage]:
        """The first bar, the last and their number, of each ticker that has any, by symbol."""
        return self._rows("market.coverage")

    def summary(
        self, symbol: str, start: datetime.date | None = None, end: datetime.date | None = None
    ) -> Summary | None:
        """One ticker's bars as one row; None when it has none there.

        :raises UnknownTicker: when there is no such ticker.
        :raises RangeError: when the volumes, or the closes in 1e-4 dollars, add up past 64 bits.
        """
        symbol = argument("symbol", "symbol", symbol)
        first, last = bounds(start, end)
        found: Summary | None = self._session.read(
            "market.summary", symbol=symbol, start=first, end=last
        )
        if found is None:
            raise UnknownTicker([symbol])
        return found if join_matched(found, "rows") else None

    def delete(
        self, symbol: str, start: datetime.date | None = None, end: datetime.date | None = None
    ) -> int:
        """Delete one ticker's bars.

        :returns: how many there were.
        :raises UnknownTicker: when there is no such ticker.
        """
        symbol = argument("symbol", "symbol", symbol)
        first, last = bounds(start, end)
        deleted: int = self._session.write("market.delete", symbol=symbol, start=first, end=last)
        if deleted == 0:
            self._none_of(symbol)
        return deleted
