"""The holdings: every filing kept, and what was known on a day."""

from __future__ import annotations

from datetime import date

import pytest

from repo import Database, Institution, UnknownTicker
from tests.builders import DAY, day, holding, seed


def test_an_amendment_is_a_row_of_its_own(db: Database) -> None:
    """A later filing for the same quarter is kept beside the first; the same day's replaces it."""
    seed(db)
    assert db.holdings.upsert([holding(), holding(filed_after=50), holding(shares_held=11)]) == 2
    assert db.holdings.history("AAPL") == [holding(shares_held=11), holding(filed_after=50)]


def test_history_by_quarter_institution_and_filing(db: Database) -> None:
    """Filings come by quarter end, CIK and filing date; both ends of the range are included."""
    seed(db)
    db.institutions.upsert([Institution(10, "Ten"), Institution(9, "Nine")])
    rows = [
        holding(cik=cik, quarter_end=day(quarter), filed_after=wait)
        for quarter in (0, 90, 180)
        for cik in (1, 9, 10)
        for wait in (0, 45, 300)
    ]
    db.holdings.upsert(reversed(rows))
    assert db.holdings.history("aapl") == rows
    assert db.holdings.history("AAPL", day(90), day(180)) == rows[9:]
    assert db.holdings.history("AAPL", end=day(90)) == rows[:18]
    assert db.holdings.history("AAPL", day(90), day(90)) == rows[9:18]
    assert db.holdings.history("AAPL", day(91), day(179)) == []
    assert db.holdings.history("AAPL", day(180), day(90)) == []


def test_known_on_a_day(db: Database) -> None:
    """Only filings up to the day count, the last of each institution, of the newest quarter known."""
    seed(db)
    first = holding(cik=2, shares_held=1)
    amended = holding(cik=2, filed_after=60, shares_held=2)
    other = holding(cik=1, filed_after=50, shares_held=3)
    newer = holding(cik=2, quarter_end=day(90), filed_after=10, shares_held=0)
    late = holding(cik=1, filed_after=120, shares_held=9)
    db.holdings.upsert([first, amended, other, newer, late])
    assert db.holdings.known("AAPL", day(44)) == []
    assert db.holdings.known("AAPL", day(45)) == [first]
    assert db.holdings.known("AAPL", day(59)) == [other, first]
    assert db.holdings.known("aapl", day(60)) == [other, amended]
    assert db.holdings.known("AAPL", day(99)) == [other, amended]
    assert db.holdings.known("AAPL", day(100)) == [newer]
    assert db.holdings.known("AAPL", date.max) == [newer]
    assert db.holdings.known("AAPL", date.min) == []


def test_unknown_and_empty(db: Database) -> None:
    """An unknown symbol is an error that names it; a known one without filings is an empty list."""
    seed(db)
    for read in (db.holdings.history, lambda symbol: db.holdings.known(symbol, DAY)):
        with pytest.raises(UnknownTicker) as raised:
            read("nope")
        assert raised.value.missing == ("NOPE",)
        assert read("msft") == []
