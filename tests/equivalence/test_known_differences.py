"""What is not the same on both engines; each test fails when a difference goes away.

None of these can be met through the repositories, which check the type of every argument. A query
that is called by its name takes any value that can be stored, and what a cast makes of a value of
another type is its engine's own: pass dates as dates and numbers as numbers.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from repo import Bar
from tests.equivalence.engines import Engines
from tests.equivalence.loads import write_referred

DAY = date(2020, 1, 1)
DAY_2020 = date(1975, 7, 14)
"""Two thousand and twenty days after 1970-01-01."""


@pytest.fixture
def bars(engines: Engines) -> Engines:
    """Both engines with a bar on either day."""
    engines.clear()
    for db in engines.both:
        write_referred(db)
        db.market.upsert([Bar("A", day, None, None, None, 1.0, None) for day in (DAY, DAY_2020)])
    return engines


def _days(engines: Engines, day: Any) -> list[Any]:
    """The days of the bars that ``market.on_day`` finds on each, or the error's class."""
    found = engines.outcomes(lambda db: db.queries.market.on_day(date=day))
    return [each.error or [bar.date for bar in each.answer] for each in found]


def test_an_int_for_a_date(bars: Engines) -> None:
    """SQLite takes it for days since 1970-01-01; PostgreSQL has no such cast."""
    assert _days(bars, 2020) == [[DAY_2020], "MigrationError"]


def test_a_text_for_a_date(bars: Engines) -> None:
    """SQLite takes the number it begins with for days since 1970-01-01; PostgreSQL reads the date."""
    assert _days(bars, "2020-01-01") == [[DAY_2020], [DAY]]


def test_a_time_stamp_for_a_date(bars: Engines) -> None:
    """SQLite takes its microseconds for days; PostgreSQL cuts the time of day off."""
    assert _days(bars, datetime(2020, 1, 1, 12, tzinfo=UTC)) == [[], [DAY]]


def test_a_text_for_a_number(bars: Engines) -> None:
    """SQLite takes a text that is no number for 0; PostgreSQL refuses it."""
    found = bars.outcomes(lambda db: db.queries.institutions.get(cik="none"))
    assert [each.error for each in found] == [None, "RepoError"]
