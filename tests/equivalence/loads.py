"""Loads: many rows of one table from a few, in the orders that files come in."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from hypothesis import strategies as st

import repo
from repo import Bar, Holding, Institution, Sentiment, Ticker
from repo.batches import Tally
from tests.equivalence.model import Rows
from tests.strategies import values

__all__ = [
    "CONTAINERS",
    "INSTITUTIONS",
    "SYMBOLS",
    "Counted",
    "Load",
    "OnlyOnce",
    "contained",
    "loads",
    "referred",
    "single_rows",
    "write_referred",
]

SYMBOLS: Final = ("A", "BRK.B", "Z-9")
INSTITUTIONS: Final = (1, 320193, 9_999_999_999)
_SOURCES: Final = ("robintrack", "\u202eз")
_DAYS_APART: Final = 2_900  # so that some 1,200 dates span all the years there are

SIZES: Final = (1, 2, 9, 10, 11, 99, 100, 101, 999, 1000, 1001, 2000, 2101)
ORDERS: Final = ("by ticker", "by day", "newest first", "shuffled")


class OnlyOnce:
    """An iterable that is not an iterator, and has its rows only once: a reader of a file, say."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = deque(rows)

    def __iter__(self) -> Iterator[Any]:
        while self._rows:
            yield self._rows.popleft()


class Counted:
    """Rows that an upsert is to count, and that may lack fields, as those of a file do."""

    rereadable = True

    def __init__(self, rows: Iterable[Any], *, strict: bool = False, absent: Iterable[str] = ()) -> None:
        self._rows = list(rows)
        self.tally = Tally(strict=strict)
        self.absent = frozenset(absent)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)


CONTAINERS: Final[dict[str, Callable[[Sequence[Any]], Iterable[Any]]]] = {
    "list": list,
    "tuple": tuple,
    "iterator": iter,
    "generator": lambda rows: (row for row in rows),
    "dict values": lambda rows: dict(enumerate(rows)).values(),
    "deque": deque,
}
"""What rows may come in. Every call makes another of it."""


def contained() -> st.SearchStrategy[str]:
    """A name of :data:`CONTAINERS`."""
    return st.sampled_from(sorted(CONTAINERS, key=list(CONTAINERS).index))


def referred() -> Rows:
    """The tickers and institutions that loads of the other tables refer to."""
    rows = Rows()
    rows.upsert("tickers", [Ticker(symbol, symbol) for symbol in SYMBOLS])
    rows.upsert("institutions", [Institution(cik, str(cik)) for cik in INSTITUTIONS])
    return rows


def write_referred(db: repo.Database) -> None:
    """Put those into a database."""
    db.tickers.upsert([Ticker(symbol, symbol) for symbol in SYMBOLS])
    db.institutions.upsert([Institution(cik, str(cik)) for cik in INSTITUTIONS])


def _keyed(row: Any, number: int) -> Any:
    """The row under a key of its own: another for every number, day after day for each ticker."""
    which, step = number % len(SYMBOLS), number // len(SYMBOLS)
    day = date.fromordinal(1 + step * _DAYS_APART)
    if isinstance(row, Ticker):
        return row._replace(symbol=f"T{number}", cusip=row.cusip and f"{number:09d}")
    if isinstance(row, Institution):
        return row._replace(cik=number + 1)
    if isinstance(row, Bar):
        return row._replace(symbol=SYMBOLS[which], date=day)
    if isinstance(row, Holding):
        filed = date.fromordinal(day.toordinal() + number % 2)
        return row._replace(
            symbol=SYMBOLS[which], cik=INSTITUTIONS[number % 2], quarter_end=day, filing_date=filed
        )
    return row._replace(symbol=SYMBOLS[which], source=_SOURCES[number % 2], date=day)


def single_rows(aggregate: str) -> st.SearchStrategy[Any]:
    """A row of a table with any values there can be, of one of the tickers and institutions here."""
    price = st.none() | values.prices()
    count = st.none() | values.counts()
    symbol = st.sampled_from(SYMBOLS).flatmap(values.spelled)
    pairs = st.tuples(values.days(), values.days()).map(sorted)
    strategies: dict[str, st.SearchStrategy[Any]] = {
        "tickers": st.builds(Ticker, values.symbols(), values.company_names(), st.none()),
        "institutions": st.builds(Institution, values.ciks(), values.company_names()),
        "market": st.builds(_bar, symbol, values.days(), price, price, price, values.prices(), count),
        "holdings": st.builds(
            lambda symbol, cik, days, *rest: Holding(symbol, cik, *days, *rest),
            symbol,
            st.sampled_from(INSTITUTIONS),
            pairs,
            values.counts(),
            values.counts(),
            st.none() | values.percents(),
        ),
        "sentiment": st.builds(
            Sentiment,
            symbol,
            values.sources(),
            values.days(),
            values.counts(),
            st.none() | values.scores(),
        ),
    }
    return strategies[aggregate]


def _bar(
    symbol: str, day: date, opening: float | None, one: float | None, other: float | None, *rest: Any
) -> Bar:
    """A bar whose high is not below its low."""
    if one is not None and other is not None and one < other:
        one, other = other, one
    return Bar(symbol, day, opening, one, other, *rest)


@dataclass(frozen=True)
class Load:
    """``size`` rows of a table with keys of their own, made of ``seeds`` in turn, in an order.

    ``again`` has pairs of places: the key of the first comes once more behind the second, with other
    content. It prints short, and makes the same rows again.
    """

    aggregate: str
    seeds: tuple[Any, ...]
    size: int
    order: str
    again: tuple[tuple[int, int], ...]

    def rows(self) -> list[Any]:
        """The rows, in the order in which they are written."""
        numbers = list(range(self.size))
        symbols = len(SYMBOLS)
        if self.order == "by ticker":
            numbers.sort(key=lambda number: (number % symbols, number))
        elif self.order == "newest first":
            numbers.reverse()
        elif self.order == "shuffled":
            random.Random(self.size).shuffle(numbers)
        rows = [_keyed(self.seeds[number % len(self.seeds)], number) for number in numbers]
        for place, (first, behind) in enumerate(self.again):
            seed = self.seeds[place % len(self.seeds)]
            rows.insert(behind % self.size + 1, _keyed(seed, first % self.size))
        return rows


@st.composite
def loads(draw: st.DrawFn, aggregate: str, sizes: Sequence[int] = SIZES) -> Load:
    """A load of one table."""
    places = st.integers(0, max(sizes))
    return Load(
        aggregate=aggregate,
        seeds=tuple(draw(st.lists(single_rows(aggregate), min_size=1, max_size=6))),
        size=draw(st.sampled_from(tuple(sizes))),
        order=draw(st.sampled_from(ORDERS)),
        again=tuple(draw(st.lists(st.tuples(places, places), max_size=3))),
    )
