"""What goes wrong outside of the package reaches a caller as an error of the package."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

import repo
from repo import (
    ConfigurationError,
    Database,
    DatabaseUnavailable,
    InvalidRecord,
    QueryContractError,
    RangeError,
)
from repo.delimited import rejects
from repo.loading import load
from tests.builders import bar, content, day, seed
from tests.cli_helpers import smdi

DAYS = 300


def full(*_: object, **__: object) -> Any:
    """A file on a disk without room: what is written to it fails, at the latest when it is closed."""
    return open("/dev/full", "w+b", buffering=0)  # noqa: PTH123  # as a temporary file


def no_folder(*_: object, **__: object) -> Any:
    raise FileNotFoundError(2, "No usable temporary directory found")


@pytest.mark.parametrize("kind", [full, no_folder])
def test_no_room_for_what_is_set_aside(
    db: Database, url: str, monkeypatch: pytest.MonkeyPatch, kind: Callable[..., Any]
) -> None:
    """Where rows that come only once cannot be set aside, that is told, and nothing is written."""
    seed(db)
    before = content(url)
    monkeypatch.setattr(tempfile, "TemporaryFile", kind)
    rows = (bar(on=day(number % 1500)) for number in range(3000))
    if db.dialect == "postgresql":  # where they go to the server at once
        assert db.market.upsert(rows) == 1500
        return
    with pytest.raises(DatabaseUnavailable, match=r"cannot set rows aside: No .*TMPDIR") as raised:
        db.market.upsert(rows)
    assert isinstance(raised.value.__cause__, OSError)
    assert content(url) == before
    monkeypatch.undo()
    assert db.market.upsert([bar()]) == 1


@pytest.mark.parametrize("buffered", [0, 1 << 20])
def test_no_room_for_rejects(
    db: Database, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffered: int
) -> None:
    """A reject file that cannot be written is told as one; what the load wrote is rolled back."""
    seed(db)
    before = content(url)
    path = tmp_path / "market.csv"
    bad = "".join(f"AAPL,2020-01-02,{'x' * 100}\n" for _ in range(500))
    path.write_text(f"symbol,date,close\nAAPL,2020-01-01,1\n{bad}")

    def file(*_: object, **__: object) -> Any:
        return open("/dev/full", "w+", encoding="utf-8", buffering=buffered or 100)  # noqa: PTH123

    monkeypatch.setattr(rejects, "_nameless", file)
    error = ConfigurationError if not buffered else repo.RepoError
    with pytest.raises(error, match=r"r\.csv: No space left"):
        load(db, path, skip_bad=True, rejects=tmp_path / "r.csv")
    if not buffered:
        assert content(url) == before
    assert [each.name for each in tmp_path.iterdir() if "r.csv" in each.name] == []


def make_lax(path: Path) -> None:
    """Let the tables of a SQLite file take values of any type, as another tool would make them."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute(
            "UPDATE sqlite_master SET sql = replace(replace(sql, 'STRICT, WITHOUT', 'WITHOUT'),"
            " ') STRICT', ')')"
        )


READS: dict[str, Callable[[Database], object]] = {
    "latest": lambda db: db.market.latest(),
    "coverage": lambda db: db.market.coverage(),
    "app": lambda db: db.queries.app.days(),
    "frame": lambda db: db.queries.app.frame(),
    "one": lambda db: db.queries.app.last(),
}
APP = """
-- name: days()
-- record_class: Day(day: date, volume: int | None)
-- Days. Index: market_data_pkey.
SELECT m.date AS day, m.volume AS volume FROM market_data AS m ORDER BY m.ticker_id, m.date;

-- name: frame()
-- record_class: Day(day: date, volume: int | None)
-- Days as a table. Index: market_data_pkey.
SELECT m.date AS day, m.volume AS volume FROM market_data AS m ORDER BY m.ticker_id, m.date;

-- name: last()$
-- record_class: Last(day: date)
-- The last day. Index: market_data_pkey.
SELECT MAX(m.date) AS day FROM market_data AS m;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lax.db"


@pytest.fixture
def lax(path: Path, tmp_path: Path) -> Iterator[Database]:
    """A database on SQLite whose tables take anything."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.sql").write_text(APP)
    with repo.connect(f"sqlite:///{path}") as db:
        db.migrate()
        seed(db)
        db.market.upsert(bar(on=day(number)) for number in range(DAYS))
    make_lax(path)
    with repo.connect(f"sqlite:///{path}", queries=[folder]) as db:
        yield db


_STORED: dict[str, tuple[object, type[repo.RepoError], str]] = {
    "text": ("2020-01-02", QueryContractError, "as text"),
    "blob": (b"\0\xff", QueryContractError, "as a blob"),
    "huge": (2**62, RangeError, str(2**62)),
    "past the calendar": (99_999_999, RangeError, "99999999"),
    "real": (1e300, QueryContractError, "as a real"),
}


@pytest.mark.parametrize("case", _STORED)
@pytest.mark.parametrize("warm", [False, True])
def test_dates_that_are_none(lax: Database, path: Path, case: str, warm: bool) -> None:
    """What another tool left in a column of dates is named with query and column, not handed out."""
    value, error, said = _STORED[case]
    if warm:
        for read in READS.values():
            read(lax)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("UPDATE market_data SET date = ? WHERE date = ?", (value, 14_613 + DAYS - 1))
    for name, read in READS.items():
        with pytest.raises(error, match=f"(market|app).{name}.*{said}|{said}"):
            read(lax)
    lax.market.upsert([bar("MSFT")])
    assert len(lax.market.history("MSFT")) == 1


@pytest.mark.parametrize("value", ["many", b"\0", 1e300])
def test_a_frame_of_what_does_not_fit(lax: Database, path: Path, value: object) -> None:
    """A column of a frame that holds another type far down, too, is an error of ours."""
    lax.queries.app.frame()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("UPDATE market_data SET volume = ? WHERE date = ?", (value, 14_613 + DAYS - 1))
    with pytest.raises(QueryContractError, match=r"app\.frame .* gives volume as"):
        lax.queries.app.frame()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


_NO_FILES: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a broken link": lambda path: path.symlink_to("nowhere"),
    "a pipe": _fifo,
}


@pytest.mark.parametrize("case", _NO_FILES)
@pytest.mark.parametrize("place", ["m.sql", "sqlite/m.sql"])
def test_what_is_no_file_of_queries(tmp_path: Path, case: str, place: str) -> None:
    """A folder, a link to nothing or a pipe among the queries is named, and never waited for."""
    (tmp_path / "sqlite").mkdir()
    _NO_FILES[case](tmp_path / place)
    with pytest.raises(QueryContractError, match=r"m\.sql is not a regular file"):
        repo.connect("sqlite://", queries=[tmp_path])


@pytest.mark.parametrize("case", _NO_FILES)
def test_what_is_no_file_to_load(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it loaded, written over as a reject file, or opened as a database."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "market.csv"
    _NO_FILES[case](path)
    with repo.connect("sqlite://") as db:
        db.migrate()
        seed(db)
        with pytest.raises(ConfigurationError):
            load(db, path)
        with pytest.raises(ConfigurationError):
            load(db, [tmp_path])
        good = tmp_path / "sentiment.csv"
        good.write_text("symbol,source,date,interest\nAAPL,s,2020-01-01,x\n")
        with pytest.raises(ConfigurationError, match=r"market\.csv"):
            load(db, good, skip_bad=True, rejects=path)
        assert db.sentiment.sources() == []
    assert smdi("load", path, "--url", "sqlite:///x.db").code == 2
    if case != "a broken link":
        for read_only in (False, True):
            with pytest.raises(DatabaseUnavailable, match=r"market\.csv"):
                repo.connect(f"sqlite:///{path}", read_only=read_only)


def test_arguments_of_another_kind(db: Database, tmp_path: Path) -> None:
    """Whatever is given in place of rows, symbols, paths and numbers is an error of ours."""
    huge = 10**5000
    anything: Any = 5
    calls: list[Callable[[], object]] = [
        lambda: db.market.latest(anything),
        lambda: db.tickers.upsert(anything),
        lambda: db.migrate(huge),
        lambda: db.run(lambda tx: None, attempts=-huge),
        lambda: db.transaction(isolation=cast(Any, huge)).__enter__(),
        lambda: load(db, anything),
        lambda: load(db, [anything]),
        lambda: load(db, "a\0b.csv", kind="tickers"),
        lambda: load(db, tmp_path, skip_bad=True, rejects="x\0y"),
        lambda: load(db, tmp_path, mapping={"cusip": cast(Any, huge)}),
        lambda: repo.connect("sqlite:///:memory:"),
        lambda: repo.connect("postgresql:///x?application_name=%FF"),
    ]
    for call in calls:
        with pytest.raises((ConfigurationError, InvalidRecord)):
            call()


def test_a_name_that_is_not_utf8(db: Database, tmp_path: Path) -> None:
    """Its bad rows are rejected like others'."""
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xff.csv"))
    file.write_text("symbol,company_name\nA,Apple\n,bad\n")
    target = tmp_path / "rejects.csv"
    (loaded,) = load(db, file, kind="tickers", skip_bad=True, rejects=target)
    assert (loaded.new, loaded.rejected) == (1, 1)
    assert "f\\udcff.csv" in target.read_text(encoding="utf-8")


def test_rejects_on_a_disk_that_can_hold_them_once(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was set aside gets a name; it is not written a second time."""
    try:
        probe = os.open(tmp_path, os.O_TMPFILE | os.O_RDWR)
        os.link(f"/proc/self/fd/{probe}", tmp_path / "probe", src_dir_fd=probe, follow_symlinks=True)
    except (AttributeError, OSError):
        pytest.skip("this file system has no files without a name that can be given one")
    os.close(probe)
    seed(db)
    path = tmp_path / "market.csv"
    path.write_text("symbol,date,close\nAAPL,2020-01-01,1\nAAPL,2020-01-02,bad\n")
    monkeypatch.setattr(shutil, "copyfileobj", lambda *_: pytest.fail("it was written again"))
    (loaded,) = load(db, path, skip_bad=True, rejects=tmp_path / "r.csv")
    assert loaded.rejected == 1
    assert (tmp_path / "r.csv").stat().st_mode & 0o777 == 0o600
    assert "bad" in (tmp_path / "r.csv").read_text()
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.endswith("csv")) == [
        "market.csv",
        "r.csv",
    ]
