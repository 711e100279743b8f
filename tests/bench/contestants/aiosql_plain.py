"""Plain aiosql: its own adapters, records through ``record_class``, rows written by ``*!``.

Its driver's connection is made as the hand-written one is; on SQLite dates stay numbers of days.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import aiosql
import psycopg

from repo import Bar
from tests.bench.contestants.base import EPOCH, OneConnection, in_days, set_pragmas, sqlite_path
from tests.bench.statements import BAR_COLUMNS, READS, upsert

_RECORDS: Final[dict[str, Any]] = {"Bar": Bar}
_HEADERS: Final = {
    "latest": "latest(symbol)^\n-- record_class: Bar",
    "history": "history(symbol, start, end)\n-- record_class: Bar",
}


def _file(backend: str) -> str:
    """What would be a file of queries."""
    parts = [f"-- name: {header}\n{READS[job].strip()};\n" for job, header in _HEADERS.items()]
    values = [f":{name}" for name in BAR_COLUMNS]
    parts.append(f"-- name: upsert({', '.join(BAR_COLUMNS)})*!\n{upsert(backend, values)};\n")
    parts.append("-- name: ids()\nSELECT symbol, ticker_id FROM tickers;\n")
    return "\n".join(parts)


class PlainAiosql(OneConnection):
    """aiosql as its documentation shows it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sqlite = url.startswith("sqlite:")
        self.connection: Any
        if self.sqlite:
            self.connection = sqlite3.connect(sqlite_path(url), timeout=30)
            set_pragmas(self.connection)
        else:
            self.connection = psycopg.connect(url, autocommit=True)
        backend = "sqlite" if self.sqlite else "postgresql"
        driver = "sqlite3" if self.sqlite else "psycopg"
        self.queries: Any = aiosql.from_str(_file(backend), driver, record_classes=_RECORDS)

    def latest(self, symbol: str) -> Any:
        return self.queries.latest(self.connection, symbol=symbol)

    def history(self, symbol: str, start: date, end: date) -> list[Any]:
        return list(self.queries.history(self.connection, **self._bound(symbol, start, end)))

    def load(self, bars: Sequence[Bar]) -> int:
        ids = dict(self.queries.ids(self.connection))
        rows = [
            {
                "ticker_id": ids[bar.symbol],
                "date": bar.date.toordinal() - EPOCH if self.sqlite else bar.date,
                "open": bar.open,
                "high": bar.high,
                "low": bar.low,
                "close": bar.close,
                "volume": bar.volume,
            }
            for bar in bars
        ]
        with self.connection if self.sqlite else self.connection.transaction():
            written: int = self.queries.upsert(self.connection, rows)
        return written

    def _bound(self, symbol: str, start: date, end: date) -> dict[str, Any]:
        parameters = {"symbol": symbol, "start": start, "end": end}
        return in_days(parameters) if self.sqlite else parameters
