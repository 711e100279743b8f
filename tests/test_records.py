"""Values that are stored in another form than they are given, and what errors say of refused ones."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

import repo
from repo import Bar, Database, Holding, Institution, InvalidRecord, Sentiment, Ticker
from tests.builders import DAY, bar, holding, seed, sentiment


@pytest.fixture
def kept(db: Database) -> Database:
    """A database with two tickers and two institutions."""
    seed(db)
    return db


@pytest.mark.parametrize(
    ("row", "field", "given", "stored"),
    [
        (sentiment("MSFT"), "score", -0.0, 0.0),
        (sentiment("MSFT"), "score", 1, 1.0),
        (holding("MSFT"), "ownership_percent", -0.0, 0.0),
        (holding("MSFT"), "ownership_percent", 100, 100.0),
        (bar("MSFT"), "close", 2, 2.0),
        (bar("MSFT"), "symbol", "msft", "MSFT"),
    ],
)
def test_values_that_are_made_alike(
    kept: Database, row: Any, field: str, given: Any, stored: Any
) -> None:
    """-0.0 is kept as 0.0, whole ints for prices as floats, symbols in upper case, however many."""
    kind = {Bar: "market", Holding: "holdings", Sentiment: "sentiment"}[type(row)]
    upsert = getattr(kept, kind).upsert
    for times in (1, 150):
        upsert([row._replace(**{field: given})] * times)
        (found,) = getattr(kept, kind).history("MSFT")
        assert repr(getattr(found, field)) == repr(stored)
    assert upsert([row._replace(**{field: stored})]) == 0


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (bar()._replace(high=1.0, low=1.5), "high", "must not be below low (1.5)"),
        (holding(filed_after=-1), *("filing_date", "must not be below quarter_end (2010-01-04)")),
    ],
)
def test_fields_in_reverse(kept: Database, row: Any, field: str, reason: str) -> None:
    """A high below the low and a filing before its quarter's end are refused, wherever they stand."""
    kind = "market" if type(row) is Bar else "holdings"
    good = bar() if kind == "market" else holding()
    for rows in ([row], [good] * 150 + [row]):
        with pytest.raises(InvalidRecord) as raised:
            getattr(kept, kind).upsert(rows)
        assert (raised.value.row, raised.value.field) == (len(rows) - 1, field)
        assert raised.value.reason == reason


def test_fields_on_the_edge_of_reverse(db: Database) -> None:
    """High may equal low, one of them may be absent, and a filing may be on the quarter's last day."""
    seed(db)
    bars = [
        bar()._replace(date=DAY + timedelta(number), high=high, low=low)
        for number, (high, low) in enumerate([(1.0, 1.0), (None, 9.0), (1.0, None), (None, None)])
    ]
    assert db.market.upsert(bars) == 4
    assert db.market.history("AAPL") == bars
    assert db.holdings.upsert([holding(filed_after=0)]) == 1


def test_numpy_numbers(db: Database) -> None:
    """Scalars of numpy, which a DataFrame gives, are taken as the numbers they are, or refused."""
    numpy = pytest.importorskip("numpy")
    seed(db)
    plain = Bar("AAPL", DAY, 1.5, 2.5, 0.5, 2.0, 7)
    row = plain._replace(**{name: numpy.float64(getattr(plain, name)) for name in plain._fields[2:6]})
    assert db.market.upsert([row._replace(volume=numpy.int64(7))] * 150) == 1
    assert list(map(repr, db.market.history("AAPL")[0])) == list(map(repr, plain))
    assert db.market.upsert([plain._replace(close=numpy.float32(2.0))]) == 0
    for volume in (numpy.int8(7), numpy.uint64(7), numpy.int32(7)):
        assert db.market.upsert([plain._replace(volume=volume)]) == 0
    bad = {
        "close": (numpy.float64("nan"), numpy.bool_(True), numpy.str_("2"), numpy.array([2.0])),
        "volume": (numpy.uint64(2**63), numpy.float64(7.0), numpy.bool_(True), numpy.array(["7"])),
        "date": (numpy.datetime64("2020-01-02"),),
    }
    for name, values in bad.items():
        for value in values:
            with pytest.raises(InvalidRecord, match=f"^row 0: {name} = "):
                db.market.upsert([plain._replace(**{name: value})])
    assert db.market.history("AAPL") == [plain]


def test_an_error_shows_a_long_value_in_short(kept: Database) -> None:
    """The error holds the value whole; its message shows the start of it."""
    with pytest.raises(InvalidRecord) as raised:
        kept.tickers.upsert([Ticker("NEW", "x" * 5000)])
    assert raised.value.value == "x" * 5000
    assert len(str(raised.value)) < 200


def test_errors_can_be_copied(kept: Database) -> None:
    """An error keeps what it names when it is copied, or sent from one process to another."""
    with pytest.raises(InvalidRecord) as invalid:
        kept.market.upsert([bar(volume=-1)])
    other = copy.copy(invalid.value)
    assert (other.problems, str(other)) == (invalid.value.problems, str(invalid.value))
    with pytest.raises(repo.UnknownTicker) as unknown:
        kept.tickers.get("NOPE")
    again = copy.copy(unknown.value)
    assert (again.missing, str(again)) == (("NOPE",), str(unknown.value))


@pytest.mark.parametrize(
    ("record", "fields", "optional"),
    [
        (Ticker, "symbol company_name cusip", 1),
        (Institution, "cik name", 0),
        (Bar, "symbol date open high low close volume", 0),
        (Holding, "symbol cik quarter_end filing_date shares_held market_value ownership_percent", 1),
        (Sentiment, "symbol source date interest score", 1),
        (repo.Coverage, "symbol first last rows", 0),
        (
            repo.Summary,
            "symbol first last rows open high low close volume average_close average_volume",
            0,
        ),
        (repo.Point, "date close interest shares_held", 0),
        (
            repo.Divergence,
            "symbol as_of flow interest_change price_return institutional_rank retail_rank divergence",
            0,
        ),
    ],
)
def test_the_fields_of_records(record: Any, fields: str, optional: int) -> None:
    """Records are named tuples of the fields promised; the last may be left out where it may be None."""
    assert record._fields == tuple(fields.split())
    assert list(record._field_defaults.values()) == [None] * optional
