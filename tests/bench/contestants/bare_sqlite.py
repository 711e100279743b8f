"""Hand-written sqlite3: one connection, plain tuples, dates left as SQLite's numbers, no checks."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from repo import Bar
from tests.bench.contestants.base import EPOCH, OneConnection, set_pragmas, sqlite_path
from tests.bench.statements import OF_TICKER, upsert

_READS: Final = OF_TICKER
_UPSERT: Final = upsert("sqlite", ["?"] * 7)


class Bare(OneConnection):
    """The job as it is done by hand: a row at a time, through executemany."""

    connection: sqlite3.Connection

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.connection = sqlite3.connect(sqlite_path(url), timeout=30, isolation_level=None)
        set_pragmas(self.connection)

    def latest(self, symbol: str) -> Any:
        return self.connection.execute(_READS["latest"], {"symbol": symbol}).fetchone()

    def history(self, symbol: str, start: date, end: date) -> list[Any]:
        return self._ranged("history", symbol, start, end).fetchall()

    def of_ticker(self, native: Any, symbol: str) -> tuple[Any, ...]:
        return (symbol, *self.row(native, 0))

    def load(self, bars: Sequence[Bar]) -> int:
        connection = self.connection
        ids: dict[str, int] = dict(connection.execute("SELECT symbol, ticker_id FROM tickers"))
        rows = [
            (ids[symbol], day.toordinal() - EPOCH, opened, high, low, close, volume)
            for symbol, day, opened, high, low, close, volume in bars
        ]
        connection.execute("BEGIN IMMEDIATE")
        try:
            written = connection.executemany(_UPSERT, rows).rowcount
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return written

    def _ranged(self, job: str, symbol: str, start: date, end: date) -> sqlite3.Cursor:
        first, last = start.toordinal() - EPOCH, end.toordinal() - EPOCH
        return self.connection.execute(_READS[job], {"symbol": symbol, "start": first, "end": last})
