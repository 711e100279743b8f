"""The partial index over the bars of the last months, which :mod:`repo.maintenance` makes and renews.

``CREATE INDEX ... WHERE date >= CURRENT_DATE - 90`` is refused, because that changes from day to day. So
the first day is written out, in the predicate and in the name, and another index replaces it once it is
old. It belongs to no migration: with it or without it, the schema is as expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any, Final

from repo.engine.maintenance import Task
from repo.queries import RunQuery

_TABLE: Final = "market_data"
_ROWS: Final = 500_000
"""The fewest bars for it: of fewer, the last months are a large part."""
_DAYS: Final = 90
"""How many days it reaches back from the newest bar when it is made."""
_SPARE_DAYS: Final = 30
"""How many days more, or fewer, it may come to reach back."""
_NAME: Final = re.compile(rf"(?:.*\.)?{_TABLE}_recent_(\d{{8}})", re.ASCII)


def day_of(index: str) -> date | None:
    """The first day of such an index, by its name; None for any other index."""
    found = _NAME.fullmatch(index)
    try:
        return None if found is None else date.fromisoformat(found[1])
    except ValueError:
        return None


def tasks(ask: RunQuery, tables: Iterable[Any], invalid: Iterable[str]) -> Iterator[Task]:
    """Make one if none reaches back as far as it should, then drop the others.

    :param tables: rows of ``server.tables``.
    :param invalid: the names of indexes that no query can use.
    """
    table = next((each for each in tables if each.name.rpartition(".")[2] == _TABLE), None)
    if table is None:
        return
    unusable = {*invalid}
    there = {
        each.name: day
        for each in ask("server.partial_indexes", table=table.name)
        if each.name not in unusable and (day := day_of(each.name)) is not None
    }
    newest = ask("server.newest_bar") if there or table.rows >= _ROWS else None
    if newest is None:
        return
    first = newest - timedelta(days=_DAYS)
    spare = timedelta(days=_SPARE_DAYS)
    fitting = [name for name, day in there.items() if abs(first - day) <= spare]
    if fitting:
        best = max(fitting, key=lambda name: there[name])
        for name in there.keys() - {best}:
            yield Task(f"DROP INDEX CONCURRENTLY {name}", f"{best} has taken its place")
    elif table.rows >= _ROWS:
        since = ", ".join(f"{name} begins {day}" for name, day in there.items())
        yield Task(
            f"CREATE INDEX CONCURRENTLY {_TABLE}_recent_{first.isoformat().replace('-', '')}"
            f" ON {table.name} (date, ticker_id)"
            " INCLUDE (open, high, low, close, volume)"
            f" WHERE date >= DATE '{first}'",
            f"a recent day of all tickers lies together in it; {since or 'there is none'},"
            f" and the newest bar is of {newest}",
        )
