"""Calls that must fail: alike on both engines, inside a transaction and outside, without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, Final

import repo
from repo import Ticker
from tests import strategies
from tests.equivalence.engines import Engines
from tests.equivalence.exact import Outcome, outcome
from tests.equivalence.loads import referred, write_referred
from tests.equivalence.model import AGGREGATES, Refused, Rows

__all__ = ["DAY", "GOOD", "as_foreseen", "fails", "others", "start"]

DAY: Final = date(2020, 3, 31)

GOOD: Final[dict[str, Any]] = {name: strategies.GOOD[record] for name, record in AGGREGATES.items()}
"""A row of each table that nothing is wrong with."""

_AFTER: Final = Ticker("AFTER", "written after the error, in the same transaction")


def start(engines: Engines) -> Rows:
    """Both engines and the model with a row or more in every table."""
    engines.clear()
    rows = referred()
    for db in engines.both:
        write_referred(db)
    for aggregate, good in GOOD.items():
        rows.upsert(aggregate, [good])
        for db in engines.both:
            getattr(db, aggregate).upsert([good])
    return rows


def _inside(db: repo.Database, bad: Callable[[repo.Database], Any]) -> Outcome:
    """A call inside a transaction which then goes on, and commits."""
    with db.transaction():
        found = outcome(lambda: bad(db))
        db.tickers.upsert([_AFTER])
    return found


def fails(engines: Engines, rows: Rows, bad: Callable[[repo.Database], Any], *, inside: bool) -> Outcome:
    """The error that a call raises on both, which has left no trace."""
    if inside:
        rows.upsert("tickers", [_AFTER])
        found: Outcome = engines.same(lambda db: _inside(db, bad)).answer
    else:
        found = engines.same(bad)
    assert found.error is not None, f"nothing was raised: {found.value}"
    assert engines.dump() == rows.dump()
    return found


def as_foreseen(
    engines: Engines, rows: Rows, aggregate: str, batch: Callable[[], Iterable[Any]], *, inside: bool
) -> None:
    """Write rows to both, or fail to, as the model foresees it; all three hold the same afterwards."""

    def write(db: repo.Database) -> Any:
        return getattr(db, aggregate).upsert(batch())

    foreseen: Refused | None = None
    written = None
    try:
        written = rows.upsert(aggregate, batch())
    except Refused as refused:
        foreseen = refused
    if foreseen is None:
        assert engines.same(write).answer == written
        assert engines.dump() == rows.dump()
        return
    found = fails(engines, rows, write, inside=inside)
    assert found.error == foreseen.error
    assert not foreseen.missing or found.fields[0] == foreseen.missing


def others(aggregate: str, size: int) -> list[Any]:
    """So many good rows with keys of their own."""
    good = GOOD[aggregate]
    days = [date.fromordinal(DAY.toordinal() + number) for number in range(size)]
    make: dict[str, Callable[[int], Any]] = {
        "tickers": lambda number: good._replace(symbol=f"N{number}"),
        "institutions": lambda number: good._replace(cik=number + 1),
        "market": lambda number: good._replace(date=days[number], close=2.0),
        "holdings": lambda number: good._replace(filing_date=days[number], shares_held=1),
        "sentiment": lambda number: good._replace(date=days[number], interest=1),
    }
    return [make[aggregate](number) for number in range(size)]
