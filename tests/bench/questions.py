"""The questions that are asked of databases of every size, and what such a database is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from repo import Bar, Database
from repo.validation import INT64_MAX
from tests.bench import data
from tests.bench.contestants.base import ranking_parameters

__all__ = ["QUESTIONS", "Filled", "Question"]

_CHANGED: Final = 50_000
_CALLS: Final = 20


@dataclass(slots=True)
class Filled:
    """A database of one size: what is in it, what filling it took, and its plans by question."""

    size: int
    url: str
    symbols: list[str]
    days: list[date]
    holdings: int = 0
    fill_seconds: float = 0.0
    disk: int = 0
    plans: dict[str, list[str]] = field(default_factory=dict)

    def symbol(self, number: int) -> str:
        """A ticker; another one for every number."""
        return self.symbols[number * 37 % len(self.symbols)]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, the query that answers it with its parameters, and how often in a round.

    ``ask`` takes the database, what is in it, how many days a range has, and a number: that of the call
    in its round, or for what writes, which has no query, that of the round.
    """

    ask: Callable[[Database, Filled, int, int], Any]
    query: str | None = None
    parameters: Callable[[Filled, int], dict[str, Any]] = lambda filled, days: {}
    calls: int = _CALLS


def _range(filled: Filled, days: int) -> dict[str, Any]:
    return {"symbol": filled.symbol(3), "start": filled.days[-days], "end": filled.days[-1]}


def _changed(filled: Filled, number: int) -> Iterator[Bar]:
    """Other bars for the newest days of every ticker, 50,000 in all where there are so many."""
    days = filled.days[-max(1, _CHANGED // len(filled.symbols)) :]
    for name in filled.symbols:
        for day in days:
            yield Bar(name, day, 10.0, 12.0, 9.0, 11.0, number)


def _next_day(filled: Filled, number: int) -> Iterator[Bar]:
    """The day after the last that is there, of every ticker."""
    day = filled.days[-1] + timedelta(days=number)
    for name in filled.symbols:
        yield Bar(name, day, 10.0, 12.0, 9.0, 11.0, 1_000)


QUESTIONS: Final[dict[str, Question]] = {
    "history": Question(
        lambda db, filled, days, number: db.market.history(
            filled.symbol(number), filled.days[-days], filled.days[-1]
        ),
        "market.history",
        _range,
    ),
    "latest": Question(
        lambda db, filled, days, number: db.market.latest([filled.symbol(number)]),
        "market.latest_one",
        lambda filled, days: {"symbol": filled.symbol(3)},
        10 * _CALLS,
    ),
    "cross_section": Question(
        lambda db, filled, days, number: db.market.on(filled.days[-1 - number % days]),
        "market.on_day",
        lambda filled, days: {"date": filled.days[-1]},
        3,
    ),
    "summary": Question(
        lambda db, filled, days, number: db.market.summary(
            filled.symbol(number), filled.days[-days], filled.days[-1]
        ),
        "market.summary",
        _range,
    ),
    "coverage": Question(
        lambda db, filled, days, number: db.market.coverage(),
        "market.coverage",
        calls=1,
    ),
    "ranking": Question(
        lambda db, filled, days, number: db.divergence.ranking(
            data.LAST_DAY, data.SOURCE, data.WINDOW_DAYS
        ),
        "divergence.ranking",
        lambda filled, days: ranking_parameters(data.LAST_DAY) | {"limit": INT64_MAX},
        calls=1,
    ),
    "one more day": Question(
        lambda db, filled, days, number: db.market.upsert(_next_day(filled, number)), calls=1
    ),
    f"{_CHANGED:,} changed": Question(
        lambda db, filled, days, number: db.market.upsert(_changed(filled, number)), calls=1
    ),
}
