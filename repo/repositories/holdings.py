"""Holdings: what institutions reported in SEC Form 13F.

A filing says what an institution held at a quarter end; a later one for the same quarter amends it,
and both are kept, so that it can be asked what was known on a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from repo.records import Holding
from repo.repositories.repository import TableRepository, bounds
from repo.tables import TABLES
from repo.validation import argument

if TYPE_CHECKING:
    import pyarrow


class HoldingRepository(TableRepository[Holding]):
    """Holdings by ticker, quarter end, institution and filing date."""

    _table = TABLES["holdings"]

    def history(self, symbol: str, start: date | None = None, end: date | None = None) -> list[Holding]:
        """What was filed about one ticker for the quarters that end in a range, both ends included.

        By quarter end, then CIK, then filing date; empty when nothing was filed.

        :raises UnknownTicker: when there is no such ticker.
        """
        symbol = argument("symbol", "symbol", symbol)
        first, last = bounds(start, end)
        return self._joined_to_ticker("holdings.history", "quarter_end", symbol, start=first, end=last)

    def frame(
        self, symbols: Iterable[str] | None = None, start: date | None = None, end: date | None = None
    ) -> pyarrow.Table:
        """Holdings as an Arrow table with the fields of Holding, by symbol, quarter, CIK and filing.

        Of all tickers, or of those named, for quarters that end in a range, both ends included;
        pandas and polars take the table without a copy.

        :raises UnknownTicker: naming every symbol that is missing.
        :raises ConfigurationError: when pyarrow (the extra ``arrow``) is not installed.
        """
        return self._frame("holdings.frame", symbols, start, end)

    def known(self, symbol: str, as_of: date) -> list[Holding]:
        """Each institution's last filing for the ticker's newest quarter known on a day, by CIK.

        Only filings with ``filing_date <= as_of`` count.

        :raises UnknownTicker: when there is no such ticker.
        """
        symbol = argument("symbol", "symbol", symbol)
        day = argument("date", "as_of", as_of)
        return self._joined_to_ticker("holdings.known", "quarter_end", symbol, as_of=day)
