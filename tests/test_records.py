"""Which values are taken and which refused, of every field and of every argument of a read."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import repo
from repo import Bar, Database, Holding, Institution, InvalidRecord, Sentiment, Ticker
from tests import servers
from tests.builders import DAY, MAX, bar, content, holding, seed, sentiment

NAN = math.nan
INF = math.inf


class Text(str):
    """A string that is not quite one, as numpy's are."""

    __slots__ = ()


class Number(int):
    """An int that is not quite one."""


NO_TEXT = ("", "x\0y", "\ud800", "x\udfff", 5, 1.0, b"text", DAY, True, Text("AAPL"), ["AAPL"])
NO_CODE = (*NO_TEXT, "A B", "A\n", "\u00c4PL", "\u017f", "\uff21", "A%", "A_B", "A'B", " ", "$1")
NO_NUMBER = ("1", "", "nan", b"1", True, False, Decimal(1), Fraction(1), 1j, DAY, [1], Text("1"))
NO_INTEGER = (*NO_NUMBER, 1.0, 1.5, NAN, INF, Number(1), 2**63, 10**400, -1)
NO_DATE = (
    datetime(2020, 1, 2),  # naive on purpose
    datetime(2020, 1, 2, tzinfo=UTC),
    timedelta(1),
    *("2020-01-02", "today", "infinity", "01/02/2020", "", b"2020-01-02", 18_000, 1.5, NAN, True),
)
NO_PRICE = (*NO_NUMBER, NAN, INF, -INF, 0.0, -0.0, 0, -1.0, -5e-324, 1e12, 10**12, 2**63, 10**400)

BAD: Mapping[str, tuple[Any, ...]] = {
    "symbol": (*NO_CODE, "A" * 17),
    "cusip": (*NO_CODE, "03783310", "0378331000", "03783310-", 37_833_100, "\u0660" * 9),
    "name": (*NO_TEXT, " ", "\t\n", "x" * 301),
    "source": (*NO_TEXT, " ", "x" * 65),
    "cik": (*NO_INTEGER, 0, 10**10),
    "count": NO_INTEGER,
    "date": NO_DATE,
    "price": NO_PRICE,
    "percent": (*NO_NUMBER, NAN, INF, -INF, -5e-324, 100.00000000000001, -1, 101, 10**400),
    "score": (*NO_NUMBER, NAN, INF, -INF, -1.0000000000000002, 1.0000000000000002, 2, -2, 10**400),
    "days": (*NO_INTEGER, 0),
}
"""Of each kind of field what is refused; None is too, unless the field or argument is optional."""

GOOD: Mapping[str, tuple[Any, ...]] = {
    "symbol": ("A", "A" * 16, "BRK.B", "-", "0"),
    "cusip": ("000000012", "*@#AZ0189"),
    "name": ("x", "x" * 300, "Soci\u00e9t\u00e9 \U0001f600", " a ", "%s :name ' \" ; --", "NaN"),
    "source": ("x", "x" * 64, "google trends", "\u00fcber", ":date"),
    "cik": (1, 9_999_999_999),
    "count": (0, 1, 2**31, 2**53 + 1, MAX),
    "date": (date.min, date(1582, 10, 10), date(1970, 1, 1), date(2000, 2, 29), date.max),
    "price": (5e-324, 0.1, 1.0000000000000002, 999_999_999_999.9999),
    "percent": (0.0, 1e-300, 33.3, 100.0),
    "score": (-1.0, -0.1, 0.0, 1.0),
}
"""Of each kind of field values that are stored, and come back as they are."""

ROWS: Mapping[str, Any] = {
    "tickers": Ticker("NEW", "New Inc."),
    "institutions": Institution(77, "New"),
    "market": bar(),
    "holdings": holding(),
    "sentiment": sentiment(),
}
FIELDS = [
    ("tickers", "symbol", "symbol", False),
    ("tickers", "company_name", "name", False),
    ("tickers", "cusip", "cusip", True),
    ("institutions", "cik", "cik", False),
    ("institutions", "name", "name", False),
    ("market", "symbol", "symbol", False),
    ("market", "date", "date", False),
    ("market", "open", "price", True),
    ("market", "high", "price", True),
    ("market", "low", "price", True),
    ("market", "close", "price", False),
    ("market", "volume", "count", True),
    ("holdings", "symbol", "symbol", False),
    ("holdings", "cik", "cik", False),
    ("holdings", "quarter_end", "date", False),
    ("holdings", "filing_date", "date", False),
    ("holdings", "shares_held", "count", False),
    ("holdings", "market_value", "count", False),
    ("holdings", "ownership_percent", "percent", True),
    ("sentiment", "symbol", "symbol", False),
    ("sentiment", "source", "source", False),
    ("sentiment", "date", "date", False),
    ("sentiment", "interest", "count", False),
    ("sentiment", "score", "score", True),
]
ARGUMENTS: list[tuple[str, str, str, bool, Callable[[Database, Any], object]]] = [
    ("tickers.get", "symbol", "symbol", False, lambda db, bad: db.tickers.get(bad)),
    ("institutions.get", "cik", "cik", False, lambda db, bad: db.institutions.get(bad)),
    ("market.history", "symbol", "symbol", False, lambda db, bad: db.market.history(bad)),
    ("market.history", "start", "date", True, lambda db, bad: db.market.history("AAPL", bad)),
    ("market.history", "end", "date", True, lambda db, bad: db.market.history("AAPL", None, bad)),
    ("market.latest", "symbols", "symbol", False, lambda db, bad: db.market.latest(["AAPL", bad])),
    ("market.on", "date", "date", False, lambda db, bad: db.market.on(bad)),
    ("market.summary", "symbol", "symbol", False, lambda db, bad: db.market.summary(bad)),
    ("market.summary", "start", "date", True, lambda db, bad: db.market.summary("AAPL", bad)),
    ("market.summary", "end", "date", True, lambda db, bad: db.market.summary("AAPL", end=bad)),
    ("market.delete", "symbol", "symbol", False, lambda db, bad: db.market.delete(bad)),
    ("market.delete", "start", "date", True, lambda db, bad: db.market.delete("AAPL", bad)),
    ("market.delete", "end", "date", True, lambda db, bad: db.market.delete("AAPL", end=bad)),
    ("holdings.history", "symbol", "symbol", False, lambda db, bad: db.holdings.history(bad)),
    ("holdings.history", "start", "date", True, lambda db, bad: db.holdings.history("AAPL", bad)),
    ("holdings.history", "end", "date", True, lambda db, bad: db.holdings.history("AAPL", end=bad)),
    ("holdings.known", "symbol", "symbol", False, lambda db, bad: db.holdings.known(bad, DAY)),
    ("holdings.known", "as_of", "date", False, lambda db, bad: db.holdings.known("AAPL", bad)),
    ("sentiment.history", "symbol", "symbol", False, lambda db, bad: db.sentiment.history(bad)),
    ("sentiment.history", "start", "date", True, lambda db, bad: db.sentiment.history("AAPL", bad)),
    ("sentiment.history", "end", "date", True, lambda db, bad: db.sentiment.history("AAPL", end=bad)),
    (
        "sentiment.history",
        *("source", "source", True),
        lambda db, bad: db.sentiment.history("AAPL", source=bad),
    ),
    ("ranking", "as_of", "date", False, lambda db, bad: db.divergence.ranking(bad)),
    ("ranking", "source", "source", True, lambda db, bad: db.divergence.ranking(DAY, bad)),
    ("ranking", "window_days", "days", False, lambda db, bad: db.divergence.ranking(DAY, None, bad)),
    ("ranking", "limit", "count", True, lambda db, bad: db.divergence.ranking(DAY, limit=bad)),
    ("timeline", "symbol", "symbol", False, lambda db, bad: db.divergence.timeline(bad)),
    ("timeline", "start", "date", True, lambda db, bad: db.divergence.timeline("AAPL", bad)),
    ("timeline", "end", "date", True, lambda db, bad: db.divergence.timeline("AAPL", end=bad)),
    ("timeline", "source", "source", True, lambda db, bad: db.divergence.timeline("AAPL", source=bad)),
]


@pytest.fixture(scope="module")
def kept_url(
    backend: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The URL of one database for all of these tests, for most of them write nothing."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('records') / 'kept.db'}"
        return
    server: servers.Server = request.getfixturevalue("server")
    name = server.create()
    yield server.url_of(name, min_size="1")
    server.drop(name)


@pytest.fixture(scope="module")
def kept(kept_url: str) -> Iterator[Database]:
    """That database, with a row in every table."""
    with repo.connect(kept_url) as db:
        db.migrate()
        seed(db)
        db.market.upsert([bar()])
        db.holdings.upsert([holding()])
        db.sentiment.upsert([sentiment()])
        yield db


def refusal(call: Callable[..., object], *arguments: Any) -> InvalidRecord | str:
    """The InvalidRecord that a call ends with, or else what it did."""
    try:
        call(*arguments)
    except InvalidRecord as invalid:
        return invalid
    except Exception as error:  # whatever it is, the test tells which value it came from
        return f"raised {error!r}"
    return "was taken"


@pytest.mark.parametrize(("kind", "field", "values", "optional"), FIELDS)
def test_bad_values_of_a_field(
    kept: Database, kept_url: str, kind: str, field: str, values: str, optional: bool
) -> None:
    """Every bad value is refused by row, field, value and reason, alone and among good rows."""
    good = ROWS[kind]
    upsert = getattr(kept, kind).upsert
    before = content(kept_url)
    wrong = []
    for bad in BAD[values] if optional else (None, *BAD[values]):
        rows = [good._replace(**{field: bad})]
        for place, among in ((0, rows), (1, [good, *rows, good]), (1500, [good] * 1500 + rows)):
            found = refusal(upsert, among)
            if isinstance(found, str):
                wrong.append((bad, found))
            elif (found.row, found.field, found.value) != (place, field, bad) and bad == bad:
                wrong.append((bad, f"{found.row}: {found.field} = {found.value!r}"))
            elif not found.reason:
                wrong.append((bad, "no reason"))
    assert wrong == []
    assert content(kept_url) == before


@pytest.mark.parametrize(("call", "name", "values", "optional", "read"), ARGUMENTS)
def test_bad_values_of_an_argument(
    kept: Database,
    kept_url: str,
    call: str,
    name: str,
    values: str,
    optional: bool,
    read: Callable[[Database, Any], object],
) -> None:
    """Every bad value is refused by the argument's name, and nothing is read or deleted."""
    before = content(kept_url)
    wrong = []
    for bad in BAD[values] if optional else (None, *BAD[values]):
        found = refusal(read, kept, bad)
        if isinstance(found, str):
            wrong.append((bad, found))
        elif (found.row, found.field, found.value) != (None, name, bad) and bad == bad:
            wrong.append((bad, f"{found.row}: {found.field} = {found.value!r}"))
    assert wrong == [], call
    assert content(kept_url) == before


def test_symbols_of_latest_are_several(kept: Database) -> None:
    """One str is not taken for the symbols of its letters."""
    with pytest.raises(InvalidRecord, match="must be several symbols") as raised:
        kept.market.latest("AAPL")
    assert (raised.value.row, raised.value.field, raised.value.value) == (None, "symbols", "AAPL")


@pytest.mark.parametrize(("kind", "field", "values", "optional"), FIELDS)
def test_good_values_of_a_field(
    kept: Database, kind: str, field: str, values: str, optional: bool
) -> None:
    """The extremes of what is allowed are stored, and come back as they are, type included."""
    kept.tickers.upsert(Ticker(symbol, "Somebody") for symbol in GOOD["symbol"])
    kept.institutions.upsert(Institution(cik, "Somebody") for cik in GOOD["cik"])
    room: dict[str, dict[str, Any]] = {
        "market": {"high": None, "low": None},
        "holdings": {"quarter_end": date.min},
    }
    base = ROWS[kind]._replace(**room.get(kind, {}))
    if field == "quarter_end":
        base = base._replace(filing_date=date.max)
    for good in (*GOOD[values], None) if optional else GOOD[values]:
        row = base._replace(**{field: good})
        getattr(kept, kind).upsert([row])
        (stored,) = (each for each in everything(kept, kind, row) if each == row)
        assert type(stored) is type(row)
        assert list(map(repr, stored)) == list(map(repr, row))
        assert getattr(kept, kind).upsert([row]) == 0


def everything(db: Database, kind: str, row: Any) -> list[Any]:
    """The rows of a kind that a row's ticker has, or all where there is none."""
    if kind in ("tickers", "institutions"):
        found: list[Any] = getattr(db, kind).all()
    else:
        found = getattr(db, kind).history(row.symbol)
    return found


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
        (
            holding(filed_after=-1),
            *("filing_date", "must not be below quarter_end (2010-01-04)"),
        ),
    ],
)
def test_fields_in_reverse(kept: Database, row: Any, field: str, reason: str) -> None:
    """A high below the low and a filing before its quarter's end are refused, wherever they stand."""
    kind = "market" if type(row) is Bar else "holdings"
    for rows in ([row], [ROWS[kind]] * 150 + [row]):
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
        (
            Holding,
            "symbol cik quarter_end filing_date shares_held market_value ownership_percent",
            1,
        ),
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
