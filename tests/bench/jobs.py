"""The jobs that every contestant does: what is asked, how often, and what the answer has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from repo import Bar
from tests.bench.contestants import Contestant
from tests.bench.data import LAST_DAY, Data, Sizes

__all__ = [
    "CONCURRENT",
    "LARGE",
    "OPEN_CLOSE",
    "READERS",
    "READS",
    "TITLES",
    "WRITES",
    "Read",
    "Write",
    "symbol_of",
]

OPEN_CLOSE: Final = "open_close"
CONCURRENT: Final = "concurrent"
LARGE: Final = ("frame", "ranking_large", "csv_memory", "csv_files", "csv_changed")
READERS: Final = 8


@dataclass(frozen=True, slots=True)
class Read:
    """A question: ``run`` is measured ``calls`` times a round, ``plain`` makes its answer comparable.

    ``plain`` is given the symbol that was asked for, where one was.
    """

    name: str
    run: Callable[[Contestant, Data, int], Any]
    plain: Callable[[Contestant, Any, str], Any]
    calls: Callable[[Sizes], int]


@dataclass(frozen=True, slots=True)
class Write:
    """A change: ``run`` gives how many rows, ``count`` is how many it has to be.

    ``after`` are the bars that have to be there afterwards.
    """

    name: str
    run: Callable[[Contestant, Data], int | None]
    count: Callable[[Data], int]
    after: Callable[[Data], list[Bar]]


def symbol_of(data: Data, number: int) -> str:
    """The ticker that a call asks for, of what is asked of one."""
    return data.symbols[number * 7 % len(data.symbols)]


def _of_ticker(contestant: Contestant, native: Any, symbol: str) -> list[tuple[Any, ...]]:
    return [contestant.of_ticker(row, symbol) for row in native]


READS: Final = (
    Read(
        "latest",
        lambda contestant, data, number: contestant.latest(symbol_of(data, number)),
        lambda contestant, native, symbol: contestant.of_ticker(native, symbol),
        lambda sizes: sizes.calls,
    ),
    Read(
        "history",
        lambda contestant, data, number: contestant.history(
            symbol_of(data, number), data.history_start, data.days[-1]
        ),
        _of_ticker,
        lambda sizes: max(2, sizes.calls // 20),
    ),
    Read(
        "cross_section",
        lambda contestant, data, number: contestant.cross_section(data.days[-1 - number]),
        lambda contestant, native, _: [contestant.bar(row) for row in native],
        lambda sizes: max(2, sizes.calls // 20),
    ),
    Read(
        "summary",
        lambda contestant, data, number: contestant.summary(
            symbol_of(data, number), data.history_start, data.days[-1]
        ),
        lambda contestant, native, _: contestant.row(native, 1, 2),
        lambda sizes: max(2, sizes.calls // 20),
    ),
    Read(
        "ranking",
        lambda contestant, data, number: contestant.ranking(LAST_DAY),
        lambda contestant, native, _: [contestant.row(row, 1) for row in native],
        lambda sizes: 1,
    ),
)


def _range(data: Data) -> tuple[list[str], date, date]:
    """What is deleted: a third of the loaded days of a tenth of the tickers."""
    names = data.symbols[:: max(1, len(data.symbols) // max(1, len(data.symbols) // 10))]
    last = data.sizes.load_days // 3
    loaded = data.days[-data.sizes.load_days :]
    return names, loaded[0], loaded[last - 1]


def _gone(data: Data, bar: Bar) -> bool:
    names, first, last = _range(data)
    return bar.symbol in names and first <= bar.date <= last


def _delete(contestant: Contestant, data: Data) -> int | None:
    names, first, last = _range(data)
    counts = [contestant.delete(name, first, last) for name in names]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _deleted(data: Data) -> int:
    names, _, _ = _range(data)
    return len(names) * (data.sizes.load_days // 3)


WRITES: Final = (
    Write(
        "load",
        lambda contestant, data: contestant.load(data.load),
        lambda data: len(data.load),
        lambda data: data.load,
    ),
    Write(
        "load_again",
        lambda contestant, data: contestant.load(data.load),
        lambda data: 0,
        lambda data: data.load,
    ),
    Write(
        "load_changed",
        lambda contestant, data: contestant.load(data.changed),
        lambda data: (len(data.changed) + 99) // 100,
        lambda data: data.changed,
    ),
    Write(
        "delete",
        _delete,
        _deleted,
        lambda data: [bar for bar in data.changed if not _gone(data, bar)],
    ),
)
"""In this order, each on what the one before left."""

TITLES: Final = {
    OPEN_CLOSE: "open and close",
    "latest": "one bar by key: the last of one ticker",
    "history": "one ticker's history",
    "cross_section": "one day of all tickers",
    "summary": "a summary of one ticker",
    "ranking": "the ranking of all tickers",
    "load": "load new bars into an empty table",
    "load_again": "load the same bars again",
    "load_changed": "load them with 1 % changed",
    "delete": "delete a range of a tenth of the tickers",
    CONCURRENT: f"{READERS} threads read histories while one writes days, connecting included",
    "frame": "all bars as one Arrow table, against a list of records",
    "ranking_large": "the ranking of many, against pandas over rows read through SQLAlchemy Core",
    "csv_memory": "load a CSV file, by its memory",
    "csv_files": "load three CSV files at once, more than the cache holds, against one after the other",
    "csv_changed": "load a CSV file in which every bar is changed, against one of new bars",
}
"""Every job, in the order of the report."""
