"""SQLSpec: sessions of its sqlite and psycopg adapters, rows as dataclasses.

Bars are written by ``execute_many`` on SQLite, and on PostgreSQL by its bulk path (``COPY``) into a
temporary table that one statement merges. On SQLite dates stay numbers of days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date
from importlib import import_module
from typing import Any, Final

from sqlspec import SQLSpec
from sqlspec.adapters.psycopg import PsycopgSyncConfig
from sqlspec.adapters.sqlite import SqliteConfig

from repo import Bar
from tests.bench.contestants.base import (
    EPOCH,
    PRAGMAS,
    Contestant,
    in_days,
    ranking_parameters,
    sqlite_path,
)
from tests.bench.statements import BAR_COLUMNS, READS, upsert

__all__ = ["SQLSpecSessions"]

import_module("pyarrow")  # its bulk path goes through Arrow

_STAGE: Final = "CREATE TEMPORARY TABLE stage (LIKE market_data) ON COMMIT DROP"
_MERGE: Final = """
INSERT INTO market_data (ticker_id, date, open, high, low, close, volume)
SELECT s.ticker_id, s.date, s.open, s.high, s.low, s.close, s.volume
FROM stage AS s
LEFT JOIN market_data AS m ON m.ticker_id = s.ticker_id AND m.date = s.date
WHERE m.ticker_id IS NULL
    OR m.open IS DISTINCT FROM s.open OR m.high IS DISTINCT FROM s.high
    OR m.low IS DISTINCT FROM s.low OR m.close IS DISTINCT FROM s.close
    OR m.volume IS DISTINCT FROM s.volume
ON CONFLICT (ticker_id, date) DO UPDATE SET
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume
"""


@dataclass(slots=True)
class _Bar:
    """A row of bars."""

    symbol: str
    date: Any
    open: float | None
    high: float | None
    low: float | None
    close: float
    volume: int | None


@dataclass(slots=True)
class _Summary:
    """A row of the hand-written summary."""

    symbol: str
    first: Any
    last: Any
    bars: int
    open: float | None
    high: float | None
    low: float | None
    close: float
    volume: int | None
    average_close: float
    average_volume: float | None


@dataclass(slots=True)
class _Divergence:
    """A row of the ranking."""

    symbol: str
    as_of: Any
    flow: float
    interest_change: float
    price_return: float | None
    institutional_rank: float
    retail_rank: float
    divergence: float


class SQLSpecSessions(Contestant):
    """A session a call, as its documentation shows it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sqlite = url.startswith("sqlite:")
        self.manager: Any = SQLSpec()
        config: Any
        if self.sqlite:
            config = SqliteConfig(
                connection_config={"database": sqlite_path(url), "timeout": 30},
                driver_features={"pragmas": dict(PRAGMAS)},
            )
        else:
            config = PsycopgSyncConfig(connection_config={"conninfo": url})
        self.config: Any = self.manager.add_config(config)
        self.reads = READS["sqlite" if self.sqlite else "postgresql"]
        with self.manager.provide_session(self.config):
            pass  # connections are made when they are asked for, and to open is to be connected

    def close(self) -> None:
        self.config.close_pool()

    def latest(self, symbol: str) -> Any:
        return self._select("latest", {"symbol": symbol}, _Bar)[0]

    def history(self, symbol: str, start: date, end: date) -> list[Any]:
        return self._select("history", {"symbol": symbol, "start": start, "end": end}, _Bar)

    def cross_section(self, day: date) -> list[Any]:
        return self._select("cross_section", {"day": day}, _Bar)

    def summary(self, symbol: str, start: date, end: date) -> Any:
        return self._select("summary", {"symbol": symbol, "start": start, "end": end}, _Summary)[0]

    def ranking(self, as_of: date) -> list[Any]:
        return self._select("ranking", ranking_parameters(as_of), _Divergence)

    def load(self, bars: Sequence[Bar]) -> int:
        with self.manager.provide_session(self.config) as session:
            session.begin()
            found = session.select("SELECT symbol, ticker_id FROM tickers")
            ids: dict[str, int] = {row["symbol"]: row["ticker_id"] for row in found}
            if self.sqlite:
                rows: list[tuple[Any, ...]] = [
                    (ids[bar[0]], bar[1].toordinal() - EPOCH, *bar[2:]) for bar in bars
                ]
                result = session.execute_many(upsert("sqlite", ["?"] * 7), rows)
            else:
                session.execute(_STAGE)
                rows = [(ids[bar[0]], *bar[1:]) for bar in bars]
                session.load_from_records("stage", rows, columns=list(BAR_COLUMNS))
                result = session.execute(_MERGE)
            session.commit()
        written: int = result.rows_affected
        return written

    def delete(self, symbol: str, start: date, end: date) -> int:
        parameters = {"symbol": symbol, "start": start, "end": end}
        with self.manager.provide_session(self.config) as session:
            session.begin()
            deleted: int = session.execute(self.reads["delete"], self._bound(parameters)).rows_affected
            session.commit()
        return deleted

    def row(self, native: Any, *days: int) -> tuple[Any, ...]:
        return super().row(astuple(native), *days)

    def _bound(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return in_days(parameters) if self.sqlite else parameters

    def _select(self, job: str, parameters: dict[str, Any], kind: type[Any]) -> list[Any]:
        with self.manager.provide_session(self.config) as session:
            rows: list[Any] = session.select(self.reads[job], self._bound(parameters), schema_type=kind)
        return rows
