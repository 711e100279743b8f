"""Loading what is not as it should be: bad rows, reject files, damaged files, a killed process."""

from __future__ import annotations

import csv
import gzip
import os
import signal
import stat
import tracemalloc
from collections import deque
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import repo
from repo import Bar, Database, Institution, RepoError, Ticker
from repo.delimited.files import Delimited
from repo.delimited.headers import lay_out
from repo.delimited.rejects import Rejects
from repo.delimited.source import FileSource
from repo.errors import ConfigurationError, InvalidRecord, UnknownTicker
from repo.loading import Loaded, load
from tests.builders import content, python

DAY = date(2020, 1, 2)
HEADER = "symbol,date,close,volume"
REJECT_HEADER = ["file", "line", "column", "value", "reason", "row"]


pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def stocked(db: Database) -> Database:
    """A database with the ticker A."""
    db.tickers.upsert([Ticker("A", "Aye")])
    return db


@pytest.fixture
def memory() -> Iterator[Database]:
    """The same in memory, for what does not depend on the engine."""
    with repo.connect("sqlite://") as db:
        db.migrate()
        db.tickers.upsert([Ticker("A", "Aye")])
        yield db


def day(number: int) -> str:
    return date.fromordinal(DAY.toordinal() + number).isoformat()


def market(*rows: str, name: str = "market.csv", header: str = HEADER) -> Path:
    path = Path(name)
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8", newline="")
    return path


def present() -> list[str]:
    """What is in the current folder, and would be left there."""
    return sorted(path.name for path in Path().iterdir())


def rejects(name: str = "market.csv.rejects.csv") -> list[list[str]]:
    """The lines of a reject file, below its header."""
    with Path(name).open(encoding="utf-8", newline="") as text:
        header, *lines = csv.reader(text, strict=True)
    assert header == REJECT_HEADER
    return lines


def test_problems_are_named_in_the_order_of_the_file(stocked: Database) -> None:
    """Cells that cannot be read and values that are refused are told together; nothing is written."""
    path = market(
        f"A,{day(0)},1,5",
        f"A,{day(1)},-1,5",
        f'A,{day(2)},"1\n",5',
        "A,never,x,5",
        f"A,{day(3)},1",
        f"A,{day(4)},1,-5,",
        f"A B,{day(4)},1,5",
    )
    with pytest.raises(InvalidRecord) as refused:
        load(stocked, path)
    name = str(path)
    assert list(refused.value.problems) == [
        (1, "close", "-1", "must be above 0 and below 1e12", name, 3, "close"),
        (3, "date", "never", "must be a date as YYYY-MM-DD or YYYYMMDD", name, 6, "date"),
        (3, "close", "x", "must be a number", name, 6, "close"),
        (4, "row", f"A,{day(3)},1", "3 cells where the header has 4", name, 7, None),
        (5, "row", f"A,{day(4)},1,-5,", "5 cells where the header has 4", name, 8, None),
        (
            6,
            "symbol",
            "A B",
            "must have 1 to 16 characters from A-Z, 0-9, '.' and '-'",
            name,
            9,
            "symbol",
        ),
    ]
    assert str(refused.value).startswith("market.csv:3: close = '-1': must be above 0")
    assert stocked.market.history("A") == []


def test_the_first_twenty_problems(stocked: Database) -> None:
    """Of many problems the first 20 are told, from however far apart in the file."""
    rows = [f"A,{day(number)},{'x' if number % 150 == 149 else 1},5" for number in range(4000)]
    with pytest.raises(InvalidRecord) as refused:
        load(stocked, market(*rows))
    assert [problem.line for problem in refused.value.problems] == [
        150 * number + 1 for number in range(1, 21)
    ]
    assert [problem.row for problem in refused.value.problems][:2] == [149, 299]


def test_columns_are_named_as_in_the_file(memory: Database) -> None:
    """A problem names its column as the file's header does, and its field as the record does."""
    with pytest.raises(InvalidRecord) as refused:
        load(memory, market("A,20200102,1,1.5", header="<TICKER>,<DATE>,Adj Close,<VOL>"))
    assert (refused.value.problems[0].field, refused.value.problems[0].column) == ("volume", "<VOL>")


def test_lines_are_physical(memory: Database) -> None:
    """A row's line is that on which it starts, after rows of several lines and blank ones."""
    rows = ['X,"one\ntwo\r\nthree"', "", "Y,"]
    path = market(*rows * 700, "Z,", name="tickers.csv", header="symbol,company_name")
    (loaded,) = load(memory, path, skip_bad=True)
    assert (loaded.rows, loaded.rejected) == (1401, 701)
    assert [int(line[1]) for line in rejects("tickers.csv.rejects.csv")] == [
        *(5 * number + 6 for number in range(700)),
        3502,
    ]


def test_skipping_bad_rows(stocked: Database) -> None:
    """The good rows are loaded, the bad ones written down with what is wrong and as they were."""
    path = market(
        f"A,{day(0)},1,5",
        f"A,{day(1)},,x",
        f'"A",{day(2)},"1,5",5',
        f"NOPE,{day(2)},1,5",
        f"A,{day(3)},0,5",
        f"A,{day(4)}",
        f"a,{day(5)},2,",
    )
    assert load(stocked, path, skip_bad=True) == [
        Loaded("market", path, 7, 2, 0, 0, 0, 5, (), Path("market.csv.rejects.csv"))
    ]
    assert [bar.date.isoformat() for bar in stocked.market.history("A")] == [day(0), day(5)]
    name = str(path)
    assert rejects() == [
        [name, "3", "close", "", "must not be empty", f"A,{day(1)},,x"],
        [name, "3", "volume", "x", "must be a whole number", f"A,{day(1)},,x"],
        [name, "4", "close", "1,5", "must be a number", f'A,{day(2)},"1,5",5'],
        [name, "5", "symbol", "NOPE", "unknown ticker", f"NOPE,{day(2)},1,5"],
        [name, "6", "close", "0", "must be above 0 and below 1e12", f"A,{day(3)},0,5"],
        [name, "7", "row", f"A,{day(4)}", "2 cells where the header has 4", f"A,{day(4)}"],
    ]
    assert present() == ["market.csv", "market.csv.rejects.csv"]


def test_rejected_rows_can_be_mended_and_loaded(memory: Database) -> None:
    """The row in a reject file is a row of the file it came from, whatever was in it."""
    text = 'symbol\tcompany_name\tcusip\nX\t"a\tb\rc\nd""e"\tshort\n'
    Path("tickers.tsv").write_text(text, encoding="utf-8", newline="")
    load(memory, "tickers.tsv", skip_bad=True)
    (line,) = rejects("tickers.tsv.rejects.csv")
    mended = f"symbol\tcompany_name\tcusip\n{line[5].replace('short', '037833100')}\n"
    Path("tickers.tsv").write_text(mended, encoding="utf-8", newline="")
    load(memory, "tickers.tsv")
    assert memory.tickers.get("X") == Ticker("X", 'a\tb\rc\nd"e', "037833100")


def test_every_bad_row_of_many_is_rejected(stocked: Database) -> None:
    """More bad rows than an error would name are all rejected, and each once."""
    rows = [
        f"{'A' if number % 5 else 'NOPE'},{day(number)},{number % 3},{number % 2 - 1}"
        for number in range(3000)
    ]
    good = [number for number in range(3000) if number % 5 and number % 3 and number % 2]
    (loaded,) = load(stocked, market(*rows), skip_bad=True)
    assert (loaded.rows, loaded.new, loaded.rejected) == (3000, len(good), 3000 - len(good))
    assert [bar.date.isoformat() for bar in stocked.market.history("A")] == [day(n) for n in good]
    assert {int(line[1]) - 2 for line in rejects()} == set(range(3000)) - set(good)


def test_rejects_are_written_once_where_a_file_is_read_twice(stocked: Database) -> None:
    """Keys that come again far apart make SQLite read a file again; its rejects stay single."""
    rows = [f"A,{day(number % 1500)},{number or ''},5" for number in range(3000)]
    (loaded,) = load(stocked, market(*rows), skip_bad=True)
    assert (loaded.rows, loaded.new, loaded.repeated, loaded.rejected) == (3000, 1500, 1499, 1)
    assert [line[1] for line in rejects()] == ["2"]


def test_unknown_institutions_are_rejected(stocked: Database) -> None:
    """Rows that name an unknown institution are bad rows when those are skipped."""
    stocked.institutions.upsert([Institution(7, "Seven")])
    header = "symbol,cik,quarter_end,filing_date,shares_held,market_value"
    path = market(
        "A,7,2019-12-31,2020-02-14,5,5",
        "A,8,2019-12-31,2020-02-14,5,5",
        name="holdings.csv",
        header=header,
    )
    assert load(stocked, path, skip_bad=True)[0].rejected == 1
    assert rejects("holdings.csv.rejects.csv")[0][1:5] == ["3", "cik", "8", "unknown institution"]


def test_what_is_loaded_before_is_known(stocked: Database) -> None:
    """Rows of tickers that come in the same load are good rows."""
    names = market("Q,Cue", name="tickers.csv", header="symbol,company_name")
    loaded = load(stocked, [market(f"Q,{day(0)},1,1", f"A,{day(0)},1,1"), names], skip_bad=True)
    assert [each.rejected for each in loaded] == [0, 0]


def test_an_unknown_symbol_is_no_bad_row(stocked: Database) -> None:
    """A symbol that is said and unknown is an error, not a file full of bad rows."""
    path = market(f"{day(0)},1", header="date,close")
    with pytest.raises(UnknownTicker):
        load(stocked, path, symbol="NOPE", skip_bad=True)
    assert not Path("market.csv.rejects.csv").exists()


def test_a_symbol_that_is_said_is_no_column(memory: Database) -> None:
    """A bad row of a file about one ticker is told without a column for the symbol."""
    load(memory, market(f"{day(0)},x", header="date,close"), symbol="A", skip_bad=True)
    assert rejects()[0][2:] == ["close", "x", "must be a number", f"{day(0)},x"]


def test_where_rejects_go(memory: Database) -> None:
    """A reject file that is asked for is written even without rejects, the other only with some."""
    bad, good = f"A,{day(0)},x,1", f"A,{day(0)},1,1"
    assert load(memory, market(good), skip_bad=True)[0].rejects is None
    assert not Path("market.csv.rejects.csv").exists()
    assert load(memory, market(good), skip_bad=True, rejects="r.csv")[0].rejects == Path("r.csv")
    assert rejects("r.csv") == []
    load(memory, market(bad), skip_bad=True, rejects="r.csv")
    assert len(rejects("r.csv")) == 1
    load(memory, market(bad), skip_bad=True)
    assert len(rejects()) == 1
    load(memory, market(good), skip_bad=True)
    assert not Path("market.csv.rejects.csv").exists(), "it would speak of an earlier load"


def test_files_of_one_name_share_a_reject_file(memory: Database) -> None:
    """Two files of one name, or one reject file for all, have their rejects beside each other."""
    Path("a").mkdir()
    first = market(f"A,{day(0)},x,1", name="a/market.csv")
    second = market(f"A,{day(1)},y,1", f"A,{day(2)},1,1")
    loaded = load(memory, [first, second], skip_bad=True)
    assert [each.rejected for each in loaded] == [1, 1]
    assert [line[0] for line in rejects()] == ["a/market.csv", "market.csv"]


def test_nothing_is_overwritten_but_rejects(memory: Database) -> None:
    """Rejects go neither over a file that is loaded nor over one that is no reject file."""
    path = market(f"A,{day(0)},x,1")
    before = path.read_bytes()
    Path("link.csv").symlink_to(path)
    Path("notes.csv").write_text("mine", encoding="utf-8")
    for target, message in (
        ("market.csv", "is being loaded"),
        ("link.csv", "is being loaded"),
        ("notes.csv", "is no reject file"),
        ("none/r.csv", "cannot write none/r.csv: No such file"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            load(memory, path, skip_bad=True, rejects=target)
    assert path.read_bytes() == before
    assert Path("notes.csv").read_text(encoding="utf-8") == "mine"
    assert present() == ["link.csv", "market.csv", "notes.csv"]


def test_a_load_that_fails_leaves_no_reject_file(stocked: Database) -> None:
    """When a later file fails there is neither a row nor a reject file, nor a piece of one."""
    bars = market(f"A,{day(0)},1,1", f"A,{day(1)},x,1")
    quoted = market(f'A,{day(0)},"1"x,1', name="broken.csv")
    with pytest.raises(InvalidRecord, match=r"broken\.csv:2: .*cannot be read as rows"):
        load(stocked, [bars, quoted], skip_bad=True)
    assert stocked.market.history("A") == []
    assert present() == ["broken.csv", "market.csv"]


def test_an_earlier_reject_file_survives_a_load_that_fails(memory: Database) -> None:
    """A reject file speaks of the last load that was committed."""
    load(memory, market(f"A,{day(0)},x,1"), skip_bad=True)
    before = rejects()
    market(f"A,{day(0)},y,1", 'A,"')
    with pytest.raises(InvalidRecord):
        load(memory, "market.csv", skip_bad=True)
    assert rejects() == before


def test_reject_files_are_their_owner_s_alone(memory: Database) -> None:
    """They hold rows of the database's owner: mode 0600, whatever the umask, an earlier file's too."""
    path = market(f"A,{day(0)},x,1")
    before = os.umask(0)
    try:
        for _ in range(2):
            load(memory, path, skip_bad=True)
            made = Path("market.csv.rejects.csv")
            assert stat.S_IMODE(made.stat().st_mode) == 0o600
            made.chmod(0o666)
    finally:
        os.umask(before)


def test_rejects_go_through_no_link(memory: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link in the place of a reject file, or laid there meanwhile, is neither followed nor kept."""
    path = market(f"A,{day(0)},x,1")
    target = Path("market.csv.rejects.csv")
    Path("mine").write_text("mine", encoding="utf-8")
    Path("old.csv").write_text(",".join(REJECT_HEADER) + "\n", encoding="utf-8")
    for other in ("mine", "old.csv", "none"):
        target.symlink_to(other)
        with pytest.raises(ConfigurationError, match="is there and is no reject file"):
            load(memory, path, skip_bad=True)
        target.unlink()
    Path(f"{target}.partial").symlink_to("mine")

    def lay(self: Rejects, **arguments: bool) -> None:
        target.symlink_to("mine")
        publish(self, **arguments)

    publish = Rejects.publish
    monkeypatch.setattr(Rejects, "publish", lay)
    load(memory, path, skip_bad=True)
    assert not target.is_symlink()
    assert len(rejects()) == 1
    assert Path("mine").read_text(encoding="utf-8") == "mine"
    assert Path("old.csv").read_text(encoding="utf-8") == ",".join(REJECT_HEADER) + "\n"
    assert not Path("none").exists()


def test_rejects_are_on_disk_before_their_name_is(
    memory: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the file and then the folder that names it are made to last, for the rows are loaded."""
    done: list[str] = []
    rename, sync = Path.replace, os.fsync

    def replacing(self: Path, target: Path) -> Path:
        done.append("rename")
        return rename(self, target)

    def syncing(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    monkeypatch.setattr(Path, "replace", replacing)
    monkeypatch.setattr(os, "fsync", syncing)
    load(memory, market(f"A,{day(0)},x,1"), skip_bad=True)
    assert done == ["file", "rename", "folder"]


def test_rejects_that_cannot_be_written(memory: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up at the very end is told for what it is, without a half-written file."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RepoError, match=r"the rows are loaded, but .*No space left"):
        load(memory, market(f"A,{day(0)},x,1", f"A,{day(1)},1,1"), skip_bad=True)
    assert len(memory.market.history("A")) == 1
    assert present() == ["market.csv"]


_TRUNCATED = gzip.compress(b"symbol,date,close\n")[:-9]
_DAMAGED: dict[str, tuple[bytes, str, int, str]] = {
    "empty": (b"", "market.csv", 1, "the file is empty"),
    "blank": (b"\n \n", "market.csv", 1, "the file is empty"),
    "a byte order mark": (b"\xef\xbb\xbf", "market.csv", 1, "the file is empty"),
    "latin 1": (b"symbol,date,close\nA,2020-01-02,1\r\n\nA,caf\xe9,1\n", "market.csv", 4, "not UTF-8"),
    "a surrogate": (b"symbol,date,close\nA,2020-01-02,1\rA,\xed\xa0\x80,1\n", "market.csv", 3, "UTF-8"),
    "UTF-16": ("symbol,date,close\n".encode("utf-16"), "market.csv", 1, "not UTF-8"),
    "gzip by another name": (gzip.compress(b"x"), "market.csv", 1, "not UTF-8"),
    "no gzip": (b"symbol,date,close\n", "market.csv.gz", 1, "not a whole gzip file"),
    "gzip cut off": (_TRUNCATED, "market.csv.gz", 2, "not a whole gzip file"),
    "gzip cut off in the first line": (_TRUNCATED[:12], "market.txt.gz", 1, "not a whole gzip file"),
    "a quote in the header": (b'symbol,"date\n', "market.csv", 1, "unexpected end of data"),
    "a quote without end": (
        b'symbol,date,close\n\n"A,2020-01-02,1\nA,\n',
        "market.csv",
        3,
        "unexpected end of data",
    ),
    "text after a quote": (
        b'symbol,date,close\n"a\nb"c,2020-01-02,1\n',
        "market.csv",
        2,
        "expected after",
    ),
    "an endless cell": (
        b"symbol,date,close\n" + b"A" * 200_000 + b",2020-01-02,1\n",
        "market.csv",
        2,
        "field limit",
    ),
}


@pytest.mark.parametrize("case", _DAMAGED)
@pytest.mark.parametrize("skip_bad", [False, True])
def test_damaged_files(memory: Database, case: str, skip_bad: bool) -> None:
    """An empty, damaged or wrongly encoded file is an error that names the file and the line."""
    data, name, line, reason = _DAMAGED[case]
    Path(name).write_bytes(data)
    with pytest.raises(InvalidRecord) as refused:
        load(memory, name, skip_bad=skip_bad)
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == (name, line)
    assert reason in problem.reason


def test_problems_above_the_damage_are_told_too(memory: Database) -> None:
    """Where a file breaks off in the middle, the bad rows above are named first."""
    with pytest.raises(InvalidRecord) as refused:
        load(memory, market(f"A,{day(0)},x,1", 'A,"'))
    assert [problem.line for problem in refused.value.problems] == [2, 3]


def test_memory_is_bounded(memory: Database) -> None:
    """Reading a file ten times as long takes no more memory."""

    def peak(rows: int) -> int:
        path = market(*(f"A,{day(number)},1.5,5" for number in range(rows)))
        file = Delimited(path)
        source = FileSource(file, lay_out(path, file.header, "market", None, {}), None, None)
        tracemalloc.start()
        try:
            deque(source, maxlen=0)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(3000)
    assert peak(30_000) < 1.5 * peak(3000)


_KILLED = """
import sys, time, repo
from repo import loading

def stall(kind, rows, position, size):
    if kind == "market" and rows >= 20_000:
        print("in the middle", flush=True)
        time.sleep(600)

with repo.connect(sys.argv[1]) as db:
    loading.load(db, ".", skip_bad=True, progress=stall)
"""


def test_a_killed_process_leaves_nothing(stocked: Database, url: str) -> None:
    """A process killed in the middle of a load leaves the database and the folder as they were."""
    stocked.market.upsert([Bar("A", DAY, None, None, None, 9.0, None)])
    before = content(url)
    market("K,Kay", name="tickers.csv", header="symbol,company_name")
    market(*(f"A,{day(number)},{number or 'x'},5" for number in range(30_000)))
    with python(_KILLED, url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert content(url) == before
    assert present() == ["market.csv", "tickers.csv"]
    assert [each.new for each in load(stocked, ".", skip_bad=True)] == [1, 29_999]
