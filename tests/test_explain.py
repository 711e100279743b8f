"""How queries are run: what explain() and `smdi explain` tell, and that it leaves no trace."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import repo
from repo import (
    Bar,
    ConfigurationError,
    Database,
    Holding,
    Institution,
    InvalidRecord,
    QueryContractError,
    Sentiment,
    Ticker,
)
from repo.catalogue import load
from repo.plans import Plan, Step, explain
from tests.cli_helpers import smdi

DAYS = [date(2024, 1, 1) + timedelta(days=number) for number in range(300)]
SYMBOLS = [f"T{number:02d}" for number in range(30)]
OF_ONE = {"symbol": "T07", "start": DAYS[10], "end": DAYS[19]}
UPSERT = {
    "ticker_id": 1,
    "date": DAYS[0],
    "open": 1.0,
    "high": 2.0,
    "low": 0.5,
    "close": 1.75,
    "volume": 1,
}
OWN = """\
-- name: sorted(least)
-- record_class: Close(close: float)
-- Closes by size, which no index has. Index: none.
SELECT m.close AS close
FROM market_data AS m
WHERE m.volume >= CAST(:least AS bigint)
ORDER BY m.close, m.ticker_id, m.date;

-- name: few(since)
-- record_class: Close(close: float)
-- Closes of some days of the first ticker. Index: market_data_pkey.
SELECT m.close AS close
FROM market_data AS m
WHERE m.ticker_id = 1 AND m.date > CAST(:since AS date)
ORDER BY m.date;

-- name: misfit()
-- record_class: Close(close: float)
-- What is not there. Index: none.
SELECT n.close AS close FROM nowhere AS n ORDER BY n.close;
"""


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, backend: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The URL of a filled database of the engine under test, and an application's folder of queries."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "sql").mkdir()
    (folder / "sql" / "app.sql").write_text(OWN)
    url = f"sqlite:///{folder / 'x.db'}"
    if backend == "postgresql":
        server = request.getfixturevalue("server")
        url = server.url_of(server.create(), min_size="1")
    with repo.connect(url) as db:
        db.migrate()
        db.tickers.upsert(Ticker(symbol, symbol) for symbol in SYMBOLS)
        db.institutions.upsert([Institution(1, "One")])
        db.market.upsert(Bar(each, day, 1.0, 2.0, 0.5, 1.5, 100) for each in SYMBOLS for day in DAYS)
        db.sentiment.upsert(Sentiment(each, "searches", day, 5) for each in SYMBOLS for day in DAYS)
        db.holdings.upsert(Holding(each, 1, DAYS[0], DAYS[45], 10, 10) for each in SYMBOLS)
        connection = db._backend.acquire(write=True)
        connection.execute("ANALYZE")
        db._backend.release(connection, write=True)
    return url, folder / "sql"


@pytest.fixture
def filled(place: tuple[str, Path]) -> Iterator[Database]:
    """That database, with the application's queries."""
    with repo.connect(place[0], queries=place[1]) as db:
        yield db


def test_of_one_ticker(filled: Database) -> None:
    """The tree names table, index by its constraint's name, and condition; nothing was run."""
    plan = explain(filled, "market.history", OF_ONE)
    assert (plan.query, plan.dialect) == ("market.history", filled.dialect)
    (step,) = [each for each in plan.all() if each.table == "market_data" and each.index]
    assert step.index == "market_data_pkey"
    assert "date" in str(step.condition)
    assert "market_data" not in plan.whole
    assert not plan.on_disk
    assert (plan.rows, plan.pages, plan.instructions, step.rows) == (None, None, None, None)


def test_run_for_it(filled: Database) -> None:
    """What it took is told, the same each time, and more of it for more."""
    few = explain(filled, "market.history", OF_ONE, analyze=True)
    all_days = explain(filled, "market.history", {**OF_ONE, "end": DAYS[-1]}, analyze=True)
    assert (few.rows, all_days.rows) == (10, 290)
    if filled.dialect == "sqlite":
        again = explain(filled, "market.history", OF_ONE, analyze=True)
        assert (again.pages, again.instructions) == (few.pages, few.instructions)
        assert (few.instructions or 0) < (all_days.instructions or 0)
        assert few.rows_read is None
    else:
        assert 10 <= (few.rows_read or 0) < 100
        assert (few.pages or 0) < (all_days.pages or 0)


def test_pages_of_a_whole_read(filled: Database) -> None:
    """Reading a table from end to end takes about its pages, whoever read it before."""
    plans = [explain(filled, "market.coverage", analyze=True) for _ in range(2)]
    assert all("market_data" in plan.whole for plan in plans)
    if filled.dialect == "postgresql" or Path("/proc/thread-self/io").exists():
        first, second = (plan.pages or 0 for plan in plans)
        assert 50 < first < 1000
        assert abs(first - second) < 10


def test_facts(filled: Database) -> None:
    """A whole read and a sort are told; a lookup has neither."""
    whole = explain(filled, "app.sorted", {"least": 1})
    assert "market_data" in whole.whole
    assert whole.sorts == 1
    few = explain(filled, "app.few", {"since": DAYS[295]})
    assert list(few.indexes) == ["market_data_pkey"]
    assert not few.whole
    assert not few.sorts


def test_a_sort_on_disk() -> None:
    """One step that had to use the disk is told of the plan; nothing is said of what nobody knows."""
    on_disk = Step("Sort", sorts=True, on_disk=True)
    assert Plan("a.b", "x", (Step("Limit", steps=(on_disk,)),)).on_disk is True
    assert Plan("a.b", "x", (Step("Sort", sorts=True),)).on_disk is None
    assert Plan("a.b", "x", (Step("Scan"),)).on_disk is False


def test_a_write_leaves_no_trace(filled: Database) -> None:
    """A write that is run to be explained is undone, and so is what it needs."""
    before = filled.market.history("T00")
    plan = explain(filled, "market.upsert", UPSERT, analyze=True)
    assert plan.rows == 1
    assert explain(filled, "market.delete", OF_ONE, analyze=True).rows == 10
    settled = explain(filled, "market.settle", {}, analyze=True)
    assert settled.rows == 0
    assert (filled.market.history("T00"), len(filled.market.history("T07"))) == (before, len(DAYS))


def test_every_query_has_a_plan(filled: Database) -> None:
    """Of each query that has one a plan is made, whatever its kind; NULL for every parameter will do."""
    catalogue = load()
    for name in catalogue.names(dialect=filled.dialect):
        query = catalogue.query(name, filled.dialect)
        if query.defines or query.sql.startswith("COPY"):
            with pytest.raises(QueryContractError, match="has no plan"):
                explain(filled, name, dict.fromkeys(query.parameters))
        else:
            try:
                assert explain(filled, name, dict.fromkeys(query.parameters)).query == name
            except QueryContractError as error:
                if query.needs is None or query.needs not in str(error):  # it may not be there
                    raise


@pytest.mark.parametrize(
    ("name", "arguments", "error", "says"),
    [
        ("market.histor", {}, QueryContractError, "no query market.histor"),
        (
            "market.history",
            {},
            QueryContractError,
            r"symbol \(text\), start \(date\), .*missing: symbol",
        ),
        ("market.coverage", {"x": 1}, QueryContractError, "takes no parameters; it has no x"),
        ("market.history", {**OF_ONE, "start": 3}, InvalidRecord, "start = 3"),
        ("app.misfit", {}, QueryContractError, "app.misfit .*does not fit the database"),
    ],
)
def test_refused(
    filled: Database, name: str, arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    """What cannot be explained is refused with what it takes."""
    with pytest.raises(error, match=says):
        explain(filled, name, arguments)


def test_where_it_may_not(place: tuple[str, Path], filled: Database) -> None:
    """Not inside a transaction, and no write on a database that is read only; its plan is told."""
    with filled.transaction(), pytest.raises(ConfigurationError, match="a transaction of its own"):
        explain(filled, "market.coverage")
    with repo.connect(place[0], read_only=True) as db:
        assert explain(db, "market.upsert", UPSERT).query == "market.upsert"
        with pytest.raises(ConfigurationError, match="read only"):
            explain(db, "market.upsert", UPSERT, analyze=True)


def test_command(place: tuple[str, Path]) -> None:
    """The command prints a tree, what it read, and what to look at; JSON has all of it."""
    url, folder = place
    given = ["--arg", "symbol=T07", "--arg", "start=2024-01-11", "--arg", "end=2024-01-20"]
    done = smdi("explain", "market.history", *given, "--analyze", "--url", url)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("market.history on ")
    assert "10 rows" in done.out.splitlines()[0]
    assert " of market_data by market_data_pkey, where (" in done.out
    assert "└─ " in done.out
    done = smdi("explain", "app.sorted", "--arg", "least=", "--queries", str(folder), "--url", url)
    assert done.out.splitlines()[-1] == "1 sort"
    done = smdi("explain", "app.sorted", "--arg", "least=1", "--queries", str(folder), "--url", url)
    assert "read from end to end: market_data" in done.out
    done = smdi("explain", "market.coverage", "--format", "json", "--url", url)
    assert "market_data" in json.loads(done.out)["whole"]
    written = ["explain", "market.upsert", "--analyze", "--url", url]
    done = smdi(
        *written, *(part for each in UPSERT.items() for part in ("--arg", "{}={}".format(*each)))
    )
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["market.histori"], "there is no query market.histori; did you mean market.history"),
        (["market.on_day"], "takes date (date); missing: --arg date=..."),
        (["market.on_day", "--arg", "date=yesterday"], "date is of type date"),
        (["market.on_day", "--arg", "day=2024-01-01"], "--arg day=2024-01-01: market.on_day takes date"),
        (["tickers.get", "--arg", "symbol"], "as NAME=VALUE"),
    ],
)
def test_wrong_use(place: tuple[str, Path], arguments: list[str], says: str) -> None:
    """Wrong use of the command says what the query takes, and exits with 2."""
    done = smdi("explain", *arguments, "--url", place[0])
    assert (done.code, done.out) == (2, "")
    assert says in done.err
