"""Tickers: what can be held, looked at and traded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from repo.batches import Table
from repo.errors import UnknownTicker
from repo.records import Ticker, argument
from repo.repositories.base import Repository

__all__ = ["TickerRepository"]

_TABLE: Final = Table(
    aggregate="tickers",
    record=Ticker,
    columns=(("symbol", "text"), ("company_name", "text"), ("cusip", "text")),
    fields=("symbol", "company_name", "cusip"),
    key_width=1,
    in_order=True,
)


class TickerRepository(Repository):
    """Tickers by symbol. Symbols are folded to upper case wherever they are given."""

    def upsert(self, rows: Iterable[Ticker]) -> int:
        """Insert tickers, or change the name and CUSIP of those that are there.

        Duplicate symbols settle, the last one wins.

        :returns: how many were new or different.
        :raises InvalidRecord: for bad rows, naming the first 20; nothing is written.
        :raises UniqueViolation: when two tickers would have one CUSIP; nothing is written.
        """
        return self._upsert(_TABLE, rows)

    def get(self, symbol: str) -> Ticker:
        """One ticker.

        :raises UnknownTicker: when it is not there.
        """
        symbol = argument("symbol", "symbol", symbol)
        found: Ticker | None = self._session.read("tickers.get", symbol=symbol)
        if found is None:
            raise UnknownTicker([symbol])
        return found

    def all(self) -> list[Ticker]:
        """Every ticker, by symbol."""
        found: list[Ticker] = self._session.read("tickers.all")
        return found
