"""The jobs that every contestant does: what is asked, how often, and what the answer has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from repo import Bar
from tests.bench.contestants import Contestant
from tests.bench.data import Data, Sizes

OPEN_CLOSE: Final = "open_close"
CONCURRENT: Final = "concurrent"
LARGE: Final = ("frame", "ranking_large", "csv_memory")
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
)

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
)
"""In this order, each on what the one before left."""

TITLES: Final = {
    OPEN_CLOSE: "open and close",
    "latest": "one bar by key: the last of one ticker",
    "history": "one ticker's history",
    "load": "load new bars into an empty table",
    "load_again": "load the same bars again",
    "load_changed": "load them with 1 % changed",
    CONCURRENT: f"{READERS} threads read histories while one writes days, connecting included",
    "frame": "all bars as one Arrow table, against a list of records",
    "ranking_large": "the ranking of many, against pandas over rows read through SQLAlchemy Core",
    "csv_memory": "load a CSV file, by its memory",
}
"""Every job, in the order of the report."""
