"""smdi: what its commands write, in which form, and with which exit code they end."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

import repo
from repo import Bar, Database, Holding, Institution, Sentiment, Ticker
from repo.cli import demo_data
from repo.cli.app import app
from repo.export import export
from tests.builders import content, python
from tests.cli_helpers import on_a_terminal, smdi, start, whole

COMMANDS = (
    "queries",
    "stubs",
    "explain",
    "migrate",
    "load",
    "export",
    "backup",
    "restore",
    "maintain",
    "sizes",
    "health",
    "doctor",
    "grant",
    "tickers",
    "history",
    "summary",
    "coverage",
    "holdings",
    "ranking",
    "timeline",
    "review",
    "copy",
    "verify",
    "demo",
)
Q4, Q1, Q2 = date(2019, 12, 31), date(2020, 3, 31), date(2020, 6, 30)
AS_OF = date(2020, 8, 20)
LONG_NAME = "The Very Long Name of a Company That No Terminal Is Wide Enough For [bold] " * 3


pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def filled(db: Database) -> Database:
    """A database with a little of everything, and a ranking of two tickers."""
    db.tickers.upsert([Ticker("A", LONG_NAME.strip(), "037833100"), Ticker("B", "Bee")])
    db.institutions.upsert([Institution(7, "Seven")])
    db.market.upsert(
        Bar("A", AS_OF - timedelta(days=back), 1.0, 3.0, 0.1, 1234.5 / (back + 1) + 1 / 3, 10**7)
        for back in range(30)
    )
    db.market.upsert([Bar("B", AS_OF, None, None, None, 0.001234, None)])
    db.holdings.upsert(
        Holding(symbol, 7, quarter, quarter + timedelta(days=45), shares, 10**9, 0.123)
        for symbol, before, now in (("A", 300, 400), ("B", 300, 100))
        for quarter, shares in ((Q1, before), (Q2, now))
    )
    db.sentiment.upsert(
        Sentiment(symbol, "src", AS_OF - timedelta(days=back), interest)
        for symbol, recent, earlier in (("A", 5, 9), ("B", 9, 5))
        for back, interest in ((3, recent), (15, earlier))
    )
    return db


READ: dict[str, tuple[str, ...]] = {
    "tickers": (),
    "history": ("a", "--start", "2020-08-15"),
    "summary": ("A", "--end", "2020-08-18"),
    "coverage": (),
    "holdings": ("A", "--start", "2020-06-01"),
    "ranking": ("2020-08-20", "--window", "10"),
    "timeline": ("A", "--source", "src"),
}


def expected(db: Database, command: str) -> list[Any]:
    """What each command of READ reads."""
    reads: dict[str, Callable[[], list[Any]]] = {
        "tickers": lambda: db.tickers.all(),
        "history": lambda: db.market.history("A", date(2020, 8, 15)),
        "summary": lambda: [db.market.summary("A", end=date(2020, 8, 18))],
        "coverage": lambda: db.market.coverage(),
        "holdings": lambda: db.holdings.history("A", date(2020, 6, 1)),
        "ranking": lambda: db.divergence.ranking(AS_OF, window_days=10),
        "timeline": lambda: db.divergence.timeline("A"),
    }
    return reads[command]()


def iso(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


@pytest.mark.parametrize("command", READ)
def test_forms(filled: Database, url: str, command: str) -> None:
    """JSON and CSV have every field and digit; a table in a pipe is plain, and cuts nothing."""
    rows, told = expected(filled, command), {}
    assert rows
    for form in ("json", "csv", "table"):
        done = smdi(command, *READ[command], "--format", form, "--url", url)
        assert (done.code, done.err) == (0, "")
        told[form] = done.out
    assert json.loads(told["json"]) == [
        {field: iso(value) for field, value in row._asdict().items()} for row in rows
    ]
    header, *lines = csv.reader(io.StringIO(told["csv"], newline=""), strict=True)
    assert header == list(rows[0]._fields)
    assert lines == [["" if value is None else str(value) for value in row] for row in rows]
    table = told["table"].splitlines()
    assert smdi(command, *READ[command], "--url", url).out == told["table"]
    assert not re.search("[\x1b│─…]", told["table"])
    assert len(table) == (len(rows[0]) if command == "summary" else len(rows) + 1)
    if command == "tickers":
        assert table[1] == f"A       {LONG_NAME.strip()}  037833100"


def test_numbers_in_a_table(filled: Database, url: str) -> None:
    """Numbers in a table stand to the right with sensible digits; fractions are percents."""
    assert smdi("history", "A", "--start", AS_OF, "--url", url).out.splitlines() == [
        "symbol  date        open  high     low     close      volume",
        "A       2020-08-20  1.00  3.00  0.1000  1,234.83  10,000,000",
    ]
    assert smdi("history", "B", "--url", url).out.splitlines()[1].split() == ["B", str(AS_OF), "0.0012"]
    assert smdi("ranking", AS_OF, "--window", "10", "--url", url).out.splitlines() == [
        "symbol    flow  interest change  price return  institutional rank  retail rank  divergence",
        "A       +33.3%           -44.4%       +997.0%                1.00         0.00       +1.00",
        "B       -66.7%           +80.0%                              0.00         1.00       -1.00",
    ]


def test_holdings_as_of(filled: Database, url: str) -> None:
    """With --as-of only what was known on a day is listed; a range beside it is wrong use."""
    done = smdi("holdings", "A", "--as-of", "2020-06-01", "--format", "csv", "--url", url)
    assert done.out.splitlines()[1:] == ["A,7,2020-03-31,2020-05-15,300,1000000000,0.123"]
    done = smdi("holdings", "A", "--as-of", "2020-06-01", "--start", "2020-01-01", "--url", url)
    assert done.code == 2
    assert "--as-of goes without" in done.err


def test_limit(filled: Database, url: str) -> None:
    """A limit keeps the first rows; none at all needs no explanation."""
    assert (
        len(smdi("ranking", AS_OF, "--window", "10", "--limit", "1", "--url", url).out.split("\n")) == 3
    )
    assert smdi("ranking", AS_OF, "--limit", "0", "--format", "json", "--url", url) == (0, "[]\n", "")


def test_empty_answers(filled: Database, url: str) -> None:
    """No rows are no error: the form is kept on stdout, and stderr says so."""
    done = smdi("history", "a", "--end", "1999-01-01", "--format", "csv", "--url", url)
    assert done == (0, "symbol,date,open,high,low,close,volume\n", "A has no bars there\n")
    done = smdi("summary", "A", "--end", "1999-01-01", "--format", "json", "--url", url)
    assert done == (0, "[]\n", "A has no bars there\n")
    assert smdi("summary", "A", "--end", "1999-01-01", "--url", url).code == 0
    filled.migrate(0)
    filled.migrate()
    for command in ("tickers", "coverage"):
        assert smdi(command, "--format", "json", "--url", url)[:2] == (0, "[]\n")


def test_an_empty_ranking_is_explained(filled: Database, url: str) -> None:
    """An empty ranking says on stderr what is missing or what it would take."""
    done = smdi("ranking", "2019-01-01", "--window", "10", "--format", "json", "--url", url)
    assert done[:2] == (0, "[]\n")
    assert "filings for two quarters, both filed by 2019-01-01" in done.err
    assert "interest of src from 2018-12-23 to 2019-01-01, and from 2018-12-13" in done.err
    done = smdi("ranking", AS_OF, "--source", "x", "--url", url)
    assert "there is no source 'x'; there are: src" in done.err
    filled.migrate(0)
    filled.migrate()
    assert "no retail interest at all" in smdi("ranking", AS_OF, "--url", url).err
    assert (
        "there is no source 'x'; there are none"
        in smdi("ranking", AS_OF, "--source", "x", "--url", url).err
    )


def test_migrate(empty_url: str) -> None:
    """Migrating tells what was applied, and goes down only when told twice."""
    done = smdi("migrate", "--url", empty_url)
    assert done == (0, "applied 0001_tables\napplied 0002_indexes\n", "")
    assert smdi("migrate", "--url", empty_url) == (0, "already at 2\n", "")
    done = smdi("migrate", "--to", "1", "--url", empty_url)
    assert done.code == 2
    assert "deletes tables and the rows in them; give --yes" in done.err
    assert smdi("migrate", "--to", "1", "--yes", "--url", empty_url).out == "undid 0002_indexes\n"
    assert smdi("migrate", "--to", "9", "--url", empty_url).code == 2


def test_load(empty_url: str, filled: Database) -> None:
    """Loading migrates an empty database, tells what came and what changed, and again nothing."""
    folder = Path("files")
    export(filled, folder)
    done = smdi("load", folder, "--url", empty_url)
    assert (done.code, done.err) == (0, "the database is empty; applied 0001_tables, 0002_indexes\n")
    counts = [line.split()[:3] for line in done.out.splitlines()]
    assert counts == [
        ["kind", "rows", "read"],
        ["tickers", "2", "2"],
        ["institutions", "1", "1"],
        ["market", "31", "31"],
        ["holdings", "4", "4"],
        ["sentiment", "4", "4"],
    ]
    files = [folder / f"{name}.csv" for name in ("tickers", "institutions", "holdings")]
    done = smdi("--url", empty_url, "load", *files)
    assert (done.code, done.err) == (0, "")
    assert [line.split()[2:4] for line in done.out.splitlines()[1:4]] == [["0", "0"]] * 3
    assert done.out.endswith("\nnothing changed\n")
    (told,) = json.loads(smdi("--url", empty_url, "load", files[0], "--format", "json").out)
    assert (told["kind"], told["unchanged"], told["file"]) == ("tickers", 2, str(files[0]))


def test_load_with_options(db: Database, url: str) -> None:
    """Symbol, kind, mapping, skipping and the reject file reach the load; notes go to stderr."""
    db.tickers.upsert([Ticker("A", "Aye")])
    Path("x.csv").write_text("Day,Price,Adj\n2020-01-02,1,1\n2020-01-03,,1\n", encoding="utf-8")
    options = ["--kind", "market", "--symbol", "a", "--map", "date=Day", "--map", "close=Price"]
    done = smdi("load", "x.csv", *options, "--url", url)
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: x.csv:3: Price = '': must not be empty\n"
    done = smdi("load", "x.csv", *options, "--skip-bad", "--rejects", "r.csv", "--url", url)
    assert done.code == 0
    assert done.out.splitlines() == [
        "kind    rows read  new  changed  unchanged  repeated  rejected  file",
        "market          2    1        0          0         0         1  x.csv",
    ]
    assert done.err == "x.csv: ignored columns: 'Adj'\nx.csv: 1 row was rejected, see r.csv\n"
    assert Path("r.csv").read_text(encoding="utf-8").splitlines()[1] == (
        'x.csv,3,Price,,must not be empty,"2020-01-03,,1"'
    )
    assert [bar.date for bar in db.market.history("A")] == [date(2020, 1, 2)]


def test_load_exits_1_when_every_row_of_a_file_was_rejected(db: Database, url: str) -> None:
    """Whoever skips bad rows is told by the exit code that nothing of a file was good."""
    db.tickers.upsert([Ticker("A", "Aye")])
    Path("in").mkdir()
    Path("in/tickers.csv").write_text("symbol,name\nB,Bee\n", encoding="utf-8")
    Path("in/market.csv").write_text(
        "symbol,date,close\nNO,2020-01-02,1\nA,2020-01-02,x\n", encoding="utf-8"
    )
    done = smdi("load", "in", "--skip-bad", "--url", url)
    assert done.code == 1
    assert done.err == "in/market.csv: every row (2) was rejected, see market.csv.rejects.csv\n"
    assert [ticker.symbol for ticker in db.tickers.all()] == ["A", "B"]
    Path("in/market.csv").write_text("symbol,date,close\n", encoding="utf-8")
    assert smdi("load", "in", "--skip-bad", "--url", url).code == 0


def test_load_strictly(db: Database, url: str) -> None:
    """With --strict a key that comes again is an error that names file, line and key."""
    db.tickers.upsert([Ticker("A", "Aye")])
    Path("market.csv").write_text("symbol,date,close\nA,2020-01-02,1\na,20200102,2\n", encoding="utf-8")
    done = smdi("load", "market.csv", "--strict", "--url", url)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error: market.csv:2: symbol, date = 'A, 2020-01-02': the key comes again on line 3\n"
    )
    assert db.market.history("A") == []
    done = smdi("load", "market.csv", "--url", url)
    assert done.out.splitlines()[1].split() == ["market", "2", "1", "0", "0", "1", "0", "market.csv"]


def test_load_leaves_other_files_alone(url: str) -> None:
    """Files of a folder that are named for nothing are mentioned."""
    Path("in").mkdir()
    Path("in/tickers.csv").write_text("symbol,name\nA,Aye\n", encoding="utf-8")
    Path("in/README.md").write_text("x", encoding="utf-8")
    assert smdi("load", "in", "--url", url).err == "left alone: in/README.md\n"


def test_load_of_what_is_not_known(db: Database, url: str) -> None:
    """Rows of unknown tickers or institutions are an error that says what to load first."""
    Path("market.csv").write_text("symbol,date,close\nZ,2020-01-02,1\n", encoding="utf-8")
    done = smdi("load", "market.csv", "--url", url)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: unknown ticker: Z\nload a file of tickers first")
    db.tickers.upsert([Ticker("A", "Aye")])
    header = "symbol,cik,quarter_end,filing_date,shares_held,market_value"
    Path("holdings.csv").write_text(f"{header}\nA,8,20191231,20200214,1,1\n", encoding="utf-8")
    done = smdi("load", "holdings.csv", "--url", url)
    assert done.err.startswith("error: unknown institution: 8\nload a file of institutions first")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "Usage: smdi"),
        (("nonsense",), 2, "nonsense"),
        (("history",), 2, "SYMBOL"),
        (("history", "A", "--start", "2020-1-1"), 2, "write it as YYYY-MM-DD"),
        (("history", "A", "--start", "20200101"), 2, "write it as YYYY-MM-DD"),
        (("ranking", "today"), 2, "write it as YYYY-MM-DD"),
        (("ranking", "2020-01-01", "--window", "0"), 2, "--window"),
        (("tickers", "--format", "xml"), 2, "--format"),
        (("load", "none.csv"), 2, "none.csv"),
        (("load", ".", "--map", "close"), 2, "FIELD=COLUMN"),
        (("load", ".", "--map", "a=b", "--map", "a=c"), 2, "a is given two columns"),
        (("load", "."), 2, "error: . has no file named tickers"),
        (("load", ".", "--rejects", "x"), 2, "error: a reject file is for a load that skips bad rows"),
        (("--url", "mysql://x", "tickers"), 2, "error: the database URL must be"),
        (("--url", "sqlite:///none.db", "demo"), 2, "error: the demo is a new file"),
        (("--url", "sqlite:///none.db", "tickers"), 1, "error: there is no none.db: `smdi migrate`"),
        (("tickers",), 1, "error: there is no data/divergence.db"),
        (("--url", "sqlite://", "tickers"), 1, "migrate"),
    ],
)
def test_exit_codes(arguments: tuple[str, ...], code: int, message: str) -> None:
    """2 for wrong use, 1 for what failed; the reason is on stderr, without a traceback."""
    done = smdi(*arguments)
    assert done.code == code
    assert message in done.err + (done.out if not arguments else "")
    assert "Traceback" not in done.err


def test_unknown_ticker(filled: Database, url: str) -> None:
    """An unknown ticker is an error of one line."""
    for command in ("history", "summary", "holdings", "timeline"):
        assert smdi(command, "nope", "--url", url) == (1, "", "error: unknown ticker: NOPE\n")


def test_where_the_url_comes_from(filled: Database, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """--url counts after the command's name, then before it, then DATABASE_URL."""
    wrong = "sqlite:///wrong.db"
    assert smdi("--url", url, "coverage").code == 0
    assert smdi("--url", wrong, "coverage", "--url", url).code == 0
    assert smdi("--url", url, "coverage", "--url", wrong).code == 1
    monkeypatch.setenv("DATABASE_URL", url)
    assert smdi("coverage").code == 0
    assert smdi("--url", wrong, "coverage").code == 1
    assert not Path("wrong.db").exists()


def test_options_are_the_same_everywhere() -> None:
    """What opens the usual database takes --url; what shows rows, --format; what migrates, --schema."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group has them

    def without(option: str) -> set[str]:
        return {
            name for name, each in commands.items() if all(option not in p.opts for p in each.params)
        }

    assert without("--url") == {"copy", "verify", "restore", "demo", "queries", "stubs", "review"}
    assert without("--format") == {"check", "grant", "stubs", "demo"}
    reading = {"tickers", "history", "summary", "coverage", "holdings", "ranking", "timeline", "export"}
    keeping = {"maintain", "sizes", "health", "grant", "backup", "restore", "copy", "verify"}
    assert without("--schema") == {*reading, *keeping, "queries", "stubs", "demo"}
    assert {*commands} - without("--queries") == {"check", "explain", "queries", "stubs", "review"}


def test_help() -> None:
    """The help lists every command in a sentence, and each command's own gives an example."""
    done = smdi("--help")
    assert done.code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +[A-Z].*\.$", done.out, re.MULTILINE), command
        own = smdi(command, "--help")
        assert own.code == 0
        assert re.search(rf"^    smdi {command}", own.out, re.MULTILINE), command
    assert smdi("--version").out.startswith("smdi")


def test_without_typer() -> None:
    """Without the extra the command says how to install it."""
    done = whole(python("import sys; sys.modules['typer'] = None; from repo.cli import main; main()"))
    assert (done.code, done.out) == (2, "")
    assert "pip install 'smart-money-repo[cli]'" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.only("sqlite")
def test_processes_end_as_they_should(filled: Database, url: str) -> None:
    """The exit code reaches the shell, errors are one line, and output in a pipe is plain."""
    done = whole(start("tickers", "--url", url))
    assert (done.code, done.err) == (0, "")
    assert done.out == smdi("tickers", "--url", url).out
    assert whole(start("history", "NOPE", "--url", url)) == (1, "", "error: unknown ticker: NOPE\n")
    assert whole(start("history")).code == 2


@pytest.mark.only("sqlite")
def test_an_output_of_few_letters(db: Database, url: str) -> None:
    """Names that the output's encoding has no letters for are written in another way."""
    db.tickers.upsert([Ticker("A", "Société 株")])
    done = whole(start("tickers", "--url", url, encoding="latin-1"))
    assert done == (0, "symbol  company name  cusip\nA       Société \\u682a\n", "")
    done = whole(start("tickers", "--format", "json", "--url", url, encoding="latin-1"))
    assert json.loads(done.out)[0]["company_name"] == "Société 株"


@pytest.mark.only("sqlite")
def test_a_broken_pipe_ends_quietly(db: Database, url: str) -> None:
    """A reader that has seen enough is no error."""
    db.tickers.upsert(Ticker(f"T{number}", "A name of some length") for number in range(20_000))
    with start("tickers", "--url", url) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("symbol")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.only("sqlite")
def test_a_full_disk_is_told(filled: Database, url: str) -> None:
    """Output that cannot be written is an error."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = whole(start("tickers", "--url", url, stdout=full.fileno()))
    assert (done.code, done.err) == (1, "error: No space left on device\n")


def long_file(rows: int = 400_000) -> Path:
    path = Path("market.csv")
    first = date(1000, 1, 1).toordinal()
    with path.open("w", encoding="utf-8") as text:
        text.write("symbol,date,open,high,low,close,volume\n")
        text.writelines(f"A,{date.fromordinal(first + n)},1.5,2.5,1,2,{n}\n" for n in range(rows))
    return path


def wait_for(pieces: Iterator[bytes], wanted: bytes) -> bytes:
    """What a terminal shows until it shows this."""
    seen = b""
    for piece in pieces:
        seen += piece
        if wanted in seen:
            return seen
    raise AssertionError(f"{wanted!r} is not in {seen!r}")


def test_a_load_that_is_stopped(db: Database, url: str) -> None:
    """Ctrl-C in the middle of a load, seen by its progress bar, leaves the rows as they were."""
    db.tickers.upsert([Ticker("A", "Aye")])
    db.market.upsert([Bar("A", date(2020, 1, 2), None, None, None, 9.0, None)])
    before = content(url)
    with on_a_terminal("load", long_file(), "--url", url) as (process, pieces):
        wait_for(pieces, b"market")
        process.send_signal(signal.SIGINT)
        rest = b"".join(pieces)
        assert process.wait() == 130
    assert b"Traceback" not in rest
    assert content(url) == before


@pytest.mark.only("sqlite")
def test_on_a_terminal(filled: Database, url: str) -> None:
    """On a terminal a table is drawn within its width; long text is folded, not cut."""
    with on_a_terminal("tickers", "--url", url, columns=60) as (process, pieces):
        text = re.sub(r"\x1b\[[0-9;]*m", "", b"".join(pieces).decode())
        assert process.wait() == 0
    lines = text.splitlines()
    assert max(map(len, lines)) <= 60
    assert "…" not in text
    for word in set(LONG_NAME.split()):
        assert text.count(word) >= LONG_NAME.count(word), word
    with on_a_terminal("tickers", "--format", "csv", "--url", url, columns=60) as (process, pieces):
        assert LONG_NAME.strip().encode() in b"".join(pieces)


HOSTILE = "Evil\x1b]0;owned\x07\x9b2J\u202edliw\tInc"
SHOWN = r"Evil\x1b]0;owned\x07\x9b2J\u202edliw\tInc"


@pytest.mark.only("sqlite")
def test_names_do_not_give_orders_to_a_terminal(db: Database, url: str) -> None:
    """What a terminal would obey in data and in file names is written out; programs get it as it is."""
    db.tickers.upsert([Ticker("A", HOSTILE)])
    (row,) = db.tickers.all()
    piped = smdi("tickers", "--url", url).out
    assert SHOWN in piped
    assert HOSTILE not in piped
    (read,) = csv.DictReader(io.StringIO(smdi("tickers", "--url", url, "--format", "csv").out))
    assert read["company_name"] == row.company_name == HOSTILE
    (read,) = json.loads(smdi("tickers", "--url", url, "--format", "json").out)
    assert read["company_name"] == HOSTILE
    path = Path(f"{HOSTILE}.csv")
    path.write_text(f"symbol,company_name,{HOSTILE}\nA,New,x\nB C,Bee,x\n", encoding="utf-8")
    runs: list[tuple[object, ...]] = [
        ("tickers",),
        ("tickers", "--format", "csv"),
        ("ranking", "2020-01-01", "--source", HOSTILE),
        ("load", path, "--kind", "tickers"),
        ("load", path, "--kind", "tickers", "--skip-bad"),
    ]
    written = [piped]
    for arguments in runs:
        with on_a_terminal(*arguments, "--url", url, columns=500) as (process, pieces):
            written.append(b"".join(pieces).decode())
            process.wait()
    done = smdi("load", path, "--kind", "tickers", "--skip-bad", "--url", url)
    written += [done.out, done.err, smdi("load", path, "--url", url, "--kind", "tickers").err]
    for text in written:
        assert not {"\x07", "\x9b", "\u202e"} & set(text), text
        assert "\x1b]" not in text, text
    assert all(SHOWN in text for text in written if text is not done.out), written


def test_demo(folder: Path) -> None:
    """The demo is made in one go, tells its stories, and what it says to type works."""
    done = smdi("demo")
    assert (done.code, done.err) == (0, "")
    assert "synthetic" in done.out
    with repo.connect("sqlite:///smdi-demo.db", read_only=True) as db:
        ranking = [row.symbol for row in db.divergence.ranking(demo_data.AS_OF)]
        counts = [len(db.tickers.all()), len(db.institutions.all()), db.sentiment.sources()]
        bars = db.market.history(ranking[0])
        quarters = {row.quarter_end for row in db.holdings.history("DUNMR")}
        interest = db.sentiment.history("DUNMR")
    assert counts == [30, 8, ["synthetic"]]
    assert set(ranking[:3]) == {"DUNMR", "INKWL", "TIDEW"}
    assert set(ranking[-5:]) == {"GLIMR", "KESTR", "MOONR", "HALCN", "NIMBL"}
    assert (bars[-1].date - bars[0].date).days in range(395, 401)
    assert len(quarters) == 4
    assert len(interest) == 300
    typed = [line.strip() for line in done.out.splitlines() if line.startswith("  smdi ")]
    assert len(typed) == 5
    for line in typed:
        again = smdi(*shlex.split(line)[1:])
        assert (again.code, again.err) == (0, "")
        assert len(again.out.splitlines()) > 1


def test_demo_is_the_same_each_time() -> None:
    """The demo has the same rows every time, also over one that is there."""
    first = smdi("demo", "--path", "a.db")
    rows = content("sqlite:///a.db")
    assert smdi("demo", "--path", "a.db") == first
    smdi("demo", "--path", "b.db")

    def told(found: dict[str, list[tuple[Any, ...]]]) -> Any:
        # Tickers and institutions have the time of their making in the last column.
        return {
            table: [row[:-1] if table in ("tickers", "institutions") else row for row in made]
            for table, made in found.items()
        }

    assert told(content("sqlite:///a.db")) == told(content("sqlite:///b.db")) == told(rows)


def test_demo_at_an_odd_path() -> None:
    """A path with characters that mean something to a shell or a URL still works when pasted."""
    path = Path("an odd%20 & folder?") / "x.db"
    done = smdi("demo", "--path", path.absolute())
    assert done.code == 0
    assert path.exists()
    line = next(line for line in done.out.splitlines() if line.startswith("  smdi "))
    assert smdi(*shlex.split(line)[1:]).code == 0


def test_demo_overwrites_nothing_else() -> None:
    """A file that is no demo is left as it is; an empty one, or a demo that was cut short, is taken."""
    Path("text.db").write_text("mine", encoding="utf-8")
    Path("folder.db").mkdir()
    with repo.connect("sqlite:///other.db") as db:
        db.migrate()
        db.tickers.upsert([Ticker("A", "Aye")])
    smdi("demo", "--path", "grown.db")
    with repo.connect("sqlite:///grown.db") as db:
        db.tickers.upsert([Ticker("A", "Aye")])
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sqlite3; sqlite3.connect('foreign.db').execute('CREATE TABLE t(x)')",
        ],
        check=True,
    )
    for name in ("text.db", "folder.db", "other.db", "grown.db", "foreign.db"):
        before = Path(name).read_bytes() if name != "folder.db" else b""
        done = smdi("demo", "--path", name)
        assert (done.code, done.out) == (2, "")
        assert f"{name} is there and is not a demo" in done.err
        assert name == "folder.db" or Path(name).read_bytes() == before
    Path("empty.db").touch()
    with repo.connect("sqlite:///cut.db") as db:
        db.migrate()
    for name in ("empty.db", "cut.db"):
        assert smdi("demo", "--path", name).code == 0


def test_a_database_in_memory_is_no_place_to_load_into(tmp_path: Path) -> None:
    """It would be gone when the command ends: that is said, and nothing is read."""
    (tmp_path / "tickers.csv").write_text("symbol,company_name\nA,Apple\n")
    for arguments in (["load", tmp_path], ["migrate"]):
        outcome = smdi(*arguments, "--url", "sqlite://")
        assert outcome.code != 0
        assert "gone when the command ends" in outcome.err
