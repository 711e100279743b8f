"""What a load counts and what it refuses beside bad rows: repeated keys, and clashes of CUSIPs."""

from __future__ import annotations

import csv
import random
import sqlite3
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import repo
from repo import Bar, Database, Holding, Institution, InvalidRecord, Sentiment, Ticker, UniqueViolation
from repo.loading import Loaded, load
from tests import servers

pa: Any = pytest.importorskip("pyarrow")

DAY = date(2020, 1, 2)
KEYS = 3000


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def stocked(db: Database) -> Database:
    """A database with the ticker A and the institution 7."""
    return _with_references(db)


def _with_references(db: Database) -> Database:
    db.tickers.upsert([Ticker("A", "Aye")])
    db.institutions.upsert([Institution(7, "Seven")])
    return db


def written(name: str, header: str, *rows: str) -> Path:
    """A file with these lines."""
    path = Path(name)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def counts(loaded: Loaded) -> tuple[int, ...]:
    """Rows, new, changed, unchanged, repeated and rejected."""
    return loaded[2:8]


def closes(numbers: list[int], factor: int = 1) -> list[str]:
    """Lines of bars, by how many days each is from the first."""
    return [f"A,{DAY + timedelta(number)},{(number + 1) * factor}" for number in numbers]


@pytest.mark.parametrize("order", ["by day", "shuffled"])
@pytest.mark.parametrize("size", [60, KEYS])
def test_every_row_is_counted_once(stocked: Database, order: str, size: int) -> None:
    """Whatever order the rows come in, new, changed, unchanged and repeated ones are told apart."""
    numbers = list(range(size))
    if order == "shuffled":
        random.Random(1).shuffle(numbers)
    half, header = size // 2, "symbol,date,close"
    first = load(stocked, written("market.csv", header, *closes(numbers[:half])))
    assert counts(first[0]) == (half, half, 0, 0, 0, 0)
    rows = [*closes(numbers[: half // 2]), *closes(numbers[half // 2 :], 2), *closes(numbers[:7])]
    (again,) = load(stocked, written("market.csv", header, *rows))
    assert counts(again) == (size + 7, size - half, half - half // 2, half // 2, 7, 0)
    (same,) = load(stocked, written("market.csv", header, *rows, "A,x,1"), skip_bad=True)
    assert counts(same) == (size + 8, 0, 0, size, 7, 1)


def test_the_other_kinds_are_counted(stocked: Database) -> None:
    """Tickers, institutions, holdings and interest are counted as bars are."""
    written("tickers.csv", "symbol,name", "A,Aye", "B,Bee", "C,Sea", "b,Be")
    written("institutions.csv", "cik,name", "7,Siete", "8,Eight", "8,Ocho")
    written(
        "holdings.csv",
        "symbol,cik,quarter_end,filing_date,shares_held,market_value",
        "A,7,2019-12-31,2020-02-14,5,5",
        "A,7,2019-12-31,2020-02-14,6,6",
        "B,8,2019-12-31,2020-02-14,6,6",
    )
    written("sentiment.csv", "symbol,source,date,interest", "A,s,2020-01-02,5", "A,s,2020-01-02,5")
    stocked.holdings.upsert([Holding("A", 7, date(2019, 12, 31), date(2020, 2, 14), 6, 7)])
    found = {each.kind: counts(each) for each in load(stocked, ".")}
    assert found == {
        "tickers": (4, 2, 0, 1, 1, 0),
        "institutions": (3, 1, 1, 0, 1, 0),
        "holdings": (3, 1, 1, 0, 1, 0),
        "sentiment": (2, 1, 0, 0, 1, 0),
    }


def test_a_key_that_comes_again_is_refused_strictly(stocked: Database) -> None:
    """The first 20 rows that would give way are named with their lines and keys; nothing is written."""
    rows = closes(list(range(KEYS)))
    again = [number * 100 for number in range(25)]
    path = written("market.csv", "symbol,date,close", *rows, "", *closes([*again, 0], 2))
    with pytest.raises(InvalidRecord) as raised:
        load(stocked, path, strict=True)
    assert [problem.line for problem in raised.value.problems] == [2 + number for number in again[:20]]
    first, second = raised.value.problems[:2]
    assert (first.row, first.file, first.field) == (0, "market.csv", "symbol, date")
    assert (first.value, first.reason) == (f"A, {DAY}", f"the key comes again on line {KEYS + 3}")
    assert second.reason == f"the key comes again on line {KEYS + 4}"
    assert stocked.market.history("A") == []
    (loaded,) = load(stocked, written("market.csv", "symbol,date,close", *rows), strict=True)
    assert counts(loaded) == (KEYS, KEYS, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "header", "rows", "key"),
    [
        ("tickers.csv", "symbol,name", ["B,Bee", "C,Sea", "b,Bee"], ("symbol", "B")),
        ("institutions.csv", "cik,name", ["8,x", "9,y", "8,x"], ("cik", "8")),
        (
            "holdings.csv",
            "symbol,cik,filing_date,quarter_end,shares_held,market_value",
            ["A,7,2020-02-14,2019-12-31,5,5", "A,7,2020-02-14,2019-09-30,5,5"] * 2,
            ("symbol, quarter_end, cik, filing_date", "A, 2019-12-31, 7, 2020-02-14"),
        ),
        (
            "sentiment.csv",
            "symbol,source,date,interest",
            ["A,s,2020-01-02,5", "A,t,2020-01-02,5", "A,s,2020-01-02,6"],
            ("symbol, source, date", "A, s, 2020-01-02"),
        ),
    ],
)
def test_every_kind_has_its_key(
    stocked: Database, name: str, header: str, rows: list[str], key: tuple[str, str]
) -> None:
    """A key that comes again two lines on is named by its fields, bad rows or not."""
    with pytest.raises(InvalidRecord) as raised:
        load(stocked, written(name, header, "bad", *rows), strict=True, skip_bad=True)
    problem = raised.value.problems[0]
    assert (problem.field, problem.value) == key
    assert (problem.line, problem.reason) == (3, "the key comes again on line 5")


def test_a_cusip_of_another_ticker_is_named(stocked: Database) -> None:
    """Line, column, CUSIP and whose that is: one in the database, or one of the file itself."""
    stocked.tickers.upsert([Ticker("FB", "Facebook", "30303M102")])
    path = written(
        "tickers.csv",
        "symbol,name,CUSIP",
        "META,Meta,30303M102",
        "AAPL,Apple,037833100",
        "FAKE,Fake,30303M102",
        "FAKE,Fake,037833100",
    )
    expected = sqlite3.IntegrityError if stocked.dialect == "sqlite" else psycopg.errors.UniqueViolation
    for files in ([path], [written("market.csv", "symbol,date,close"), path]):
        with pytest.raises(UniqueViolation) as raised:
            load(stocked, files)
        assert str(raised.value) == (
            "tickers.csv:2: CUSIP = '30303M102': is the CUSIP of FB, in the database; "
            "META cannot have it too\n"
            "tickers.csv:5: CUSIP = '037833100': is the CUSIP of AAPL, on line 3; "
            "FAKE cannot have it too"
        )
        assert isinstance(raised.value.__cause__, expected)
    assert [ticker.symbol for ticker in stocked.tickers.all()] == ["A", "FB"]


def test_a_cusip_of_an_earlier_file_is_named(stocked: Database) -> None:
    """What an earlier file of the load wrote is not there once the load has failed."""
    header = "symbol,name,cusip"
    files = [written("1.csv", header, "X,Exx,123456789"), written("2.csv", header, "Y,Why,123456789")]
    with pytest.raises(UniqueViolation, match=r"^2\.csv:2: .* in the database or an earlier file; Y "):
        load(stocked, files, kind="tickers")
    assert [ticker.symbol for ticker in stocked.tickers.all()] == ["A"]


def test_a_cusip_of_another_ticker_can_be_skipped(stocked: Database) -> None:
    """Such rows go to the reject file, and so does one that would count without them, if it clashes."""
    stocked.tickers.upsert([Ticker("FB", "Facebook", "30303M102")])
    path = written(
        "tickers.csv",
        "symbol,name,cusip",
        "META,Meta,30303M102",
        "GOOD,Good,123456789",
        "FAKE,Fake,123456789",
        "FAKE,Fake,30303m102",
    )
    (loaded,) = load(stocked, path, skip_bad=True)
    assert counts(loaded) == (4, 1, 0, 0, 0, 3)
    assert [ticker.symbol for ticker in stocked.tickers.all()] == ["A", "FB", "GOOD"]
    with Path("tickers.csv.rejects.csv").open(encoding="utf-8", newline="") as file:
        rejected = [row[1:5] for row in csv.reader(file)][1:]
    assert rejected == [
        ["2", "cusip", "30303M102", "is the CUSIP of FB, in the database; META cannot have it too"],
        ["4", "cusip", "123456789", "is the CUSIP of GOOD, on line 3; FAKE cannot have it too"],
        ["5", "cusip", "30303m102", "is the CUSIP of FB, in the database; FAKE cannot have it too"],
    ]


def test_a_cusip_handed_on_in_one_file_clashes_with_nothing(stocked: Database) -> None:
    """The order of the rows counts: FB gives its CUSIP up before META has it, or META cannot have it."""
    stocked.tickers.upsert([Ticker("FB", "Facebook", "30303M102")])
    rows = ["FB,Facebook,", "META,Meta,30303M102"]
    path = written("tickers.csv", "symbol,name,cusip", *reversed(rows))
    assert load(stocked, path, skip_bad=True)[0].rejected == 1
    assert stocked.tickers.get("FB").cusip is None
    stocked.tickers.upsert([Ticker("FB", "Facebook", "30303M102")])
    assert counts(load(stocked, written("tickers.csv", "symbol,name,cusip", *rows))[0])[:3] == (2, 1, 1)
    assert stocked.tickers.get("META").cusip == "30303M102"


@pytest.mark.parametrize("size", [2, KEYS])
def test_a_column_that_is_not_there_stays_as_it_is(stocked: Database, size: int) -> None:
    """In rows that exist; in new ones it is NULL. The same file again writes nothing."""
    days = [DAY + timedelta(number) for number in range(size)]
    stocked.market.upsert([Bar("A", day, 1.0, 9.0, 0.5, 2.0, 10) for day in days])
    rows = [f"A,{day},3,7" for day in days[1:]] + ["A,2031-01-02,4,"]
    path = written("market.csv", "symbol,date,close,volume", *rows)
    assert counts(load(stocked, path)[0]) == (size, 1, size - 1, 0, 0, 0)
    assert counts(load(stocked, path)[0]) == (size, 0, 0, size, 0, 0)
    assert stocked.market.history("A") == [
        Bar("A", days[0], 1.0, 9.0, 0.5, 2.0, 10),
        *(Bar("A", day, 1.0, 9.0, 0.5, 3.0, 7) for day in days[1:]),
        Bar("A", date(2031, 1, 2), None, None, None, 4.0, None),
    ]
    # A column that is there is meant, empty cells and all; of a key the last row counts.
    load(stocked, written("market.csv", "symbol,date,close,open", f"A,{DAY},5,2", f"A,{DAY},6,"))
    assert stocked.market.history("A")[0] == Bar("A", DAY, None, 9.0, 0.5, 6.0, 10)


def test_a_column_that_is_not_there_may_contradict(stocked: Database) -> None:
    """A high below the low that is there is named with its line, and passed over where bad rows are."""
    days = [DAY + timedelta(number) for number in range(3)]
    stocked.market.upsert([Bar("A", day, None, 60.0, 45.0, 50.0, None) for day in days])
    before = stocked.market.history("A")
    rows = [f"A,{days[0]},70,39", f"A,{days[1]},bad,1", f"A,{days[2]},40,39", f"A,{days[2]},46,41"]
    path = written("market.csv", "symbol,date,high,close", rows[0], rows[2])
    reason = "is below the stored low of the bar, 45.0"
    with pytest.raises(InvalidRecord) as refused:
        load(stocked, path)
    (problem,) = refused.value.problems
    assert (problem.line, problem.field, problem.value, problem.reason) == (3, "high", "40", reason)
    with pytest.raises(InvalidRecord) as refused:
        stocked.market.upsert(
            pa.table({"symbol": ["A"], "date": [days[2]], "high": [40.0], "close": [39.0]})
        )
    assert str(refused.value).endswith(f"row 0: high = 40.0: {reason}")
    with pytest.raises(InvalidRecord, match="is above the stored high of the bar, 60"):
        stocked.market.upsert(
            pa.table({"symbol": ["A"], "date": [days[1]], "low": [61.0], "close": [61.0]})
        )
    assert stocked.market.history("A") == before
    # A row that is passed over leaves the one before it of the same key.
    written("market.csv", "symbol,date,high,close", *rows[:2], rows[3], rows[2])
    (loaded,) = load(stocked, path, skip_bad=True)
    assert counts(loaded) == (4, 0, 2, 0, 0, 2)
    assert [(bar.high, bar.close) for bar in stocked.market.history("A")] == [
        (70.0, 39.0),
        (60.0, 50.0),
        (46.0, 41.0),
    ]
    assert loaded.rejects is not None
    told = list(csv.DictReader(loaded.rejects.read_text(encoding="utf-8").splitlines()))
    assert [(each["line"], each["column"], each["value"]) for each in told] == [
        ("3", "high", "bad"),
        ("5", "high", "40"),
    ]


def test_the_other_kinds_keep_what_has_no_column(stocked: Database) -> None:
    """CUSIPs, percentages and scores outlive files without them."""
    ticker = Ticker("A", "Aye", "037833100")
    holding = Holding("A", 7, date(2019, 12, 31), date(2020, 2, 14), 5, 5, 0.25)
    interest = Sentiment("A", "s", DAY, 5, -0.5)
    stocked.tickers.upsert([ticker])
    stocked.holdings.upsert([holding])
    stocked.sentiment.upsert([interest])
    written("tickers.csv", "symbol,name", "A,Ay", "B,Bee")
    written(
        "holdings.csv",
        "symbol,cik,quarter_end,filing_date,shares_held,market_value",
        "A,7,2019-12-31,2020-02-14,6,6",
    )
    written("sentiment.csv", "symbol,source,date,interest", "A,s,2020-01-02,6", "B,s,2020-01-02,1")
    load(stocked, ".")
    assert stocked.tickers.all() == [ticker._replace(company_name="Ay"), Ticker("B", "Bee")]
    assert stocked.holdings.history("A") == [holding._replace(shares_held=6, market_value=6)]
    assert stocked.sentiment.history("A") == [interest._replace(interest=6)]
    assert stocked.sentiment.history("B") == [Sentiment("B", "s", DAY, 1)]
    assert [each.changed + each.new for each in load(stocked, ".")] == [0, 0, 0]


def test_counts_where_the_server_counts_nothing(server: servers.Server, template: str) -> None:
    """A server whose track_counts is off does not tell what a transaction changed; the keys do."""
    name = server.create(template)
    try:
        url = server.url_of(name, min_size="1", options="-c track_counts=off")
        ran: list[str] = []
        with repo.connect(url, on_query=lambda query, seconds, rows: ran.append(query)) as db:
            test_every_row_is_counted_once(_with_references(db), "by day", 150)
        assert "market.there" in ran
    finally:
        server.drop(name)
