"""Tickers: what can be held, looked at and traded."""

from __future__ import annotations

from collections.abc import Iterable

from repo.batches import RowEncoder
from repo.errors import Problem, RepoError, UniqueViolation, UnknownTicker
from repo.frames import ArrowTable
from repo.records import Ticker
from repo.repositories.base import Repository
from repo.repositories.cusips import clashes
from repo.tables import TABLES
from repo.validation import argument


class TickerRepository(Repository):
    """Tickers by symbol. Symbols are folded to upper case wherever they are given."""

    _table = TABLES["tickers"]

    def upsert(self, rows: Iterable[Ticker] | ArrowTable) -> int:
        """Insert tickers, or change the name and CUSIP of those that are stored.

        A table may lack cusip; for the rest see :class:`.base.Repository`.

        :returns: how many were new or different.
        :raises InvalidRecord: for bad rows, naming the first 20; nothing is written.
        :raises UniqueViolation: when two tickers would have one CUSIP, naming the first 20 such rows and
            whose CUSIP it is; nothing is written.
        """
        return self._upsert(rows)

    def _named(self, error: UniqueViolation, batches: RowEncoder) -> UniqueViolation:
        rows = [(row, values[0], values[2]) for row, values in batches.latest.values()]
        try:
            found = clashes(self.all(), rows)
        except RepoError:
            return error  # the transaction is lost, so the database cannot be asked
        problems = []
        for clash in found:
            where = "in the database" if clash.owner_row is None else f"in row {clash.owner_row}"
            problems.append(Problem(clash.row, "cusip", clash.cusip, clash.reason(where)))
        # There are none if another transaction wrote or freed such a CUSIP at the same moment.
        return UniqueViolation.of(problems) if problems else error

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
