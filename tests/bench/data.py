"""The rows that are measured with: made up, and the same in every run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from repo import Bar
from repo.sample import LAST_DAY, bars, days_until, symbols

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
