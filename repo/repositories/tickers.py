"""Tickers: what can be held, looked at and traded."""

from __future__ import annotations

from repo.batches import RowEncoder
from repo.errors import Problem, RepoError, UniqueViolation, UnknownTicker
from repo.records import Ticker
from repo.repositories.cusips import clashes
from repo.repositories.repository import TableRepository
from repo.tables import TABLES
from repo.validation import argument


class TickerRepository(TableRepository[Ticker]):
    """Tickers by symbol. Symbols are folded to upper case wherever they are given."""

    _table = TABLES["tickers"]

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
        return self._rows("tickers.all")
