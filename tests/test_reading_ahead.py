"""Rows are read before the lock on writing is taken: a slow input keeps nobody else from writing."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import repo
from repo import Bar, Database, Institution, InvalidRecord, Ticker, UniqueViolation, UnknownTicker
from repo.loading import load
from tests.builders import bar, content, day, raw, seed

IMPATIENT = 0.05
MARKET = "symbol,date,close\n"


pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def other(url: str, db: Database, backend: str) -> Iterator[Database]:
    """The same database, with two tickers, for a writer that does not wait."""
    seed(db)
    options: dict[str, Any] = {"busy_timeout": IMPATIENT} if backend == "sqlite" else {}
    with repo.connect(url, **options) as opened:
        yield opened


def when(kind: str, act: Callable[[], object]) -> Callable[[str, int, int, int], None]:
    """A progress that does something once, when a file of a kind is read."""
    done: list[str] = []

    def progress(read: str, rows: int, position: int, size: int) -> None:
        if read == kind and not done:
            done.append(read)
            act()

    return progress


def rejected() -> list[list[str]]:
    """The lines of the reject file, but for its header: file, line, value and reason."""
    with Path("r.csv").open(encoding="utf-8", newline="") as text:
        return [[row[0], row[1], row[3], row[4]] for row in csv.reader(text)][1:]


@pytest.mark.parametrize("rows", [1, 2500])
def test_others_write_while_rows_are_read(db: Database, other: Database, rows: int) -> None:
    """Another process's writer and another thread's, in the middle of an upsert of what comes slowly."""

    def slow(thread: ThreadPoolExecutor) -> Iterator[Bar]:
        for number in range(rows):
            if number % 1000 == 0:
                assert other.institutions.upsert([Institution(100 + number, "Other")]) == 1
                mine = thread.submit(db.institutions.upsert, [Institution(101 + number, "Mine")])
                assert mine.result() == 1
            yield bar(on=day(number))
        yield bar(on=day(0), close=9.0)

    with ThreadPoolExecutor(1) as thread:
        assert db.market.upsert(slow(thread)) == rows
    assert db.market.history("AAPL")[0].close == 9.0


@pytest.mark.parametrize("skip_bad", [False, True])
def test_others_write_while_files_are_read(db: Database, other: Database, skip_bad: bool) -> None:
    """So they do while a folder is loaded, whose files are one transaction."""
    Path("tickers.csv").write_text("symbol,company_name\nNEW,New\n")
    Path("market.csv").write_text(
        MARKET + "".join(f"NEW,{day(number)},1\n" for number in range(21_000)) + "NEW,x,1\n" * skip_bad
    )

    def act() -> None:
        assert other.institutions.upsert([Institution(100, "Other")]) == 1
        assert [row.symbol for row in other.tickers.all()] == ["AAPL", "MSFT"]

    loaded = load(db, ".", skip_bad=skip_bad, progress=when("market", act), **_rejects(skip_bad))
    assert [each.new for each in loaded] == [1, 21_000]
    assert [each.rejected for each in loaded] == [0, int(skip_bad)]
    assert len(db.market.history("NEW")) == 21_000
    assert load(db, ".", skip_bad=skip_bad)[1].unchanged == 21_000


def _rejects(skip_bad: bool) -> dict[str, Any]:
    return {"rejects": "r.csv"} if skip_bad else {}


def test_what_is_known_is_what_is_there_at_the_write(tmp_path: Path) -> None:
    """A ticker that comes while files are read is known to them; what was rejected before, once."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with repo.connect(url) as db, repo.connect(url, busy_timeout=IMPATIENT) as other:
        db.migrate()
        seed(db)
        Path("tickers.csv").write_text("symbol,company_name\nNEW,New\nB A D,Bad\n")
        Path("market.csv").write_text(
            f"{MARKET}NEW,{day(0)},1\nLATE,{day(0)},1\nNEVER,{day(0)},1\nAAPL,{day(0)},x\n"
        )
        Path("sentiment.csv").write_text(f"symbol,source,date,interest\nLATE,s,{day(0)},1\nNO,s,2,2\n")

        def late() -> None:
            other.tickers.upsert([Ticker("LATE", "Late")])

        loaded = load(db, ".", skip_bad=True, rejects="r.csv", progress=when("sentiment", late))
        assert [(each.kind, each.new, each.rejected) for each in loaded] == [
            ("tickers", 1, 1),
            ("market", 2, 2),
            ("sentiment", 1, 1),
        ]
        assert rejected() == [
            ["tickers.csv", "3", "B A D", "must have 1 to 16 characters from A-Z, 0-9, '.' and '-'"],
            ["market.csv", "4", "NEVER", "unknown ticker"],
            ["market.csv", "5", "x", "must be a number"],
            ["sentiment.csv", "3", "2", "must be a date as YYYY-MM-DD or YYYYMMDD"],
        ]


def test_a_cusip_that_is_taken_while_files_are_read(tmp_path: Path) -> None:
    """The row that would have it too is rejected like any other such row."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with repo.connect(url) as db, repo.connect(url, busy_timeout=IMPATIENT) as other:
        db.migrate()
        Path("tickers.csv").write_text("symbol,company_name,cusip\nA,Aye,123456789\nB,Bee,\n")
        Path("market.csv").write_text(f"{MARKET}A,{day(0)},1\nB,{day(0)},1\n")

        def taken() -> None:
            other.tickers.upsert([Ticker("Z", "Zed", "123456789")])

        loaded = load(db, ".", skip_bad=True, rejects="r.csv", progress=when("market", taken))
        assert [(each.new, each.rejected) for each in loaded] == [(1, 1), (1, 1)]
        assert [line[:3] for line in rejected()] == [
            ["tickers.csv", "2", "123456789"],
            ["market.csv", "2", "A"],
        ]


@pytest.mark.parametrize("as_file", [True, False])
def test_a_ticker_that_goes_while_rows_are_read(tmp_path: Path, as_file: bool) -> None:
    """Keys are looked up when they are written: rows of what is gone by then are refused."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    with repo.connect(url) as db:
        db.migrate()
        seed(db)

        def gone() -> None:
            raw(url, "DELETE FROM tickers WHERE symbol = 'MSFT'")

        def rows() -> Iterator[Bar]:
            yield from (
                bar(symbol, day(number)) for number in range(1000) for symbol in ("MSFT", "AAPL")
            )
            gone()

        before = content(url)["market_data"]
        Path("market.csv").write_text(f"{MARKET}MSFT,{day(0)},1\n")
        with pytest.raises(UnknownTicker, match="MSFT"):
            load(db, ".", progress=when("market", gone)) if as_file else db.market.upsert(rows())
        assert content(url)["market_data"] == before


def test_the_first_file_with_something_wrong_is_told_of(db: Database, url: str) -> None:
    """Whatever is wrong with a file comes before what is wrong with a later one, on both engines."""
    seed(db)
    before = content(url)
    tickers, market = Path("tickers.csv"), Path("market.csv")
    tickers.write_text("symbol,company_name,cusip\nNEW,New,037833100\n")
    market.write_text(f"{MARKET}AAPL,{day(0)},x\n")
    with pytest.raises(UniqueViolation, match=r"tickers\.csv:2"):
        load(db, ".")
    tickers.write_text("symbol,company_name,cusip\nNEW,New,\n")
    with pytest.raises(InvalidRecord, match=r"market\.csv:2"):
        load(db, ".")
    market.write_text(f"{MARKET}NEW,{day(0)},1\nNO,{day(0)},1\n")
    with pytest.raises(UnknownTicker, match=r"NO$"):
        load(db, ".")
    market.write_text(f"{MARKET}NEW,{day(0)},1\nNEW,{day(0)},2\n")
    with pytest.raises(InvalidRecord, match="comes again"):
        load(db, ".", strict=True)
    assert content(url) == before
    assert [each.new for each in load(db, ".")] == [1, 1]
