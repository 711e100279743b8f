"""What a database holds, in plain Python: five dictionaries, and what writing does to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from repo import Bar, Holding, Institution, Sentiment, Ticker
from tests.equivalence.engines import Dump
from tests.equivalence.exact import exact
from tests.oracle import World, fold
from tests.strategies import Content

__all__ = ["AGGREGATES", "Refused", "Rows"]

AGGREGATES: Final[Mapping[str, type[Any]]] = {
    "tickers": Ticker,
    "institutions": Institution,
    "market": Bar,
    "holdings": Holding,
    "sentiment": Sentiment,
}


class Refused(Exception):
    """A write that must fail: by which class of error, and what of all that is missing, sorted."""

    def __init__(self, error: str, missing: Iterable[Any] = ()) -> None:
        super().__init__(error)
        self.error = error
        self.missing = tuple(sorted(missing))


def _plain(value: Any) -> Any:
    """A number as it is stored: one of Python's own, and no -0.0."""
    value = value.item() if hasattr(value, "item") else value
    return value + 0.0 if isinstance(value, float) else value


def _real(value: Any) -> float | None:
    return None if value is None else float(_plain(value)) + 0.0


def _ticker(row: Ticker) -> tuple[Any, Any]:
    return fold(row.symbol), (row.company_name, None if row.cusip is None else fold(row.cusip))


def _institution(row: Institution) -> tuple[Any, Any]:
    return _plain(row.cik), row.name


def _bar(row: Bar) -> tuple[Any, Any]:
    prices = (_real(row.open), _real(row.high), _real(row.low), _real(row.close))
    return (fold(row.symbol), row.date), (*prices, _plain(row.volume))


def _holding(row: Holding) -> tuple[Any, Any]:
    key = (fold(row.symbol), row.quarter_end, _plain(row.cik), row.filing_date)
    return key, (_plain(row.shares_held), _plain(row.market_value), _real(row.ownership_percent))


def _sentiment(row: Sentiment) -> tuple[Any, Any]:
    return (fold(row.symbol), row.source, row.date), (_plain(row.interest), _real(row.score))


_PARTS: Final[Mapping[str, Callable[[Any], tuple[Any, Any]]]] = {
    "tickers": _ticker,
    "institutions": _institution,
    "market": _bar,
    "holdings": _holding,
    "sentiment": _sentiment,
}


@dataclass
class Rows:
    """The rows of the five tables: content by key, as the oracle has them."""

    tickers: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    institutions: dict[int, str] = field(default_factory=dict)
    market: dict[tuple[str, date], Any] = field(default_factory=dict)
    holdings: dict[tuple[str, date, int, date], Any] = field(default_factory=dict)
    sentiment: dict[tuple[str, str, date], Any] = field(default_factory=dict)

    @classmethod
    def of(cls, content: Content) -> Rows:
        """The rows that a database with this content holds."""
        rows = cls()
        parts = (content.tickers, content.institutions, content.bars, content.holdings)
        for aggregate, part in zip(AGGREGATES, (*parts, content.sentiment), strict=True):
            rows.upsert(aggregate, part)
        return rows

    def copy(self) -> Rows:
        """The same rows, to be changed apart from these."""
        return Rows(*(dict(getattr(self, name)) for name in AGGREGATES))

    def upsert(self, aggregate: str, rows: Iterable[Any], absent: Collection[str] = ()) -> int:
        """Write valid rows; how many are new or different. On an error nothing is written.

        :param absent: the fields that the rows lack: they stay as they are in rows that are there.
        """
        settled: dict[Any, Any] = {}
        for key, content in map(_PARTS[aggregate], rows):
            settled.pop(key, None)  # of one key the last stays, in the last one's place
            settled[key] = content
        self._need(aggregate, settled)
        table: dict[Any, Any] = getattr(self, aggregate)
        if absent:
            settled = {
                key: self._filled(aggregate, table.get(key), content, absent)
                for key, content in settled.items()
            }
        changed = {
            key: content for key, content in settled.items() if exact(table.get(key)) != exact(content)
        }
        if aggregate == "tickers":
            self._clash(changed)
        table.update(changed)
        return len(changed)

    def load(self, aggregate: str, rows: list[Any], absent: Collection[str], strict: bool) -> Any:
        """Write the rows of a file; how many were written, how many new, how many gave way to others."""
        keys = [_PARTS[aggregate](row)[0] for row in rows]
        self._need(aggregate, dict.fromkeys(keys))
        repeated = len(keys) - len(set(keys))
        if strict and repeated:
            raise Refused("RepeatedKeys")
        new = len(set(keys) - getattr(self, aggregate).keys())
        return self.upsert(aggregate, rows, absent), new, repeated

    def _filled(self, aggregate: str, there: Any, content: Any, absent: Collection[str]) -> Any:
        """What is written for a row that lacks fields where another, or none, is there."""
        if there is None:
            return content
        names = AGGREGATES[aggregate]._fields[-len(content) :]
        pairs = zip(names, there, content, strict=True)
        found = tuple(old if name in absent else new for name, old, new in pairs)
        if aggregate == "market":
            high, low = found[1:3]
            if high is not None and low is not None and high < low:
                raise Refused("Unfit")
        return found

    def _need(self, aggregate: str, settled: Mapping[Any, Any]) -> None:
        """Raise for tickers, and then for institutions, that rows refer to and are not there."""
        if aggregate in ("tickers", "institutions"):
            return
        symbols = {key[0] for key in settled} - self.tickers.keys()
        if symbols:
            raise Refused("UnknownTicker", symbols)
        ciks = (
            {key[2] for key in settled} - self.institutions.keys() if aggregate == "holdings" else set()
        )
        if ciks:
            raise Refused("UnknownInstitution", ciks)

    def _clash(self, changed: Mapping[str, tuple[str, str | None]]) -> None:
        """Raise where a ticker takes a CUSIP that another has at that moment, row after row."""
        owners = {cusip: symbol for symbol, (_, cusip) in self.tickers.items() if cusip is not None}
        own = {symbol: cusip for cusip, symbol in owners.items()}
        for symbol, (_, cusip) in changed.items():
            if cusip is not None and owners.get(cusip, symbol) != symbol:
                raise Refused("UniqueViolation")
            if symbol in own:
                del owners[own.pop(symbol)]
            if cusip is not None:
                owners[cusip], own[symbol] = symbol, cusip

    def delete_bars(self, symbol: str, start: date | None, end: date | None) -> int:
        """Delete a ticker's bars of an inclusive range; how many there were."""
        symbol = fold(symbol)
        if symbol not in self.tickers:
            raise Refused("UnknownTicker", [symbol])
        first, last = start or date.min, end or date.max
        doomed = [key for key in self.market if key[0] == symbol and first <= key[1] <= last]
        for key in doomed:
            del self.market[key]
        return len(doomed)

    def world(self) -> World:
        """The rows as the oracle takes them."""
        return World(self.tickers, self.institutions, self.market, self.holdings, self.sentiment)

    def dump(self) -> Dump:
        """The rows as :meth:`tests.equivalence.engines.Engines.dump` gives them."""
        tables: dict[str, list[Any]] = {
            "tickers": [(symbol, *content) for symbol, content in self.tickers.items()],
            "institutions": list(self.institutions.items()),
            "market_data": [(*key, *content) for key, content in self.market.items()],
            "institutional_holdings": [(*key, *content) for key, content in self.holdings.items()],
            "retail_sentiment": [(*key, *content) for key, content in self.sentiment.items()],
        }
        return {name: sorted(map(exact, rows), key=repr) for name, rows in tables.items()}
