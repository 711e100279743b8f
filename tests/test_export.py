"""Files that a database is written to: what is loaded from them is what was there, on either engine."""

from __future__ import annotations

import csv
import os
import stat
import sys
import tempfile
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from pyarrow import parquet

import repo
from repo import Bar, ConfigurationError, Holding, Institution, InvalidRecord, Sentiment, Ticker
from repo.errors import MigrationError, TransferError
from repo.export import export
from repo.loading import load
from tests.builders import file_limit, python
from tests.cli_helpers import smdi
from tests.equivalence import profiles
from tests.equivalence.exact import exact
from tests.strategies.content import Content, contents

FORMS: list[dict[str, Any]] = [{}, {"compress": True}, {"form": "parquet"}]
LONG = date(1, 1, 1)
ODD = Content(
    tickers=[
        Ticker("A", 'Ä ü 株 😀, "quoted",\n\'\r\r\nNULL;\\N\t\x1f!', None),
        Ticker("B", "x" * 300, "037833100"),
        Ticker("NULL", "NULL"),
        Ticker("1.0", "1.0", "12345E100"),
        Ticker("NAN", "=1+1"),
    ],
    institutions=[Institution(9_999_999_999, "N, M"), Institution(1, '"')],
    bars=[
        Bar("A", LONG, None, None, None, 0.1 + 0.2, None),
        Bar("A", date(9999, 12, 31), 5e-324, 999999999999.9999, 5e-324, 1.0, 2**63 - 1),
        Bar("B", date(1969, 12, 31), 1.0, 2.0, 0.5, 79.48000000000002, 2**53 + 1),
        Bar("NULL", date(2000, 2, 29), None, 2.0, 0.5, 1e-7, 0),
    ],
    holdings=[
        Holding("B", 9_999_999_999, date(2020, 3, 31), date(2020, 5, 15), 0, 2**62 + 1, None),
        Holding("B", 1, date(2020, 3, 31), date(2020, 5, 16), 1, 0, 33.333333333333336),
    ],
    sentiment=[
        Sentiment("A", "a,b", LONG, 0, 0.0),
        Sentiment("A", "ä", LONG, 7, None),
        Sentiment("NAN", "\\", date(2020, 1, 2), 2**63 - 1, -0.30000000000000004),
    ],
)


def dump(db: repo.Database) -> Any:
    """Every row there is, to the last bit."""
    tickers = db.tickers.all()
    rows: list[Any] = [tickers, db.institutions.all()]
    sources = db.sentiment.sources()
    for each in tickers:
        rows += [db.market.history(each.symbol), db.holdings.history(each.symbol)]
        rows += [db.sentiment.history(each.symbol, source=source) for source in sources]
    return exact(rows)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("back", [False, True], ids=["from sqlite", "from postgresql"])
def test_there_and_back(
    pair: tuple[repo.Database, repo.Database], form: dict[str, Any], back: bool, tmp_path: Path
) -> None:
    """The other engine has the same rows, and loading them again changes nothing."""
    source, target = reversed(pair) if back else pair
    ODD.write(source)
    done = export(source, tmp_path / "files", **form)
    assert [each.rows for each in done] == [5, 2, 4, 2, 3]
    assert {stat.S_IMODE(each.file.stat().st_mode) for each in done} == {0o600}
    assert sorted((tmp_path / "files").iterdir()) == sorted(each.file for each in done)
    loaded = load(target, tmp_path / "files")
    assert [each[:4] for each in loaded] == [
        (each.kind, each.file, each.rows, each.rows) for each in done
    ]
    assert dump(target) == dump(source)
    assert not any(each.new or each.changed for each in load(source, tmp_path / "files"))


@given(content=contents())
@profiles.examples(0.2)
def test_any_rows(content: Content) -> None:
    """Whatever a database may hold comes back from Parquet, and from a CSV unless it is refused."""
    with repo.connect("sqlite://") as source, tempfile.TemporaryDirectory() as folder:
        source.migrate()
        content.write(source)
        for number, form in enumerate(FORMS):
            files = Path(folder, str(number))
            texts = {each.company_name for each in source.tickers.all()}
            texts |= {each.name for each in source.institutions.all()} | {*source.sentiment.sources()}
            if number < 2 and any(each != each.strip() for each in texts):
                with pytest.raises(TransferError, match="has blanks around it"):
                    export(source, files, **form)
                assert not any(files.iterdir())
                continue
            export(source, files, **form)
            with repo.connect("sqlite://") as target:
                target.migrate()
                load(target, files)
                assert dump(target) == dump(source)


def test_of_one_state(seeded: repo.Database, tmp_path: Path) -> None:
    """What is written meanwhile is not in the files; in a transaction its own writes are."""
    symbol = seeded.tickers.all()[0].symbol

    def write(kind: str, done: int, of: int) -> None:
        with repo.connect(str(seeded._url.secret)) as other:
            other.market.upsert([Bar(symbol, LONG, None, None, None, 1.0, None)])

    done = export(seeded, tmp_path, progress=write)
    assert {each.kind: each.rows for each in done}["market"] == 0
    assert len(seeded.market.history(symbol)) == 1
    with seeded.transaction() as tx:
        tx.market.delete(symbol, LONG, LONG)
        assert [each.rows for each in export(tx, tmp_path, force=True) if each.kind == "market"] == [0]


def test_what_is_there_stays(seeded: repo.Database, tmp_path: Path) -> None:
    """Files are replaced with force alone, and a second file of a kind is never made."""
    (tmp_path / "notes.csv").write_text("mine")
    export(seeded, tmp_path)
    before = (tmp_path / "tickers.csv").read_bytes()
    seeded.tickers.upsert([Ticker("NEW", "New")])
    with pytest.raises(ConfigurationError, match=r"has holdings.csv, .* already: --force replaces"):
        export(seeded, tmp_path)
    assert (tmp_path / "tickers.csv").read_bytes() == before
    export(seeded, tmp_path, force=True)
    assert b"NEW" in (tmp_path / "tickers.csv").read_bytes()
    with pytest.raises(ConfigurationError, match=r"a load of .* would find two files of holdings"):
        export(seeded, tmp_path, compress=True, force=True)
    assert (tmp_path / "notes.csv").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


def test_a_failure_leaves_what_was_there(seeded: repo.Database, tmp_path: Path) -> None:
    """An export that ends half way leaves the earlier files, and nothing of its own."""
    folder = tmp_path / "files"
    export(seeded, folder)
    before = {each.name: each.read_bytes() for each in folder.iterdir()}

    def fail(kind: str, done: int, of: int) -> None:
        if kind == "institutions":
            raise KeyboardInterrupt

    seeded.tickers.upsert([Ticker("NEW", "New")])
    with pytest.raises(KeyboardInterrupt):
        export(seeded, folder, force=True, progress=fail)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_disk_that_is_full(lite: repo.Database, form: dict[str, Any], tmp_path: Path) -> None:
    """What was there stays, nothing is added, and the error says how to go on."""
    folder = tmp_path / "files"
    export(lite, folder, **form)
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    days = [date.fromordinal(730_000 + number) for number in range(2_000)]
    lite.market.upsert(Bar("A", day, None, None, None, day.toordinal() / 7, None) for day in days)
    with file_limit(4_000), pytest.raises(TransferError, match="nothing was left there: make room"):
        export(lite, folder, force=True, **form)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


@pytest.fixture
def lite(tmp_path: Path) -> Any:
    """A SQLite database with one ticker."""
    with repo.connect(f"sqlite:///{tmp_path / 'lite.db'}") as db:
        db.migrate()
        db.tickers.upsert([Ticker("A", "A")])
        yield db


def test_refusals(lite: repo.Database, tmp_path: Path) -> None:
    """What cannot be done is refused before anything is written."""
    with pytest.raises(ConfigurationError, match="leave out --gzip"):
        export(lite, tmp_path / "new", form="parquet", compress=True)
    with pytest.raises(ConfigurationError, match="csv and parquet, not 'xml'"):
        export(lite, tmp_path / "new", form="xml")  # type: ignore[arg-type]  # as a caller may
    with repo.connect("sqlite://") as empty, pytest.raises(MigrationError):
        export(empty, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(ConfigurationError, match=r"cannot use .*: name another folder"):
        export(lite, tmp_path / "lite.db")
    (tmp_path / "new" / "holdings.csv").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"holdings.csv is a folder: remove it"):
        export(lite, tmp_path / "new", force=True)


def test_without_pyarrow(lite: repo.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet is told to need the extra, both ways."""
    export(lite, tmp_path / "files", form="parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"Parquet files need pyarrow: pip install .*\[arrow\]"):
        export(lite, tmp_path / "new", form="parquet")
    with pytest.raises(ConfigurationError, match=r"Parquet files need pyarrow: pip install .*\[arrow\]"):
        load(lite, tmp_path / "files")


def test_parquet_of_others(lite: repo.Database, tmp_path: Path) -> None:
    """Values of other types are taken where nothing is lost; names are those of a CSV."""
    table = pa.table(
        {
            "Ticker": pa.array(["A", "a"]).dictionary_encode(),
            "Date": pa.array([datetime(2020, 1, 1), datetime(2020, 1, 2)], pa.timestamp("ns")),
            "Close": pa.array([3, 4], pa.int32()),
            "Vol": pa.array([5.0, None], pa.float64()),
            "Low": pa.array([Decimal("0.10"), None], pa.decimal128(20, 10)),
            "Note": [["x"], None],
        }
    )
    parquet.write_table(table, tmp_path / "prices.parquet")
    (done,) = load(lite, tmp_path / "prices.parquet")
    assert (done.kind, done.rows, done.new, done.ignored) == ("market", 2, 2, ("Note",))
    assert lite.market.history("A") == [
        Bar("A", date(2020, 1, 1), None, None, 0.1, 3.0, 5),
        Bar("A", date(2020, 1, 2), None, None, None, 4.0, None),
    ]


NO_VALUES: list[tuple[str, Any, str]] = [
    ("date", pa.array([0, 2**62], pa.int64()).cast(pa.timestamp("us")), "must be a date, not str"),
    ("date", pa.array([0, 2**30], pa.int32()).cast(pa.date32()), "must be a date, not str"),
    ("date", pa.array([0, 1], pa.timestamp("ns")), "must be a date, not str"),
    ("date", pa.array([0, 0], pa.timestamp("us", "UTC")), "must be a date, not datetime"),
    ("close", pa.array([Decimal(1), Decimal("1.00000000000000001")]), "must be a float, not Decimal"),
    ("volume", pa.array([Decimal(1), Decimal("1.5")]), "must be an int, not Decimal"),
    ("symbol", pa.array([b"A", b"\xff"]).cast(pa.string(), safe=False), "must be a str, not bytes"),
]


@pytest.mark.parametrize(("name", "column", "reason"), NO_VALUES)
def test_values_that_none_can_be(
    lite: repo.Database, tmp_path: Path, name: str, column: Any, reason: str
) -> None:
    """What Python or a field has no value for is a problem of its row alone."""
    columns = {"symbol": ["A", "A"], "date": [LONG, LONG], "close": [1.0, 1.0], name: column}
    parquet.write_table(pa.table(columns), tmp_path / "market.parquet")
    with pytest.raises(InvalidRecord) as refused:
        load(lite, tmp_path / "market.parquet")
    problems = [(each.line, each.field, each.reason) for each in refused.value.problems]
    assert problems[-1] == (2, name, reason)
    assert len(problems) == (2 if "datetime" in reason else 1)


def test_damage_is_noticed(lite: repo.Database, tmp_path: Path) -> None:
    """A file of an export is refused wherever a byte of its rows is another, and cut off anywhere."""
    days = [date.fromordinal(730_000 + number) for number in range(40)]
    lite.market.upsert(Bar("A", day, None, None, None, day.toordinal() / 7, None) for day in days)
    export(lite, tmp_path / "files", form="parquet")
    file = tmp_path / "files" / "market.parquet"
    whole = file.read_bytes()
    rows = parquet.ParquetFile(file).metadata.row_group(0)
    end = sum(rows.column(number).total_compressed_size for number in range(rows.num_columns))
    for place in range(4, end, 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with suppress(InvalidRecord):
            (done,) = load(lite, file)
            assert (done.rows, done.changed) == (40, 0)
    for length in (0, 4, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(InvalidRecord, match="not a whole Parquet file, or damaged: write or copy"):
            load(lite, file)


def test_bad_rows_of_parquet(
    lite: repo.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are named by number, column and value, or left out and written to the reject file."""
    monkeypatch.chdir(tmp_path)
    bad = {
        "symbol": ["A", "A", "A", "B", None],
        "date": [datetime(2020, 1, day, day // 3) for day in range(1, 6)],
        "close": [1.0, -1.0, 3.0, 4.0, 5.0],
    }
    parquet.write_table(pa.table(bad), "market.parquet")
    with pytest.raises(InvalidRecord) as refused:
        load(lite, "market.parquet")
    assert [(each.line, each.column, each.reason) for each in refused.value.problems] == [
        (2, "close", "must be above 0 and below 1e12"),
        (3, "date", "must be a date, not datetime"),
        (4, "date", "must be a date, not datetime"),
        (5, "symbol", "must not be empty"),
        (5, "date", "must be a date, not datetime"),
    ]
    (done,) = load(lite, "market.parquet", skip_bad=True)
    assert (done.rows, done.new, done.rejected) == (5, 1, 4)
    with Path("market.parquet.rejects.csv").open(encoding="utf-8", newline="") as file:
        assert [row["line"] for row in csv.DictReader(file)] == ["2", "3", "4", "5", "5"]
    Path("market.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(InvalidRecord, match="not a whole Parquet file"):
        load(lite, "market.parquet")


EXPORTING = """
import sys, tracemalloc, repo
from pathlib import Path
from repo.delimited.parquet import Parquet
from repo.export import export

with repo.connect(sys.argv[1], read_only=True) as db:
    export(db, sys.argv[2], form="parquet")
assert "pandas" not in sys.modules
tracemalloc.start()
rows = sum(len(chunk.rows) for chunk in Parquet(Path(sys.argv[3])).chunks())
print(rows, tracemalloc.get_traced_memory()[1])
"""


def test_memory_of_parquet(lite: repo.Database, tmp_path: Path) -> None:
    """An export does without pandas, and of a file's only row group no more than a buffer is held."""
    rows = 40_000
    made = {each: [number / 7 for number in range(rows)] for each in ("open", "high", "low", "close")}
    parquet.write_table(
        pa.table(made), tmp_path / "one.parquet", compression="none", use_dictionary=False
    )
    assert (tmp_path / "one.parquet").stat().st_size > 1_200_000
    url = str(lite._url.secret)
    child = python(EXPORTING, url, os.fspath(tmp_path / "files"), os.fspath(tmp_path / "one.parquet"))
    out, err = child.communicate()
    assert child.returncode == 0, err
    assert int(out.split()[0]) == rows
    assert int(out.split()[1]) < 1_000_000


def test_command(lite: repo.Database, tmp_path: Path) -> None:
    """The command tells the rows of each file, and ends with 2 where there are files already."""
    url, folder = str(lite._url.secret), tmp_path / "files"
    done = smdi("export", folder, "--url", url, "--gzip")
    assert done.code == 0
    assert done.out.splitlines()[1].split() == ["tickers", "1", os.fspath(folder / "tickers.csv.gz")]
    refused = smdi("export", folder, "--url", url, "--gzip")
    assert (refused.code, refused.out) == (2, "")
    assert "--force" in refused.err
    assert smdi("export", folder, "--url", url, "--gzip", "--force").code == 0
    assert smdi("load", folder, "--url", url).out.endswith("nothing changed\n")
