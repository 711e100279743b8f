"""The tickers: kept, folded, found, unique by symbol and by CUSIP."""

from __future__ import annotations

import copy
import sqlite3
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from repo import Database, Ticker, UniqueViolation, UnknownTicker
from repo.errors import Problem
from repo.repositories.cusips import clashes
from tests.builders import raw, seed

APPLE = Ticker("AAPL", "Apple Inc.", "037833100")
MICROSOFT = Ticker("MSFT", "Microsoft Corp.", "594918104")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_upsert_changes_name_and_cusip(db: Database) -> None:
    """A ticker that is there takes the new name and CUSIP, an absent one included, and counts."""
    db.tickers.upsert([APPLE, MICROSOFT])
    assert db.tickers.upsert([APPLE, MICROSOFT._replace(company_name="MS")]) == 1
    assert db.tickers.upsert([APPLE._replace(cusip=None)]) == 1
    assert db.tickers.upsert([APPLE._replace(cusip=None)]) == 0
    assert db.tickers.all() == [APPLE._replace(cusip=None), MICROSOFT._replace(company_name="MS")]
    assert db.tickers.upsert([APPLE]) == 1
    assert db.tickers.get("AAPL") == APPLE


def test_symbols_and_cusips_are_folded(db: Database) -> None:
    """Letters of either case are one symbol, and one CUSIP, on every way in."""
    assert db.tickers.upsert([Ticker("brk.b", "B", "08467a702"), Ticker("BRK.B", "B", "08467A702")]) == 1
    assert db.tickers.all() == [Ticker("BRK.B", "B", "08467A702")]
    assert db.tickers.get("Brk.b").symbol == "BRK.B"
    assert db.tickers.upsert([Ticker("brk.B", "B", "08467a702")]) == 0


def test_an_unknown_ticker(db: Database) -> None:
    """What is not there is named, folded."""
    seed(db)
    with pytest.raises(UnknownTicker, match=r"^unknown ticker: NOPE$") as raised:
        db.tickers.get("nope")
    assert raised.value.missing == ("NOPE",)


def test_all_come_by_symbol(db: Database) -> None:
    """The order is that of code points, the same on both engines; an empty table is an empty list."""
    assert db.tickers.all() == []
    symbols = ["B", "AA", "A0", "A.B", "A-B", "A", "-A", "9", "Z", "BRK.B", "BRKB", "BRK-B"]
    db.tickers.upsert(Ticker(symbol, "Somebody") for symbol in symbols)
    assert [ticker.symbol for ticker in db.tickers.all()] == sorted(symbols)


def test_one_cusip_is_of_one_ticker(db: Database, url: str) -> None:
    """A second ticker with a CUSIP is refused with all that came with it, however many."""
    db.tickers.upsert([APPLE])
    many = [Ticker(f"N{number}", "New") for number in range(1500)]
    for beside in ([], many[:50], many):
        with pytest.raises(UniqueViolation) as raised:
            db.tickers.upsert([*beside, Ticker("FAKE", "Fake Inc.", APPLE.cusip), *beside])
        expected = sqlite3.IntegrityError if db.dialect == "sqlite" else psycopg.errors.UniqueViolation
        assert type(raised.value.__cause__) is expected
        row = len(beside)
        assert raised.value.problems == (
            Problem(
                row,
                "cusip",
                "037833100",
                "is the CUSIP of AAPL, in the database; FAKE cannot have it too",
            ),
        )
        assert str(raised.value).startswith(f"row {row}: cusip = '037833100': is the CUSIP of AAPL")
        assert raw(url, "SELECT COUNT(*) FROM tickers") == [(1,)]
    with pytest.raises(UniqueViolation) as raised:
        db.tickers.upsert([MICROSOFT, Ticker("FAKE", "Fake Inc.", MICROSOFT.cusip)])
    assert str(raised.value) == (
        "row 1: cusip = '594918104': is the CUSIP of MSFT, in row 0; FAKE cannot have it too"
    )
    assert copy.copy(raised.value).problems == raised.value.problems  # as between processes
    assert db.tickers.all() == [APPLE]


@pytest.mark.parametrize("beside", [0, 60, 1500])
def test_a_cusip_can_be_handed_on(db: Database, beside: int) -> None:
    """Rows are written in the order given: a CUSIP that was freed before it is taken is free."""
    others = [Ticker(f"N{number}", "New") for number in range(beside)]
    db.tickers.upsert([APPLE])
    freed = Ticker("AAPL", "Apple Inc.")
    taken = Ticker("AAA", "Heir", APPLE.cusip)
    with pytest.raises(UniqueViolation):
        db.tickers.upsert([taken, *others, freed])
    assert db.tickers.all() == [APPLE]
    assert db.tickers.upsert([freed, *others, taken]) == 2 + beside
    assert db.tickers.get("AAA") == taken


@pytest.mark.parametrize("times", [1, 1500])
def test_of_a_symbol_that_comes_again_only_the_last_cusip_counts(db: Database, times: int) -> None:
    """A row whose CUSIP is another's does no harm where a later row of its ticker takes its place."""
    db.tickers.upsert([APPLE])
    others = [Ticker(f"N{number}", "New") for number in range(times)]
    rows = [Ticker("FAKE", "Fake Inc.", APPLE.cusip), *others, Ticker("FAKE", "Fake Inc.")]
    assert db.tickers.upsert(iter(rows)) == times + 1
    assert db.tickers.get("FAKE").cusip is None


def test_a_cusip_that_is_free_by_then_clashes_with_nothing() -> None:
    """Beside a row that does clash: rows are gone through in order, each with what it frees."""
    there = [Ticker("FB", "Facebook", "111111111"), Ticker("A", "A", "222222222")]
    rows = [(0, "FB", "333333333"), (1, "META", "111111111"), (2, "B", "222222222"), (3, "A", None)]
    (clash,) = clashes(there, rows)
    assert (clash.row, clash.symbol, clash.owner) == (2, "B", "A")


def test_a_clash_inside_a_transaction_leaves_it_whole(db: Database) -> None:
    """The rows are named as the transaction sees them, and it goes on without the write that failed."""
    with db.transaction() as tx:
        tx.tickers.upsert([APPLE])
        with pytest.raises(UniqueViolation, match=r"^row 0: .* is the CUSIP of AAPL, in the database"):
            tx.tickers.upsert(Ticker(name, "Fake", APPLE.cusip) for name in ("FAKE", "MORE"))
        tx.tickers.upsert([MICROSOFT])
    assert db.tickers.all() == [APPLE, MICROSOFT]


def test_created_at_is_now_in_utc_and_stays(db: Database, url: str) -> None:
    """A ticker's row says when it came, in UTC, and a change later does not touch that."""
    second = timedelta(seconds=1)
    before = datetime.now(UTC) - second
    db.tickers.upsert([APPLE])
    ((made,),) = raw(url, "SELECT created_at FROM tickers")
    when = EPOCH + timedelta(microseconds=made) if db.dialect == "sqlite" else made
    assert before <= when <= datetime.now(UTC) + second
    db.tickers.upsert([APPLE._replace(company_name="Apple")])
    assert raw(url, "SELECT created_at FROM tickers") == [(made,)]
