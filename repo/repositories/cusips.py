"""Which rows of tickers cannot be written because another ticker has their CUSIP.

The engines say that there is such a row, but not which. So the rows are gone through as an engine does:
the last row of each symbol, in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from repo.records import Ticker


class Clash(NamedTuple):
    """A row of a ticker with the CUSIP of another.

    ``owner`` has it from row ``owner_row``, or from the database if that is None.
    """

    row: int
    symbol: str
    cusip: str
    owner: str
    owner_row: int | None

    def reason(self, where: str) -> str:
        """The message; ``where`` says where the owner is."""
        return f"is the CUSIP of {self.owner}, {where}; {self.symbol} cannot have it too"


def clashes(
    stored: Iterable[Ticker], rows: Sequence[tuple[int, str, str | None]], without: Collection[int] = ()
) -> list[Clash]:
    """The rows that cannot be written, in order; each is skipped.

    :param stored: the tickers of the database.
    :param rows: the number, the symbol and the CUSIP of each row, in order, as they are stored.
    :param without: the numbers of rows that are left out.
    """
    latest = {symbol: (row, cusip) for row, symbol, cusip in rows if row not in without}
    cusips = {ticker.symbol: ticker.cusip for ticker in stored}
    owners: dict[str, tuple[str, int | None]] = {
        cusip: (symbol, None) for symbol, cusip in cusips.items() if cusip is not None
    }
    found = []
    for symbol, (row, cusip) in sorted(latest.items(), key=lambda item: item[1][0]):
        if cusip is not None:
            owner, owner_row = owners.get(cusip, (symbol, None))
            if owner != symbol:
                found.append(Clash(row, symbol, cusip, owner, owner_row))
                continue
        freed = cusips.get(symbol)
        if freed is not None:
            del owners[freed]
        cusips[symbol] = cusip
        if cusip is not None:
            owners[cusip] = (symbol, row)
    return found
