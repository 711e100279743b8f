"""peewee: models, ``namedtuples()`` for reading many rows, ``insert_many`` in batches for writing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

import peewee
from peewee import EXCLUDED, SQL, fn

from repo import Bar
from tests.bench.contestants.base import (
    EPOCH,
    PRAGMAS,
    Contestant,
    in_days,
    ranking_parameters,
    sqlite_path,
)
from tests.bench.statements import BAR_COLUMNS, READS, for_psycopg

__all__ = ["Peewee"]

_BATCH: Final = 1_000
_VALUES: Final = BAR_COLUMNS[2:]


class _DayField(peewee.IntegerField):
    """A date that SQLite stores as days since 1970-01-01."""

    def db_value(self, value: Any) -> Any:
        return value.toordinal() - EPOCH if isinstance(value, date) else value

    def python_value(self, value: Any) -> Any:
        return None if value is None else date.fromordinal(value + EPOCH)


def _models(bound: Any, day: Any) -> tuple[Any, Any]:
    """Models of a database; made anew for each, since a model belongs to one."""

    class Tickers(peewee.Model):
        """A row of tickers, as far as bars need it."""

        ticker_id = peewee.AutoField()
        symbol = peewee.TextField()

        class Meta:
            database = bound
            table_name = "tickers"

    class MarketData(peewee.Model):
        """A bar."""

        ticker = peewee.ForeignKeyField(Tickers, column_name="ticker_id")
        date = day
        open = peewee.DoubleField(null=True)
        high = peewee.DoubleField(null=True)
        low = peewee.DoubleField(null=True)
        close = peewee.DoubleField()
        volume = peewee.BigIntegerField(null=True)

        class Meta:
            database = bound
            table_name = "market_data"
            primary_key = peewee.CompositeKey("ticker", "date")

    return Tickers, MarketData


class Peewee(Contestant):
    """The ranking is sent as text; the rest is built of models."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sqlite = url.startswith("sqlite:")
        self.database: Any
        if self.sqlite:
            pragmas = [(name, value) for name, value in PRAGMAS.items()]
            self.database = peewee.SqliteDatabase(sqlite_path(url), pragmas=pragmas, timeout=30)
            self.tickers, self.market = _models(self.database, _DayField())
        else:
            self.database = peewee.PostgresqlDatabase(url, prefer_psycopg3=True)
            self.tickers, self.market = _models(self.database, peewee.DateField())
        self.database.connect()

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def thread(self) -> Iterator[Contestant]:
        with self.database.connection_context():
            yield self

    def latest(self, symbol: str) -> Any:
        found = self._bars().where(self.market.ticker == self._ticker(symbol))
        return found.order_by(self.market.date.desc()).limit(1).namedtuples().get()

    def history(self, symbol: str, start: date, end: date) -> list[Any]:
        chosen = self.market.ticker == self._ticker(symbol)
        found = self._bars().where(chosen & self.market.date.between(start, end))
        return list(found.order_by(self.market.date).namedtuples())

    def cross_section(self, day: date) -> list[Any]:
        found = self._bars().where(self.market.date == day)
        return list(found.order_by(self.tickers.symbol).namedtuples())

    def summary(self, symbol: str, start: date, end: date) -> Any:
        t, m = self.tickers, self.market
        chosen = self._range(symbol, start, end)
        edges = [
            m.select(column).join(t).where(chosen).order_by(order).limit(1)
            for column, order in ((m.open, m.date), (m.close, m.date.desc()))
        ]
        cents = m.close * 10000.0 + 0.5
        whole = (cents if self.sqlite else fn.FLOOR(cents)).cast("bigint")
        closes = fn.SUM(whole).cast("bigint").cast("double precision")
        volume = fn.SUM(m.volume).cast("bigint")
        mean_volume = volume.cast("double precision") / fn.NULLIF(fn.COUNT(m.volume), 0)
        found = (
            m.select(
                t.symbol,
                fn.MIN(m.date),
                fn.MAX(m.date),
                fn.COUNT(SQL("*")),
                edges[0],
                fn.MAX(m.high),
                fn.MIN(m.low),
                edges[1],
                volume,
                closes / (fn.COUNT(SQL("*")) * 10000),
                mean_volume,
            )
            .join(t)
            .where(chosen)
            .group_by(t.symbol)
        )
        return found.tuples().get()

    def ranking(self, as_of: date) -> list[Any]:
        parameters = ranking_parameters(as_of)
        if self.sqlite:
            sql, bound = READS["sqlite"]["ranking"], in_days(parameters)
        else:
            sql, bound = for_psycopg(READS["postgresql"]["ranking"]), parameters
        return list(self.database.execute_sql(sql, bound).fetchall())

    def load(self, bars: Sequence[Bar]) -> int:
        m = self.market
        differs = "IS NOT" if self.sqlite else "IS DISTINCT FROM"
        changed: Any = None
        for name in _VALUES:
            different = peewee.Expression(getattr(m, name), differs, getattr(EXCLUDED, name))
            changed = different if changed is None else changed | different
        fields = [m.ticker, m.date, *(getattr(m, name) for name in _VALUES)]
        written = 0
        with self.database.atomic():
            ids: dict[str, int] = dict(
                self.tickers.select(self.tickers.symbol, self.tickers.ticker_id).tuples()
            )
            for batch in peewee.chunked(bars, _BATCH):
                rows = [(ids[bar[0]], *bar[1:]) for bar in batch]
                written += (
                    m.insert_many(rows, fields)
                    .on_conflict(
                        conflict_target=[m.ticker, m.date],
                        preserve=fields[2:],
                        where=changed,
                    )
                    .as_rowcount()
                    .execute()
                )
        return written

    def delete(self, symbol: str, start: date, end: date) -> int:
        m = self.market
        chosen = (m.ticker == self._ticker(symbol)) & m.date.between(start, end)
        with self.database.atomic():
            deleted: int = m.delete().where(chosen).execute()
        return deleted

    def _bars(self) -> Any:
        t, m = self.tickers, self.market
        return m.select(t.symbol, m.date, m.open, m.high, m.low, m.close, m.volume).join(t)

    def _ticker(self, symbol: str) -> Any:
        other = self.tickers.alias()
        return other.select(other.ticker_id).where(other.symbol == symbol)

    def _range(self, symbol: str, start: date, end: date) -> Any:
        return (self.tickers.symbol == symbol) & self.market.date.between(start, end)
