"""SQLAlchemy Core: tables, statements built once, an engine with its pool."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from repo import Bar
from tests.bench.contestants.base import EPOCH, Contestant, set_pragmas

_BATCH: Final = 10_000
_VALUES: Final = ("open", "high", "low", "close", "volume")


class Day(sa.types.TypeDecorator[date]):
    """A date that SQLite stores as days since 1970-01-01."""

    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else value.toordinal() - EPOCH

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> date | None:
        return None if value is None else date.fromordinal(value + EPOCH)


def make_engine(url: str) -> sa.Engine:
    """An engine with the settings of all contestants."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def on_connect(connection: Any, record: Any) -> None:
            set_pragmas(connection)

    with engine.connect():
        pass  # an engine is lazy, and to open is to be connected
    return engine


def upsert_into(table: Any, backend: str) -> Any:
    """The upsert of bars; ``table`` is a Table or a mapped class."""
    insert = (sqlite.insert if backend == "sqlite" else postgresql.insert)(table)
    columns = sa.inspect(table).columns if isinstance(table, type) else table.c
    return insert.on_conflict_do_update(
        index_elements=["ticker_id", "date"],
        set_={name: insert.excluded[name] for name in _VALUES},
        where=sa.or_(*(columns[name].is_distinct_from(insert.excluded[name]) for name in _VALUES)),
    )


def bar_rows(bars: Sequence[Bar], ids: dict[str, int]) -> list[dict[str, Any]]:
    """Bars as rows of market_data."""
    return [bar._asdict() | {"ticker_id": ids[bar.symbol]} for bar in bars]


class Core(Contestant):
    """SQLAlchemy without its ORM."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.engine = make_engine(url)
        self.backend = self.engine.dialect.name
        day: Any = Day() if self.backend == "sqlite" else sa.Date()
        metadata = sa.MetaData()
        self.tickers = sa.Table("tickers", metadata, autoload_with=self.engine)
        own = sa.Column("date", day, primary_key=True)
        self.market = sa.Table("market_data", metadata, own, autoload_with=self.engine)
        t, m = self.tickers.c, self.market.c
        bar = sa.select(m.date, m.open, m.high, m.low, m.close, m.volume)
        named = m.ticker_id == (
            sa.select(t.ticker_id).where(t.symbol == sa.bindparam("symbol")).scalar_subquery()
        )
        between = m.date.between(sa.bindparam("start"), sa.bindparam("end"))
        self._latest = bar.where(named).order_by(m.date.desc()).limit(1)
        self._history = bar.where(named, between).order_by(m.date)
        self._upsert = upsert_into(self.market, self.backend)

    def close(self) -> None:
        self.engine.dispose()

    def latest(self, symbol: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(self._latest, {"symbol": symbol}).one()

    def history(self, symbol: str, start: date, end: date) -> Sequence[Any]:
        with self.engine.connect() as connection:
            return connection.execute(
                self._history, {"symbol": symbol, "start": start, "end": end}
            ).all()

    def of_ticker(self, native: Any, symbol: str) -> tuple[Any, ...]:
        return (symbol, *self.row(native, 0))

    def load(self, bars: Sequence[Bar]) -> int | None:
        """How many rows were written is not known of its psycopg dialect, which answers -1."""
        counts = []
        with self.engine.begin() as connection:
            found = connection.execute(sa.select(self.tickers.c.symbol, self.tickers.c.ticker_id))
            ids: dict[str, int] = {symbol: number for symbol, number in found}  # noqa: C416  # a Row is no pair
            for start in range(0, len(bars), _BATCH):
                rows = bar_rows(bars[start : start + _BATCH], ids)
                counts.append(connection.execute(self._upsert, rows).rowcount)
        return None if -1 in counts else sum(counts)
