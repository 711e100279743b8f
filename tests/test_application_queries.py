"""An application's queries are held to what their SQL says: parameters, columns, and the schema."""

from __future__ import annotations

import copy
import inspect
import itertools
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

import repo
from repo import Database, InvalidRecord, QueryContractError, watching
from repo.catalogue import load
from tests.builders import DAY, bar, day, raw, seed
from tests.cli_helpers import smdi

_KINDS = ", ".join(
    f"{name}: {kind} | None"
    for name, kind in {
        "day": "date",
        "long": "int",
        "short": "int",
        "real": "float",
        "words": "str",
    }.items()
)
PORTABLE = """
-- name: closes(start)
-- record_class: Close(symbol: str, date: date, close: float)
-- Closes from a day on. Index: market_data_pkey.
SELECT t.symbol AS symbol, m.date AS date, m.close AS close
FROM market_data AS m
INNER JOIN tickers AS t ON t.ticker_id = m.ticker_id
WHERE m.date >= CAST(:start AS date)
ORDER BY t.symbol, m.date;

-- name: all_kinds(day, moment, long, short, real, words)^
-- record_class: Kinds(KINDS)
-- Each kind of parameter as it comes back. Index: none.
SELECT
    CAST(:day AS date) AS day,
    CAST(:long AS bigint) AS long,
    CAST(:short AS integer) AS short,
    CAST(:real AS double precision) AS real,
    CAST(:words AS text) AS words
WHERE CAST(:moment AS timestamptz) IS NULL OR CAST(:moment AS timestamptz) IS NOT NULL;

-- name: add_day(symbol, day)!
-- Adds a bar. Index: market_data_pkey.
INSERT INTO market_data (ticker_id, date, close)
SELECT t.ticker_id AS ticker_id, CAST(:day AS date) AS day, CAST(1 AS double precision) AS close
FROM tickers AS t
WHERE t.symbol = CAST(:symbol AS text);

-- name: swapped()
-- record_class: R(symbol: str, close: float)
-- Columns in another order than the record's. Index: market_data_pkey.
SELECT m.close AS close, t.symbol AS symbol
FROM market_data AS m
INNER JOIN tickers AS t ON t.ticker_id = m.ticker_id
ORDER BY t.symbol, m.date;

-- name: too_few()
-- record_class: R(symbol: str, close: float)
-- A column less than the record's. Index: market_data_pkey.
SELECT t.symbol AS symbol
FROM tickers AS t
ORDER BY t.symbol;

-- name: mistyped()
-- record_class: R(symbol: str, date: int)
-- A column of another type. Index: market_data_pkey.
SELECT t.symbol AS symbol, m.close AS date
FROM market_data AS m
INNER JOIN tickers AS t ON t.ticker_id = m.ticker_id
ORDER BY t.symbol, m.date;

-- name: moment_as_day()
-- record_class: R(created: date)
-- A time stamp that is declared a date. Index: tickers_symbol_key.
SELECT COALESCE(t.created_at, t.created_at) AS created
FROM tickers AS t
ORDER BY t.symbol;
""".replace("KINDS", _KINDS)
VARIANTS = {
    "sqlite": """
-- name: named(symbols)
-- record_class: Named(symbol: str)
-- The tickers named. Index: tickers_symbol_key.
SELECT t.symbol AS symbol
FROM tickers AS t
WHERE t.symbol IN (SELECT x.value AS symbol FROM json_each(:symbols) AS x)
ORDER BY t.symbol;
""",
    "postgresql": """
-- name: named(symbols)
-- record_class: Named(symbol: str)
-- The tickers named. Index: tickers_symbol_key.
SELECT t.symbol AS symbol
FROM tickers AS t
WHERE t.symbol = ANY(CAST(:symbols AS text []))
ORDER BY t.symbol;
""",
}
TYPO = """
-- name: typo()
-- record_class: Typo(symbol: str, close: float)
-- A column that is not there. Index: market_data_pkey.
SELECT t.symbol AS symbol, m.clos AS close
FROM market_data AS m
INNER JOIN tickers AS t ON t.ticker_id = m.ticker_id
ORDER BY t.symbol, m.date;
"""


def write_queries(folder: Path, portable: str = PORTABLE) -> Path:
    """A folder of an application's queries."""
    (folder / "app.sql").write_text(portable, encoding="utf-8")
    for dialect, text in VARIANTS.items():
        (folder / dialect).mkdir(exist_ok=True)
        (folder / dialect / "app.sql").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The application's folder."""
    made = tmp_path / "sql"
    made.mkdir()
    return write_queries(made)


@pytest.fixture
def app(url: str, folder: Path) -> Iterator[Database]:
    """A database with an application's queries, two tickers and two bars."""
    with repo.connect(url, queries=[folder]) as db:
        seed(db)
        db.market.upsert([bar(on=DAY), bar(on=day(1))])
        yield db


GOOD = {"day": DAY, "moment": datetime(2020, 1, 1, tzinfo=UTC), "long": 2**63 - 1, "short": -(2**31)}
GOOD |= {"real": 1, "words": "it's"}
BAD: list[tuple[str, Any, str]] = [
    ("day", "2020-06-01", "must be a datetime.date, not str"),
    ("day", datetime(2020, 6, 1), "must be a datetime.date, not datetime"),
    ("day", 2020, "must be a datetime.date, not int"),
    ("moment", DAY, "must be a datetime.datetime, not date"),
    ("moment", datetime(2020, 1, 1), "must have a time zone"),
    ("long", 1.5, "must be an int, not float"),
    ("long", True, "must be an int, not bool"),
    ("long", 2**63, "must be from -9223372036854775808 to 9223372036854775807"),
    ("short", 2**31, "must be from -2147483648 to 2147483647"),
    ("real", float("nan"), "must be finite"),
    ("real", 2**53 + 1, "must be a float, not int"),
    ("real", Decimal(1), "must be a float, not Decimal"),
    ("words", 5, "must be a str, not int"),
    ("words", "a\0", "must not contain NUL"),
    ("words", "\ud800", "must not contain a lone surrogate"),
    ("words", ["a"], "must be a str, not list; a list is written = ANY(CAST(:words AS text []))"),
]


@pytest.mark.parametrize(("name", "value", "reason"), BAD, ids=str)
def test_a_value_of_another_type(app: Database, name: str, value: Any, reason: str) -> None:
    """It is refused before any driver sees it, naming query and parameter, the same on both engines."""
    with pytest.raises(InvalidRecord) as refused:
        app.queries.app.all_kinds(**{**GOOD, name: value})
    assert (refused.value.row, refused.value.field) == (None, name)
    assert refused.value.reason.startswith(reason)
    assert refused.value.reason.endswith("[app.all_kinds]")


def test_values_of_the_types_declared(app: Database) -> None:
    """They come back as they went in, an int for a float as a float; None is NULL."""
    query = app.queries.app.all_kinds
    assert query(**GOOD) == (DAY, 2**63 - 1, -(2**31), 1.0, "it's")
    assert type(query(**GOOD).real) is float
    assert str(query(**{**GOOD, "real": -0.0}).real) == "0.0"
    assert query(**dict.fromkeys(GOOD)) == (None,) * 5


def test_dates_find_the_same_rows(app: Database, url: str) -> None:
    """What once gave 567 rows on one engine and 22 on the other, and stored a day in 1975."""
    assert [row.date for row in app.queries.app.closes(start=day(1))] == [day(1)]
    text: Any = "2010-01-05"
    with pytest.raises(InvalidRecord):
        app.queries.app.closes(start=text)
    with pytest.raises(InvalidRecord):
        app.queries.app.add_day(symbol="AAPL", day=text)
    assert app.queries.app.add_day(symbol="AAPL", day=day(2)) == 1
    assert app.market.history("AAPL", day(2))[0].date == day(2)


def test_lists(app: Database) -> None:
    """A list or tuple of the declared type; anything else in its place is refused."""
    named = app.queries.app.named
    assert [row.symbol for row in named(symbols=["MSFT", "AAPL", "NONE", None])] == ["AAPL", "MSFT"]
    assert [row.symbol for row in named(symbols=("MSFT",))] == ["MSFT"]
    assert named(symbols=[]) == named(symbols=None) == []
    wrong: tuple[Any, ...] = ("AAPL", {"AAPL"}, [1], [["AAPL"]], ["A\0"], 5)
    for value in wrong:
        with pytest.raises(InvalidRecord, match=r"symbols = .*\[app\.named\]"):
            named(symbols=value)


def query(sql: str, header: str = "q(x)", record: str = "-- record_class: R(x: int)\n") -> str:
    """A file of one query."""
    return f"-- name: {header}\n{record}-- What it answers. Index: none.\n{sql};\n"


def test_variants_of_different_types(tmp_path: Path) -> None:
    """Both files are named; of integers the smaller size counts, and a list must be one on both."""
    cases = {
        ("text", "date"): ":x is declared text and date",
        ("bigint", "integer"): None,
        ("text", "text []"): ":x is declared text and text []",
    }
    for number, (types, says) in enumerate(cases.items()):
        root = tmp_path / str(number)
        for dialect, kind in zip(("sqlite", "postgresql"), types, strict=True):
            (root / dialect).mkdir(parents=True)
            text = query(f"SELECT 1 AS x WHERE CAST(:x AS {kind}) IS NULL")
            (root / dialect / "app.sql").write_text(text, encoding="utf-8")
        if says is None:
            assert load([root]).query("app.q", "sqlite").types["x"] == ("integer", False)
            continue
        with pytest.raises(QueryContractError, match=r"sqlite/app\.sql:1 and .*postgresql") as refused:
            load([root])
        assert says in str(refused.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("swapped", "gives the columns close, symbol; its record has symbol, close, in this order"),
        ("too_few", "gives the columns symbol; its record has symbol, close"),
        ("mistyped", "gives date as "),
    ],
)
def test_columns_that_are_not_the_record_s(app: Database, folder: Path, name: str, says: str) -> None:
    """The error names query, file and line, in a transaction and outside, and leaves both usable."""
    for _ in range(2):
        with pytest.raises(QueryContractError) as refused:
            getattr(app.queries.app, name)()
        assert says in str(refused.value)
        assert f"app.{name} ({folder / 'app.sql'}:" in str(refused.value)
    with pytest.raises(QueryContractError), app.transaction() as tx:
        getattr(tx.queries.app, name)()
    assert len(app.market.history("AAPL")) == 2


def test_a_moment_declared_a_day(app: Database) -> None:
    """It once was a bare OverflowError on SQLite."""
    wanted = {"sqlite": repo.RangeError, "postgresql": QueryContractError}
    with pytest.raises(wanted[app.dialect], match=r"app\.moment_as_day .*created"):
        app.queries.app.moment_as_day()


def test_check(url: str, folder: Path) -> None:
    """It names each query that does not fit, with its file and line, and the engine's words."""
    write_queries(folder, PORTABLE + TYPO)
    line = (PORTABLE + TYPO).splitlines().index("-- name: typo()") + 1
    for read_only in (False, True):
        with repo.connect(url, queries=[folder], read_only=read_only) as db:
            found = {str(each).partition(" ")[0]: str(each) for each in db.check()}
            told = {"app.typo", "app.swapped", "app.too_few"}
            # SQLite tells of types only when it gives rows.
            told |= set() if db.dialect == "sqlite" else {"app.mistyped", "app.moment_as_day"}
            assert set(found) == told
            assert f"({folder / 'app.sql'}:{line})" in found["app.typo"]
            assert "clos" in found["app.typo"].partition(")")[2]
            with pytest.raises(QueryContractError) as refused:
                db.queries.app.typo()
            assert str(refused.value).partition(" (SQLSTATE")[0] == found["app.typo"]
            with pytest.raises(QueryContractError), db.transaction() as tx:
                tx.queries.app.typo()


@pytest.mark.parametrize(
    ("header", "sql"),
    [
        (
            "days()\n-- record_class: Day(day: date, n: int)",
            "SELECT m.date AS day, COUNT(*) AS n FROM market_data AS m GROUP BY m.date ORDER BY m.date",
        ),
        (
            "notes()\n-- record_class: Note(date: str)",
            "SELECT n.date AS date FROM notes AS n ORDER BY n.date",
        ),
        (
            "text(d)$\n-- record_class: One(x: str)",
            "SELECT CAST(CAST(:d AS bigint) AS text) || ' CAST(x AS text)' AS x",
        ),
        (
            "gone(symbol)^\n-- record_class: Gone(symbol: str)",
            "DELETE FROM tickers WHERE symbol = CAST(:symbol AS text) RETURNING symbol",
        ),
    ],
)
def test_what_is_the_same_on_both(tmp_path: Path, header: str, sql: str) -> None:
    """What looks like it is let through."""
    (tmp_path / "app.sql").write_text(f"-- name: {header}\n-- A test. Index: none.\n{sql};\n")
    assert "app.sql" in str(load([tmp_path]).query(f"app.{header.partition('(')[0]}", "sqlite").file)


@pytest.mark.parametrize("name", ["between", "frame"])
def test_names_of_the_package_s_own(tmp_path: Path, name: str) -> None:
    """An application's query has none that the package looks for in that file."""
    (tmp_path / "tickers.sql").write_text(
        f"-- name: {name}()$\n-- record_class: One(x: int)\n-- A test. Index: none.\nSELECT 1 AS x;\n"
    )
    with pytest.raises(QueryContractError, match=rf"tickers\.{name} is a name of the package's own"):
        load([tmp_path])


SPARSE = """
-- name: volume(date)^
-- record_class: Volume(volume: str | None)
-- A count that is declared text. Index: market_data_pkey.
SELECT m.volume AS volume FROM market_data AS m WHERE m.date = CAST(:date AS date) ORDER BY m.ticker_id;

-- name: frame(start)
-- record_class: Close(symbol: str, date: date, close: float)
-- Closes from a day on, as columns. Index: market_data_pkey.
SELECT t.symbol AS symbol, m.date AS date, m.close AS close
FROM market_data AS m
INNER JOIN tickers AS t ON t.ticker_id = m.ticker_id
WHERE m.date >= CAST(:start AS date)
ORDER BY t.symbol, m.date;
"""


def test_a_type_is_held_once_there_is_a_value(url: str, tmp_path: Path) -> None:
    """Rows without one do not settle what the column is."""
    (tmp_path / "app.sql").write_text(SPARSE)
    with repo.connect(url, queries=tmp_path) as db:
        seed(db)
        db.market.upsert([bar(on=day(0), volume=None), bar(on=day(1), volume=5)])
        if db.dialect == "sqlite":
            assert db.queries.app.volume(date=day(0)).volume is None
        with pytest.raises(QueryContractError, match=r"app\.volume .*volume"):
            db.queries.app.volume(date=day(1))


def test_a_frame_of_an_application(url: str, tmp_path: Path) -> None:
    """It need not have a form of its own for columns; one folder may be given by itself."""
    (tmp_path / "app.sql").write_text(SPARSE)
    with repo.connect(url, queries=str(tmp_path)) as db:
        seed(db)
        db.market.upsert(bar(on=day(number)) for number in range(5))
        table = db.queries.app.frame(start=day(2))
        assert table.column("date").to_pylist() == [day(2), day(3), day(4)]
        assert copy.deepcopy(db.queries).app.frame(start=day(9)).num_rows == 0


def test_check_of_the_package(db: Database, url: str) -> None:
    """Its own queries fit its own schema; nothing is left of the look."""
    before = db.version()
    assert db.check() == []
    assert db.version() == before
    raw(url, "ALTER TABLE tickers RENAME COLUMN cusip TO cusip_id")
    told = {str(each).partition(" ")[0] for each in db.check()}
    assert {"tickers.get", "tickers.all", "tickers.upsert", "tickers.merge"} <= told
    assert "market.history" not in told


def test_functions_to_look_at(app: Database) -> None:
    """Queries are listed, have signatures and documentation, and can be copied."""
    assert {"app", "market", "tickers"} <= set(dir(app.queries))
    assert {"closes", "named", "typo"} - set(dir(app.queries.app)) == {"typo"}
    closes = app.queries.app.closes
    assert str(inspect.signature(closes)).startswith("(*, start: datetime.date | None) -> list[")
    assert "symbols: list[str] | None" in str(inspect.signature(app.queries.app.named))
    assert str(inspect.signature(app.queries.app.add_day)).endswith("-> int")
    assert inspect.getdoc(closes) == "Closes from a day on. Index: market_data_pkey."
    assert closes.__name__ == "closes"
    assert "app.closes" in repr(closes)
    for look in (copy.copy, copy.deepcopy):
        if look is copy.copy:
            assert look(app.queries).app.closes(start=DAY) == closes(start=DAY)
            assert look(closes)(start=DAY) == closes(start=DAY)
    assert "upsert" not in dir(app.queries.market)
    with pytest.raises(AttributeError, match=r"no query market\.upsert"):
        _ = app.queries.market.upsert


def test_what_runs_is_seen(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Names, times and numbers of rows: to the hook always, to the log at DEBUG; and never a value."""
    seen: list[tuple[str, int]] = []

    def hook(name: str, seconds: float, rows: int) -> None:
        assert seconds >= 0
        seen.append((name, rows))
        raise LookupError("an error of the hook's own")

    with caplog.at_level(logging.DEBUG, "repo"), repo.connect(url, on_query=hook) as db:
        seed(db)
        with db.transaction() as tx:
            tx.market.upsert([bar(on=day(n)) for n in range(3)])
            assert len(tx.market.history("AAPL")) == 3
        db.run(lambda tx: tx.market.latest(["AAPL"]))
        table = db.market.frame()
    assert table.num_rows == 3
    assert ("market.history", 3) in seen
    assert ("market.latest_one", 1) in seen
    assert ("market.frame", 3) in seen
    assert any(name == "market.upsert" and rows == 3 for name, rows in seen)
    text = "\n".join(each.getMessage() for each in caplog.records if each.name == "repo")
    assert "market.history: " in text
    assert "3 rows" in text
    assert "on_query failed for market.history" in text
    assert ("opened" in text) or ("connected to" in text)
    assert "AAPL" not in text


@pytest.mark.parametrize(("seconds", "told"), [(0.25, False), (0.375, True)])
def test_slow_queries(
    db: Database,
    url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    told: bool,
) -> None:
    """Those that took longer are told of at WARNING, one that failed too, and no others."""
    ticks = itertools.count()
    monkeypatch.setattr(watching, "perf_counter", lambda: next(ticks) * seconds)
    seen: list[str] = []
    with repo.connect(url, slow_query=0.25, on_query=lambda name, *_: seen.append(name)) as slow:
        slow.tickers.all()
        raw(url, "ALTER TABLE tickers RENAME COLUMN cusip TO cusip_id")
        with pytest.raises(QueryContractError):
            slow.tickers.all()
    warned = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert [each.partition(":")[0] for each in warned if "tickers.all" in each] == (
        ["slow query tickers.all"] * 2 * told
    )
    assert not told or warned[-1].endswith("QueryContractError") or "migrations" in warned[-1]
    assert seen.count("tickers.all") == 2


def test_a_hook_that_asks_the_database(db: Database, url: str) -> None:
    """It is not called for what it asks itself."""
    seen: list[str] = []

    def hook(name: str, seconds: float, rows: int) -> None:
        seen.append(name)
        db.tickers.all()
        watched.tickers.all()

    with repo.connect(url, on_query=hook) as watched:
        watched.institutions.all()
    assert seen == ["institutions.all"]


def test_migrations_and_attempts_are_told(empty_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """At INFO."""
    with caplog.at_level(logging.INFO, "repo"), repo.connect(empty_url) as db:
        db.migrate()
        attempts = []

        def work(tx: Database) -> None:
            attempts.append(1)
            if len(attempts) == 1:
                raise repo.ConflictError("made up")

        db.run(work)
    text = "\n".join(each.getMessage() for each in caplog.records)
    assert "migrated: 0001_tables" in text
    assert "attempt 1 of 5 met a conflict: made up" in text


@pytest.mark.parametrize(
    "options", [{"slow_query": -1}, {"slow_query": "1"}, {"slow_query": True}, {"on_query": 5}], ids=str
)
def test_options_that_mean_nothing(options: dict[str, Any]) -> None:
    """They are refused by name."""
    with pytest.raises(repo.ConfigurationError, match=next(iter(options))):
        repo.connect("sqlite://", **options)


def test_the_server_sees_names(db: Database, url: str) -> None:
    """A statement reaches the engine with its query's name in a comment, a prepared one too."""
    if db.dialect == "postgresql":
        with db.transaction() as tx:
            for _ in range(10):
                tx.tickers.all()
            ((text,),) = raw(
                url,
                "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
                " AND state = 'idle in transaction'",
            )
    else:
        texts: list[str] = []
        connection: Any = db._backend.acquire(write=False)
        connection.set_trace_callback(texts.append)
        db._backend.release(connection, write=False)
        db.tickers.all()
        text = texts[-1]
    assert text.startswith("SELECT /* tickers.all */")


def test_smdi_check(url: str, empty_url: str, folder: Path) -> None:
    """It exits with 0 where all fits, and with 1, naming file and line, where something does not."""
    fine = smdi("--url", url, "check")
    assert (fine.code, fine.out) == (0, "every query fits the database\n")
    write_queries(folder, PORTABLE + TYPO)
    wrong = smdi("--url", url, "check", "--queries", str(folder))
    assert wrong.code == 1
    assert "app.typo (" in wrong.out
    assert "not fit the database" in wrong.err
    if empty_url.startswith("sqlite"):
        with repo.connect(empty_url):
            pass
    empty = smdi("--url", empty_url, "check")
    assert empty.code == 1
    assert "smdi migrate" in empty.err


def test_records_in_pydantic_models(db: Database) -> None:
    """Every record is a type that pydantic, and so a response model, can check and write."""
    seed(db)
    db.market.upsert([bar()])
    bars = TypeAdapter(list[repo.Bar])
    assert bars.validate_json(bars.dump_json(db.market.history("AAPL"))) == [bar()]
    others = "Ticker Institution Holding Sentiment Coverage Summary Point Divergence"
    for name in others.split():
        record: Any = getattr(repo, name)
        assert TypeAdapter(record).json_schema()["maxItems"] == len(record._fields)
