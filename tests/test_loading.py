"""Loading files: which file holds what, which column is which field, and what a cell means."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import repo
from repo import Bar, Database, Holding, Institution, Sentiment, Ticker
from repo.delimited.files import Delimited
from repo.errors import ConfigurationError, InvalidRecord, UnknownTicker
from repo.loading import Loaded, contents, load
from repo.tables import TABLES

DAY = date(2020, 1, 2)


@pytest.fixture
def memory() -> Iterator[Database]:
    """A database in memory with the tickers A and B, for what does not depend on the engine."""
    with repo.connect("sqlite://") as db:
        db.migrate()
        known(db)
        yield db


def known(db: Database) -> None:
    """The tickers and the institution that the files below are about."""
    db.tickers.upsert([Ticker("A", "Aye"), Ticker("B", "Bee")])
    db.institutions.upsert([Institution(7, "Seven")])


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    """A file with this text; gzip where its name says so."""
    path = folder / name
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
    return path


def market(folder: Path, text: str) -> Path:
    return write(folder, "market.csv", text)


KIND_FILES = {
    "tickers": "symbol,company_name,cusip\nA,Aye,037833100\nC,Sea,\n",
    "institutions": "cik,name\n7,Seven\n8,Eight\n",
    "market": "symbol,date,open,high,low,close,volume\nA,2020-01-02,1,3,0.5,2.5,10\nB,20200103,,,,4,\n",
    "holdings": "symbol,cik,quarter_end,filing_date,shares_held,market_value,ownership_percent\n"
    "A,7,2019-12-31,2020-02-14,5,500,0.25\nB,7,2019-12-31,2020-02-14,6,600,\n",
    "sentiment": "symbol,source,date,interest,score\nA,src,2020-01-02,5,-0.5\nB,src,2020-01-02,6,\n",
}


@pytest.mark.parametrize("name", ["{}.csv", "{}.tsv", "{}.csv.gz", "{}.tsv.gz", "{}.txt", "{}.CSV"])
def test_every_kind_in_every_form(db: Database, tmp_path: Path, name: str) -> None:
    """Each kind of rows is read from comma and tab separated files, plain and gzip."""
    known(db)
    for kind, text in KIND_FILES.items():
        if "tsv" in name:
            text = text.replace(",", "\t")
        path = write(tmp_path, name.format(kind), text)
        (loaded,) = load(db, path)
        assert (loaded.kind, loaded.file, loaded.rows) == (kind, path, 2)
        assert load(db, str(path)) == [loaded._replace(new=0, changed=0, unchanged=2)]
    assert db.tickers.all() == [Ticker("A", "Aye", "037833100"), Ticker("B", "Bee"), Ticker("C", "Sea")]
    assert db.institutions.all() == [Institution(7, "Seven"), Institution(8, "Eight")]
    assert db.market.history("A") == [Bar("A", DAY, 1.0, 3.0, 0.5, 2.5, 10)]
    assert db.market.history("B") == [Bar("B", date(2020, 1, 3), None, None, None, 4.0, None)]
    quarter, filed = date(2019, 12, 31), date(2020, 2, 14)
    assert db.holdings.history("A") == [Holding("A", 7, quarter, filed, 5, 500, 0.25)]
    assert db.holdings.history("B") == [Holding("B", 7, quarter, filed, 6, 600, None)]
    assert db.sentiment.history("A") == [Sentiment("A", "src", DAY, 5, -0.5)]
    assert db.sentiment.history("B") == [Sentiment("B", "src", DAY, 6, None)]


def test_real_yahoo_histories(db: Database, real_data: Path) -> None:
    """Histories as Yahoo Finance writes them load with the symbol said; the split-only close counts."""
    db.tickers.upsert([Ticker(symbol, symbol) for symbol in ("AUMN", "BYND", "CRON")])
    for symbol in ("AUMN", "BYND", "CRON"):
        path = real_data / "raw" / f"{symbol}.csv"
        (loaded,) = load(db, path, symbol=symbol.lower(), skip_bad=True, rejects=None)
        with path.open(newline="") as text:
            rows = list(csv.DictReader(text))
        good = [row for row in rows if row["Close"]]
        assert loaded[:5] == ("market", path, len(rows), len(good), len(rows) - len(good))
        assert loaded.ignored == ("Adj Close",)
        bars = db.market.history(symbol)
        assert [bar.close for bar in bars] == [float(row["Close"]) for row in good]
        assert [bar.volume for bar in bars] == [int(float(row["Volume"])) for row in good]


@pytest.mark.parametrize(
    ("header", "ignored"),
    [
        ("symbol,date,close", ()),
        ("CLOSE,Date, Symbol ", ()),
        ("Ticker,Date,Close", ()),
        ("<TICKER>,<DATE>,<CLOSE>,<VOL>,<PER>", ("<PER>",)),
        ("symbol,date,Adj Close", ()),
        ("symbol,date,adj_close", ()),
        ("symbol,date,AdjClose", ()),
        ("symbol,date,Close,Adj Close", ("Adj Close",)),
        ("symbol,date,Adj Close,Close,", ("Adj Close", "")),
        ("symbol,date,close,Name,date of birth", ("Name", "date of birth")),
    ],
)
def test_names_of_columns(
    memory: Database, tmp_path: Path, header: str, ignored: tuple[str, ...]
) -> None:
    """Fields and their other names are found in any case and order; what is not wanted is named."""
    cells = {"symbol": "A", "ticker": "A", "date": "2020-01-02", "close": "2", "vol": "9"}
    row = [cells.get(column.strip(" <>").lower(), "1") for column in header.split(",")]
    if "close" not in [column.strip(" <>").lower() for column in header.split(",")]:
        row = ["2" if cell == "1" else cell for cell in row]
    (loaded,) = load(memory, market(tmp_path, f"{header}\n{','.join(row)}\n"))
    assert loaded == Loaded("market", tmp_path / "market.csv", 1, 1, 0, 0, 0, ignored=ignored)
    volume = 9 if "VOL" in header else None
    assert memory.market.history("A") == [Bar("A", DAY, None, None, None, 2.0, volume)]


def test_name_means_what_the_kind_says(memory: Database, tmp_path: Path) -> None:
    """Name is a ticker's company and an institution's own name."""
    load(memory, write(tmp_path, "tickers.csv", "Ticker,Name\nA,Alpha\n"))
    load(memory, write(tmp_path, "institutions.csv", "CIK,Name\n9,Nine\n"))
    assert memory.tickers.get("A") == Ticker("A", "Alpha")
    assert memory.institutions.get(9) == Institution(9, "Nine")


def test_mapping(memory: Database, tmp_path: Path) -> None:
    """A mapping says which column a field is, over what the header would."""
    path = market(tmp_path, "symbol,date,Close,Adj Close,Last Price\nA,2020-01-02,1,2,3\n")
    (loaded,) = load(memory, path, mapping={"close": "Adj Close"})
    assert loaded.ignored == ("Close", "Last Price")
    load(memory, path, mapping={"close": "last price", "open": "Close"})
    assert memory.market.history("A") == [Bar("A", DAY, 1.0, None, None, 3.0, None)]


def test_a_file_about_one_ticker(memory: Database, tmp_path: Path) -> None:
    """A symbol stands in for the column of symbols of market and sentiment."""
    load(memory, write(tmp_path, "x.csv", "Date,Close\n2020-01-02,2\n"), symbol="a")
    load(memory, write(tmp_path, "y.csv", "source,date,interest\ns,2020-01-02,3\n"), symbol="B")
    assert memory.market.history("A") == [Bar("A", DAY, None, None, None, 2.0, None)]
    assert memory.sentiment.history("B") == [Sentiment("B", "s", DAY, 3)]


@pytest.mark.parametrize("kind", list(TABLES))
def test_kind_by_columns(memory: Database, tmp_path: Path, kind: str) -> None:
    """A file whose name says nothing is known by its columns."""
    (loaded,) = load(memory, write(tmp_path, "data.csv", KIND_FILES[kind]))
    assert loaded.kind == kind


def test_kind_said(memory: Database, tmp_path: Path) -> None:
    """A kind that is said comes before the file's name and columns."""
    path = write(tmp_path, "tickers.csv", "symbol,name,cik\nA,Alpha,9\n")
    assert load(memory, path, kind="institutions")[0].ignored == ("symbol",)
    assert memory.institutions.get(9) == Institution(9, "Alpha")


@pytest.mark.parametrize(
    ("name", "text", "options", "message"),
    [
        ("market.csv", "symbol,date\n", {}, r"market\.csv: no column for close.*symbol, date;.*close="),
        ("market.csv", "date,close\n", {}, r"no column for symbol.*--symbol.*symbol="),
        ("x.csv", "date,close\n", {}, r"no column for symbol.*--symbol"),
        ("x.csv", "timestamp,users_holding\n", {}, r"fit no kind.*kind=.*timestamp, users_holding"),
        ("x.csv", "symbol,cik,name\n", {}, r"fit tickers and institutions.*kind="),
        ("market.csv", "symbol,date,close,Vol,Volume\n", {}, r"Vol and Volume are both volume"),
        ("market.csv", "symbol,date,close,Date\n", {}, r"date and Date are both date"),
        ("market.csv", "symbol,date,Adj Close,AdjClose\n", {}, r"Adj Close and AdjClose are both close"),
        ("market.csv", "symbol,date,close\n", {"symbol": "A"}, r"symbol is given.*column symbol"),
        ("market.csv", "Ticker,date,close\n", {"symbol": "A"}, r"symbol is given.*column Ticker"),
        ("holdings.csv", "cik\n", {"symbol": "A"}, r"market and sentiment, not of holdings"),
        (
            "market.csv",
            "symbol,date,close\n",
            {"mapping": {"open": "Last"}},
            r"no column 'Last' for open; there are: symbol, date, close",
        ),
        (
            "market.csv",
            "symbol,date,close,x,X\n",
            {"mapping": {"open": " X-"}},
            r"no column ' X-' for open",
        ),
        ("market.csv", "symbol,date,close,a b,A_B\n", {"mapping": {"open": "a-b"}}, r"more than one"),
        ("market.csv", "symbol,date,close\n", {"mapping": {"cik": "x"}}, r"fields close.*not 'cik'"),
        ("market.csv", "symbol,date,close\n", {"kind": "bars"}, r"tickers, .*not 'bars'"),
        ("market.csv", "symbol,date,close\n", {"rejects": "x"}, r"skips bad rows"),
        ("market.xlsx", "symbol,date,close\n", {}, r"\.xlsx: the name must end in one of \.csv"),
    ],
)
def test_what_cannot_be_told(
    memory: Database, tmp_path: Path, name: str, text: str, options: dict[str, Any], message: str
) -> None:
    """A header that leaves a question open is refused, naming what is there and how to say it."""
    with pytest.raises(ConfigurationError, match=message):
        load(memory, write(tmp_path, name, text), **options)


def test_bad_symbol(memory: Database, tmp_path: Path) -> None:
    """A symbol that none can be is refused like any argument."""
    with pytest.raises(InvalidRecord, match="symbol"):
        load(memory, write(tmp_path, "x.csv", "date,close\n"), symbol="A B")


def test_folder(db: Database, tmp_path: Path) -> None:
    """Of a folder the files named for kinds are loaded, in the order of their references."""
    folder = tmp_path / "data"
    (folder / "market").mkdir(parents=True)
    for kind in ("sentiment", "holdings", "market", "tickers", "institutions"):
        write(folder, f"{kind}.csv", KIND_FILES[kind].replace("B,", "C,"))
    write(folder, "notes.csv", "x\n")
    write(folder, ".hidden.csv", "x\n")
    assert [each.kind for each in load(db, folder)] == list(TABLES)
    assert db.market.history("C") != []
    found = contents(folder)
    assert list(found.files) == list(TABLES)
    assert found.others == [folder / "market", folder / "notes.csv"]


def test_several_paths(db: Database, tmp_path: Path) -> None:
    """Several files are loaded in the order of their references too, as one whole."""
    bars = write(tmp_path, "bars.csv", KIND_FILES["market"])
    names = write(tmp_path, "names.csv", "symbol,name\nA,Aye\nB,Bee\n")
    assert [each.file for each in load(db, [bars, names])] == [names, bars]
    with pytest.raises(UnknownTicker):
        load(db, [write(tmp_path, "tickers.csv", "symbol,name\nD,Dee\n"), market_of(tmp_path, "Z")])
    assert [ticker.symbol for ticker in db.tickers.all()] == ["A", "B"]


def market_of(folder: Path, symbol: str) -> Path:
    return market(folder, f"symbol,date,close\n{symbol},2020-01-02,1\n")


def test_folders_that_are_refused(memory: Database, tmp_path: Path) -> None:
    """A folder without a file to load, with two of one kind, or with a kind said, is refused."""
    with pytest.raises(ConfigurationError, match="no file named tickers, institutions"):
        load(memory, tmp_path)
    with pytest.raises(ConfigurationError, match="no file is named"):
        load(memory, [])
    write(tmp_path, "tickers.csv", KIND_FILES["tickers"])
    with pytest.raises(ConfigurationError, match="is a folder"):
        load(memory, tmp_path, kind="tickers")
    write(tmp_path, "tickers.tsv.gz", KIND_FILES["tickers"])
    with pytest.raises(
        ConfigurationError, match=r"two files of tickers: tickers\.csv, tickers\.tsv\.gz"
    ):
        load(memory, tmp_path)
    with pytest.raises(ConfigurationError, match="cannot read"):
        contents(tmp_path / "none")


def test_files_that_cannot_be_read(
    memory: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is not there, not permitted or no file is refused in plain words."""
    with pytest.raises(ConfigurationError, match=r"cannot read .*none\.csv: No such file"):
        load(memory, tmp_path / "none.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ConfigurationError, match=r"pipe\.csv is not a regular file"):
        load(memory, tmp_path / "pipe.csv")
    path = market(tmp_path, "symbol,date,close\n")
    with pytest.raises(ConfigurationError, match=r"cannot read .*: Not a directory"):
        load(memory, path / "market.csv")

    def denied(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", denied)
        with pytest.raises(ConfigurationError, match=r"cannot read .*market\.csv: Permission denied"):
            load(memory, path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "is_dir", denied)
        with pytest.raises(ConfigurationError, match=r"cannot read .*market\.csv: Permission denied"):
            load(memory, path)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("2", 2.0),
        (" 2.50 ", 2.5),
        ("+2.5e-3", 0.0025),
        (".5", 0.5),
        ("5.", 5.0),
        ("0.1", 0.1),
        ("123456789.12345678", 123456789.12345678),
        ("63.419556038208206", 63.419556038208206),
        ("\u00a02", 2.0),
    ],
)
def test_floats(memory: Database, tmp_path: Path, cell: str, value: float) -> None:
    """A float is what Python reads, without the blanks around it, to the last bit."""
    load(memory, market(tmp_path, f"symbol,date,close\nA,2020-01-02,{cell}\nA,2020-01-03,1\n"))
    assert memory.market.history("A")[0].close == value


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("5", 5),
        ("+5", 5),
        (" 5 ", 5),
        ("467700.0", 467_700),
        ("467700.00", 467_700),
        (".0", 0),
        ("-0.0", 0),
        ("5.", 5),
        ("4.677e5", 467_700),
        ("9007199254740993.0", 9_007_199_254_740_993),
        ("9223372036854775807", 2**63 - 1),
        ("", None),
        ("  ", None),
    ],
)
@pytest.mark.parametrize("neighbour", ["7", "7.0", ""])
def test_integers(
    memory: Database, tmp_path: Path, cell: str, value: int | None, neighbour: str
) -> None:
    """An integer may be written as a float of the same value, exactly, whatever its neighbours are."""
    text = f"symbol,date,close,volume\nA,2020-01-02,1,{cell}\nA,2020-01-03,1,{neighbour}\n"
    load(memory, market(tmp_path, text))
    expected = None if neighbour == "" else 7
    assert [bar.volume for bar in memory.market.history("A")] == [value, expected]


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("close", "1_000", "must be a number"),
        ("close", "1,000", "must be a number"),
        ("close", "٣", "must be a number"),
        ("close", "nan", "must be a number"),
        ("close", "-Infinity", "must be a number"),
        ("close", "inf", "must be a number"),
        ("close", "0x1p3", "must be a number"),
        ("close", "1e999", "must be finite"),
        ("close", "$5", "must be a number"),
        ("close", "", "must not be empty"),
        ("close", "\t", "must not be empty"),
        ("close", "-1", "must be above 0 and below 1e12"),
        ("close", "0", "must be above 0 and below 1e12"),
        ("open", "null", "must be a number"),
        ("volume", "1.5", "must be a whole number"),
        ("volume", "5.0000000000000000001", "must be a whole number"),
        ("volume", "1_000", "must be a whole number"),
        ("volume", "²", "must be a whole number"),
        ("volume", "1e30", "must be from 0 to 9223372036854775807"),
        ("volume", "1e3000", "is too large or too small"),
        ("volume", "1e-99999999999999999999", "is too large or too small"),
        ("volume", "9223372036854775808", "must be from 0 to 9223372036854775807"),
        ("volume", "-1", "must be from 0 to 9223372036854775807"),
        ("volume", "9" * 5000, "is too large or too small"),
        ("date", "2020-1-2", "must be a date as YYYY-MM-DD or YYYYMMDD"),
        ("date", "2020-01-02 00:00:00", "must be a date as YYYY-MM-DD or YYYYMMDD"),
        ("date", "01/02/2020", "must be a date as YYYY-MM-DD or YYYYMMDD"),
        ("date", "2020-W01-2", "must be a date as YYYY-MM-DD or YYYYMMDD"),
        ("date", "2020W012", "must be a date as YYYY-MM-DD or YYYYMMDD"),
        ("date", "2020-W01", "must be a date as YYYY-MM-DD or YYYYMMDD"),
        ("date", "²⁰²⁰0102", "must be a date as YYYY-MM-DD or YYYYMMDD"),
        ("date", "2021-02-29", "is no day of the calendar"),
        ("date", "20201301", "is no day of the calendar"),
        ("date", "", "must not be empty"),
        ("symbol", "A B", "must have 1 to 16 characters from A-Z, 0-9, '.' and '-'"),
        ("symbol", "", "must not be empty"),
        ("high", "0.5", "must not be below low (1.0)"),
    ],
)
def test_cells_that_are_refused(
    memory: Database, tmp_path: Path, column: str, cell: str, reason: str
) -> None:
    """A cell that is no such value is named with its line, its column and the reason."""
    row = {"symbol": "A", "date": "2020-01-03", "open": "", "high": "2", "low": "1", "close": "1"}
    row = {**row, "volume": "1", column: cell}
    path = tmp_path / "market.csv"
    with path.open("w", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, list(row))
        writer.writeheader()
        writer.writerow({**row, column: {"symbol": "A", "date": "2020-01-02"}.get(column, "3")})
        writer.writerow(row)
    with pytest.raises(InvalidRecord) as refused:
        load(memory, path)
    (problem,) = refused.value.problems
    assert problem == (1, column, cell, reason, str(path), 3, column)
    assert memory.market.history("A") == []


def test_dates(memory: Database, tmp_path: Path) -> None:
    """Dates are YYYY-MM-DD or YYYYMMDD, in one column both."""
    text = "symbol,date,close\nA,2020-01-02,1\nA, 20200103 ,1\nA,00010101,1\nA,9999-12-31,1\n"
    load(memory, market(tmp_path, text))
    days = [bar.date for bar in memory.market.history("A")]
    assert days == [date.min, DAY, date(2020, 1, 3), date.max]


def test_text_is_taken_as_it_is(db: Database, tmp_path: Path) -> None:
    """Names keep their commas, quotes, line ends and letters of any script, but not outer blanks."""
    names = ['Say "A", B', "two\nlines", "Société Générale", "株式会社", "mixed\r\nends"]
    path = tmp_path / "tickers.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as text:
        writer = csv.writer(text)
        writer.writerow(["symbol", "company_name"])
        writer.writerows((f"T{number}", f"  {name} ") for number, name in enumerate(names))
    load(db, path)
    assert [ticker.company_name for ticker in db.tickers.all()] == names


def test_a_byte_order_mark_is_no_part_of_the_header(memory: Database, tmp_path: Path) -> None:
    """UTF-8 is read with and without a byte order mark."""
    path = write(tmp_path, "tickers.csv", "symbol,company_name\nA,Alpha\n", "utf-8-sig")
    assert load(memory, path)[0].changed == 1


def test_a_header_alone(db: Database, tmp_path: Path) -> None:
    """A file with a header only has no rows."""
    assert load(db, market(tmp_path, "\n\nsymbol,date,close\n\n"))[0][2:4] == (0, 0)


def test_blank_lines_are_no_rows(memory: Database, tmp_path: Path) -> None:
    """Blank lines are passed over, whatever the line ends are."""
    text = "symbol,date,close\r\n\r\nA,2020-01-02,1\r\n   \r\n\r\nA,2020-01-03,1\r\n\r\n"
    assert load(memory, market(tmp_path, text))[0].rows == 2
    assert load(memory, market(tmp_path, text.replace("\r\n", "\r")))[0][2:4] == (2, 0)


def test_a_txt_file_is_sniffed(memory: Database, tmp_path: Path) -> None:
    """The first line of a .txt file tells which delimiter it has."""
    text = "Ticker\tName\nA\tAlpha, Inc.\n"
    load(memory, write(tmp_path, "tickers.txt", text))
    assert memory.tickers.get("A").company_name == "Alpha, Inc."


def test_progress(memory: Database, tmp_path: Path) -> None:
    """Progress is told by kind, rows and bytes, upwards to the end of the file."""
    days = [date.fromordinal(DAY.toordinal() + number).isoformat() for number in range(25_000)]
    path = write(
        tmp_path, "market.csv.gz", "symbol,date,close\n" + "".join(f"A,{day},1\n" for day in days)
    )
    told: list[tuple[str, int, int, int]] = []
    load(memory, path, progress=lambda *now: told.append(now))
    size = path.stat().st_size
    assert told[-1] == ("market", 25_000, size, size)
    assert len(told) > 1
    assert told == sorted(told)
    assert {(kind, total) for kind, _, _, total in told} == {("market", size)}


_cells = st.text(st.sampled_from('ab ,"\n\r\té\u2028'), max_size=6)


def _quoted(cell: str) -> str:
    """A cell in quotes, but only where it needs them."""
    plain = cell.isalpha() and cell.isascii()
    return cell if plain else '"' + cell.replace('"', '""') + '"'


@given(
    rows=st.lists(st.tuples(_cells, _cells) | st.none(), max_size=12),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_lines(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str] | None], end: str
) -> None:
    """Each row is known by the physical line it starts on, whatever stands between."""
    text = io.StringIO(newline="")
    text.write(f"first,second{end}")
    expected = []
    for row in rows:
        if row is None:
            text.write(end)
        else:
            universal = io.StringIO(text.getvalue(), newline=None)
            expected.append((universal.read().count("\n") + 1, list(row)))
            text.write(",".join(map(_quoted, row)) + end)
    path = tmp_path_factory.getbasetemp() / "lines.csv"
    path.write_bytes(text.getvalue().encode())
    found = [
        (line, row)
        for chunk in Delimited(path).chunks()
        for line, row in zip(chunk.lines(), chunk.rows, strict=True)
    ]
    assert found == expected
