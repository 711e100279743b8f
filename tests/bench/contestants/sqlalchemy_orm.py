"""SQLAlchemy's ORM: mapped classes, a session a call, entities out, its bulk upsert in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    contains_eager,
    mapped_column,
    relationship,
    sessionmaker,
)

from repo import Bar
from tests.bench.contestants.base import Contestant
from tests.bench.contestants.sqlalchemy_core import Day, bar_rows, make_engine, upsert_into

_BATCH: Final = 10_000


class _Base(DeclarativeBase):
    """The base of the mapped classes."""


class _Ticker(_Base):
    """A row of tickers, as far as bars need it."""

    __tablename__ = "tickers"

    ticker_id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str]


class _MarketData(_Base):
    """A bar."""

    __tablename__ = "market_data"

    ticker_id: Mapped[int] = mapped_column(sa.ForeignKey("tickers.ticker_id"), primary_key=True)
    # SQLite's type in general and PostgreSQL's own in particular, so that only SQLite pays for Day.
    date: Mapped[date] = mapped_column(Day().with_variant(sa.Date(), "postgresql"), primary_key=True)
    open: Mapped[float | None] = mapped_column(sa.Double)
    high: Mapped[float | None] = mapped_column(sa.Double)
    low: Mapped[float | None] = mapped_column(sa.Double)
    close: Mapped[float] = mapped_column(sa.Double)
    volume: Mapped[int | None] = mapped_column(sa.BigInteger)
    ticker: Mapped[_Ticker] = relationship()


class ORM(Contestant):
    """Bars come as entities with their tickers loaded in the same statement."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.engine = make_engine(url)
        self.backend = self.engine.dialect.name
        self.session: sessionmaker[Session] = sessionmaker(self.engine)
        bar = sa.select(_MarketData).join(_MarketData.ticker).options(contains_eager(_MarketData.ticker))
        other = aliased(_Ticker)
        named = _MarketData.ticker_id == (
            sa.select(other.ticker_id).where(other.symbol == sa.bindparam("symbol")).scalar_subquery()
        )
        between = _MarketData.date.between(sa.bindparam("start"), sa.bindparam("end"))
        self._latest = bar.where(named).order_by(_MarketData.date.desc()).limit(1)
        self._history = bar.where(named, between).order_by(_MarketData.date)
        self._upsert = upsert_into(_MarketData, self.backend)

    def close(self) -> None:
        self.engine.dispose()

    def latest(self, symbol: str) -> Any:
        with self.session() as session:
            return session.scalars(self._latest, {"symbol": symbol}).one()

    def history(self, symbol: str, start: date, end: date) -> Sequence[Any]:
        parameters = {"symbol": symbol, "start": start, "end": end}
        with self.session() as session:
            return session.scalars(self._history, parameters).all()

    def load(self, bars: Sequence[Bar]) -> None:
        """A bulk upsert of the ORM does not tell how many rows it wrote."""
        with self.session.begin() as session:
            found = session.execute(sa.select(_Ticker.symbol, _Ticker.ticker_id))
            ids: dict[str, int] = {symbol: number for symbol, number in found}  # noqa: C416  # a Row is no pair
            for start in range(0, len(bars), _BATCH):
                session.execute(self._upsert, bar_rows(bars[start : start + _BATCH], ids))

    def bar(self, native: Any) -> tuple[Any, ...]:
        return (
            native.ticker.symbol,
            native.date,
            native.open,
            native.high,
            native.low,
            native.close,
            native.volume,
        )
