"""The rows that are measured with: made up, and the same in every run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Final

from repo import Bar, Holding, Institution, Sentiment, Ticker

__all__ = [
    "FULL",
    "LAST_DAY",
    "QUICK",
    "SIZES",
    "SOURCE",
    "TINY",
    "WINDOW_DAYS",
    "Data",
    "Sizes",
    "bars",
    "days_until",
    "holdings",
    "institutions",
    "quarters",
    "sentiment",
    "symbols",
    "tickers",
]

LAST_DAY: Final = date(2025, 12, 31)
SOURCE: Final = "searches"
WINDOW_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything. ``days`` are the bars of a ticker where bars are read."""

    name: str
    tickers: int = 500
    days: int = 2_000
    history_days: int = 1_500
    load_days: int = 1_000
    institutions: int = 100
    calls: int = 100
    reads: int = 25
    writes: int = 10
    large_tickers: int = 5_000
    large_institutions: int = 100
    large_share: float = 0.25
    large_interest_days: int = 300
    csv_rows: int = 10_000_000

    @property
    def load_rows(self) -> int:
        """How many bars are loaded."""
        return self.tickers * self.load_days


FULL: Final = Sizes("full")
QUICK: Final = Sizes(
    "quick",
    tickers=60,
    days=1_500,
    load_days=100,
    institutions=30,
    calls=40,
    reads=5,
    writes=3,
    large_tickers=400,
    large_institutions=20,
    csv_rows=200_000,
)
TINY: Final = Sizes(
    "tiny",
    tickers=4,
    days=220,
    history_days=200,
    load_days=30,
    institutions=4,
    calls=2,
    reads=2,
    writes=2,
    large_tickers=30,
    large_institutions=4,
    csv_rows=2_000,
)
SIZES: Final = {sizes.name: sizes for sizes in (FULL, QUICK, TINY)}


def symbols(count: int) -> list[str]:
    """That many symbols, sorted."""
    return [f"T{number:05d}" for number in range(count)]


def tickers(names: list[str]) -> list[Ticker]:
    """A ticker of each symbol."""
    return [Ticker(name, f"Company {name}") for name in names]


def institutions(count: int) -> list[Institution]:
    """That many institutions, by CIK."""
    return [Institution(1_000 + number, f"Institution {number}") for number in range(count)]


def days_until(last: date, count: int) -> list[date]:
    """That many days, the last of them ``last``."""
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]


def bars(names: list[str], days: list[date], seed: int = 1) -> Iterator[Bar]:
    """A bar of each ticker and day, by symbol and date; prices walk in cents."""
    for name in names:
        random = Random(f"{seed} bars {name}").random
        close = 20.0 + 200.0 * random()
        for day in days:
            opened = close
            close = round(max(1.0, opened * (0.98 + 0.0401 * random())), 2)
            high = round(max(opened, close) * (1.0 + 0.01 * random()), 2)
            low = round(min(opened, close) * (1.0 - 0.01 * random()), 2)
            yield Bar(name, day, opened, high, low, close, int(5_000_000 * random()))


def quarters(last: date, count: int) -> list[date]:
    """That many quarter ends before a day, in order."""
    ends = [
        date(year, month, day)
        for year in range(last.year - count // 4 - 1, last.year + 1)
        for month, day in ((3, 31), (6, 30), (9, 30), (12, 31))
    ]
    return [end for end in ends if end < last][-count:]


def holdings(
    names: list[str], ciks: list[int], ends: list[date], share: float = 1.0, seed: int = 2
) -> Iterator[Holding]:
    """Filings by symbol, quarter and CIK.

    Of the pairs of ticker and institution a ``share`` is held, the same in every quarter; one filing
    in fifty is amended a week later.
    """
    for name in names:
        random = Random(f"{seed} holdings {name}").random
        holders = [(cik, int(1_000_000 * random()) + 1) for cik in ciks if random() < share]
        for end in ends:
            for cik, base in holders:
                shares = int(base * (0.5 + random()))
                filed = end + timedelta(days=20 + int(25 * random()))
                yield Holding(name, cik, end, filed, shares, shares * 50, round(100 * random(), 2))
                if random() < 0.02:
                    later = filed + timedelta(days=7)
                    yield Holding(name, cik, end, later, shares + 10, shares * 50 + 500)


def sentiment(names: list[str], days: list[date], seed: int = 3) -> Iterator[Sentiment]:
    """A row of each ticker and day, of one source."""
    for name in names:
        random = Random(f"{seed} sentiment {name}").random
        level = 10 + int(1_000 * random())
        for day in days:
            interest = int(level * (0.5 + random()))
            yield Sentiment(name, SOURCE, day, interest, round(2.0 * random() - 1.0, 3))


@dataclass(slots=True)
class Data:
    """The rows of one run, made once and handed to every contestant."""

    sizes: Sizes
    symbols: list[str] = field(init=False)
    days: list[date] = field(init=False)
    bars: list[Bar] = field(init=False)
    load: list[Bar] = field(init=False)
    changed: list[Bar] = field(init=False)

    def __post_init__(self) -> None:
        sizes = self.sizes
        self.symbols = symbols(sizes.tickers)
        self.days = days_until(LAST_DAY, sizes.days)
        self.bars = list(bars(self.symbols, self.days))
        first = self.days[-sizes.load_days]
        self.load = [bar for bar in self.bars if bar.date >= first]
        self.changed = [
            bar._replace(volume=(bar.volume or 0) + 1) if number % 100 == 0 else bar
            for number, bar in enumerate(self.load)
        ]

    @property
    def history_start(self) -> date:
        """The first day of a history that is asked for; it ends with the last day."""
        return self.days[-self.sizes.history_days]

    def one_day(self, number: int) -> list[Bar]:
        """Bars of the day after the last, different for every ``number``."""
        day = self.days[-1] + timedelta(days=1)
        return [
            Bar(name, day, 10.0, 12.0, 9.0, 10.0 + (number % 100) / 100.0, number)
            for name in self.symbols
        ]
