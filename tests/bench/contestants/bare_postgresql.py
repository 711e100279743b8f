"""Hand-written psycopg 3: one connection, prepared statements, binary tuples, and no checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import psycopg

from repo import Bar
from tests.bench.contestants.base import OneConnection
from tests.bench.statements import OF_TICKER, for_psycopg

_READS: Final = {job: for_psycopg(sql) for job, sql in OF_TICKER.items()}
_TYPES: Final = ("int4", "date", "float8", "float8", "float8", "float8", "int8")

_STAGE: Final = "CREATE TEMPORARY TABLE stage (LIKE market_data) ON COMMIT DROP"
_COPY: Final = "COPY stage FROM STDIN (FORMAT BINARY)"
_MEMORY: Final = "SET LOCAL work_mem = '64MB'"
_MERGE: Final = """
INSERT INTO market_data (ticker_id, date, open, high, low, close, volume)
SELECT s.ticker_id, s.date, s.open, s.high, s.low, s.close, s.volume
FROM stage AS s
LEFT JOIN market_data AS m ON m.ticker_id = s.ticker_id AND m.date = s.date
WHERE m.ticker_id IS NULL
    OR (m.open, m.high, m.low, m.close, m.volume)
    IS DISTINCT FROM (s.open, s.high, s.low, s.close, s.volume)
ON CONFLICT (ticker_id, date) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume
"""
"""Rows that are there unchanged are left out by the join: a conflict would lock them: a write."""


class Bare(OneConnection):
    """The job as it is done by hand, and well."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.connection: Any = psycopg.connect(url, autocommit=True)
        self.cursor: Any = self.connection.cursor(binary=True)

    def latest(self, symbol: str) -> Any:
        return self._run("latest", {"symbol": symbol}).fetchone()

    def history(self, symbol: str, start: date, end: date) -> list[Any]:
        parameters = {"symbol": symbol, "start": start, "end": end}
        rows: list[Any] = self._run("history", parameters).fetchall()
        return rows

    def of_ticker(self, native: Any, symbol: str) -> tuple[Any, ...]:
        return (symbol, *self.row(native, 0))

    def load(self, bars: Sequence[Bar]) -> int:
        cursor = self.connection.cursor()
        with self.connection.transaction():
            cursor.execute("SELECT symbol, ticker_id FROM tickers")
            ids: dict[str, int] = dict(cursor.fetchall())
            cursor.execute(_STAGE)
            with cursor.copy(_COPY) as copy:
                copy.set_types(_TYPES)
                for symbol, day, opened, high, low, close, volume in bars:
                    copy.write_row((ids[symbol], day, opened, high, low, close, volume))
            cursor.execute(_MEMORY)
            cursor.execute(_MERGE)
            written: int = cursor.rowcount
        return written

    def _run(self, job: str, parameters: Mapping[str, Any]) -> Any:
        return self.cursor.execute(_READS[job], parameters, prepare=True)
