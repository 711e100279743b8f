"""What the planners make of the queries: every index is used, and one ticker is found by an index."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import repo
from repo import Bar, Database, Holding, Institution, Sentiment, Ticker
from repo.catalogue import load
from tests import servers

CATALOGUE = load()
SYMBOLS = [f"T{number:03d}" for number in range(800)]
DAYS = [date(2024, 1, 1) + timedelta(days=number) for number in range(50)]
QUARTERS = [date(2023, 3, 31), date(2023, 6, 30), date(2023, 9, 30), date(2023, 12, 31)]
BIG = {"market_data", "retail_sentiment", "institutional_holdings"}

FEW_DAYS = {"start": DAYS[10], "end": DAYS[20]}
OF_ONE = {"symbol": "T042", **FEW_DAYS}
IN_A_LIST = {"symbols": ["T042"], **FEW_DAYS}

ONE_TICKER: dict[str, dict[str, Any]] = {
    "divergence.timeline": {**OF_ONE, "source": "searches"},
    "holdings.frame": {**IN_A_LIST, "start": QUARTERS[0]},
    "holdings.history": {**OF_ONE, "start": QUARTERS[0]},
    "holdings.known": {"symbol": "T042", "as_of": DAYS[0]},
    "market.delete": OF_ONE,
    "market.frame": IN_A_LIST,
    "market.history": OF_ONE,
    "market.latest_of": {"symbols": ["T042", "T077"]},
    "market.latest_one": {"symbol": "T042"},
    "market.summary": OF_ONE,
    "sentiment.frame": {**IN_A_LIST, "source": "searches"},
    "sentiment.history": {**OF_ONE, "source": "searches"},
}
"""The queries that ask for a ticker, or for a few by name."""

OTHERS: list[tuple[str, dict[str, Any]]] = [
    (
        "divergence.ranking",
        {
            "as_of": DAYS[-1],
            "source": "searches",
            "recent_from": DAYS[30],
            "before_from": DAYS[10],
            "limit": 10,
        },
    ),
    ("institutions.all", {}),
    ("institutions.get", {"cik": 7}),
    ("institutions.identify", {"ciks": [1, 2, 3]}),
    ("market.coverage", {}),
    ("market.latest", {}),
    ("market.on_day", {"date": DAYS[20]}),
    ("market.on_day", {"date": DAYS[-1] + timedelta(days=1)}),  # a holiday: few rows, if any
    ("migrations.applied", {}),
    ("migrations.forget", {"version": 500}),
    ("sentiment.sources", {}),
    ("tickers.all", {}),
    ("tickers.get", {"symbol": "T042"}),
    ("tickers.identify", {"symbols": ["T042"]}),
]
"""The other queries whose plans are looked at."""

ONLY_A_CONSTRAINT = {("tickers", ("cusip",))}
"""Unique indexes that no query reads by: they are there to refuse a second row."""


@dataclass(frozen=True)
class Index:
    """An index as its engine knows it."""

    name: str
    table: str
    columns: tuple[str, ...]
    unique: bool


@dataclass(frozen=True)
class Plan:
    """The names of the indexes that a plan uses, and the big tables that it reads whole."""

    indexes: frozenset[str]
    whole: frozenset[str]


def fill(db: Database) -> None:
    """Some ten thousand rows of each kind; bars come in day by day, as they do in life."""
    db.tickers.upsert(Ticker(symbol, f"Company {symbol}") for symbol in SYMBOLS)
    db.institutions.upsert(Institution(cik, f"Institution {cik}") for cik in range(1, 2001))
    for day in DAYS:
        db.market.upsert([Bar(symbol, day, 1.0, 2.0, 0.5, 1.5, 100) for symbol in SYMBOLS])
    db.holdings.upsert(
        Holding(symbol, (number * 8 + other) % 2000 + 1, quarter, quarter + timedelta(days=45), 10, 10)
        for number, symbol in enumerate(SYMBOLS)
        for other in range(8)
        for quarter in QUARTERS
    )
    db.sentiment.upsert(
        Sentiment(symbol, source, day, 5)
        for symbol in SYMBOLS
        for source in ("mentions", "searches")
        for day in DAYS[::2]
    )
    with db.transaction():
        for number in range(100, 2100):
            db._session.write("migrations.record", version=number, name="of many", checksum="none")


class SQLitePlans:
    """EXPLAIN QUERY PLAN, and the indexes that SQLite has."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("ANALYZE")

    def indexes(self) -> list[Index]:
        """Every index, those that stand for a key or a constraint included."""
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        found = []
        for (table,) in self._connection.execute(tables).fetchall():
            for _, name, unique, origin, _ in self._connection.execute(f"PRAGMA index_list({table})"):
                info = self._connection.execute(f"PRAGMA index_info({name})").fetchall()
                shown = f"{table} PRIMARY KEY" if origin == "pk" else name
                found.append(Index(shown, table, tuple(row[2] for row in info), bool(unique)))
        return found

    def plan(self, name: str, arguments: dict[str, Any]) -> Plan:
        """What a query's plan uses."""
        sql = CATALOGUE.query(name, "sqlite").sql
        coded = {key: coded_for_sqlite(value) for key, value in arguments.items()}
        lines = [row[3] for row in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", coded)]
        indexes: set[str] = set()
        whole: set[str] = set()
        for line in lines:
            found = re.match(
                r"(?:SEARCH|SCAN) (\w+)(?: USING (?:COVERING )?(INDEX \w+|PRIMARY KEY))?", line
            )
            if found is None:
                continue
            tables = tables_of(found[1], sql)
            if found[2] == "PRIMARY KEY":
                indexes.update(f"{table} PRIMARY KEY" for table in tables)
            elif found[2]:
                indexes.add(found[2].removeprefix("INDEX "))
            if line.startswith("SCAN"):
                whole |= tables & BIG
        return Plan(frozenset(indexes), frozenset(whole))


def tables_of(alias: str, sql: str) -> set[str]:
    """The tables that go by an alias somewhere in a statement."""
    named = re.findall(r"(?:FROM|JOIN)\s+(\w+)(?:\s+AS\s+(\w+))?", sql)
    return {table for table, name in named if alias == (name or table)}


def coded_for_sqlite(value: Any) -> Any:
    """A value as SQLite stores it."""
    if isinstance(value, date):
        return (value - date(1970, 1, 1)).days
    return json.dumps(value) if isinstance(value, list) else value


class PostgreSQLPlans:
    """EXPLAIN (FORMAT JSON), and the indexes that PostgreSQL has."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        connection.execute("VACUUM ANALYZE")

    def indexes(self) -> list[Index]:
        """Every index, those that stand for a key or a constraint included."""
        rows = self._connection.execute(
            "SELECT i.indexname, i.tablename, x.indisunique, ARRAY("
            " SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY AS k (attnum, place)"
            " JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.attnum"
            " ORDER BY k.place)"
            " FROM pg_indexes AS i JOIN pg_index AS x ON x.indexrelid = i.indexname::regclass"
            " WHERE i.schemaname = 'public'"
        )
        return [Index(name, table, tuple(columns), unique) for name, table, unique, columns in rows]

    def plan(self, name: str, arguments: dict[str, Any]) -> Plan:
        """What a query's plan uses."""
        sql = CATALOGUE.query(name, "postgresql").sql.replace("%", "%%")
        bound = re.sub(r"(?<!:):([a-z]\w*)", r"%(\1)s", sql)
        answer = self._connection.execute(f"EXPLAIN (FORMAT JSON) {bound}", arguments).fetchone()
        assert answer is not None
        nodes = list(nodes_of(answer[0][0]["Plan"]))
        whole = {
            node["Relation Name"]
            for node in nodes
            if node["Node Type"] == "Seq Scan"
            or (node["Node Type"] in ("Index Scan", "Index Only Scan") and "Index Cond" not in node)
        }
        indexes = frozenset(node["Index Name"] for node in nodes if "Index Name" in node)
        return Plan(indexes, frozenset(whole & BIG))


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A node of PostgreSQL's plan and all below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes_of(below)


Plans = SQLitePlans | PostgreSQLPlans


@pytest.fixture(scope="module")
def plans(
    backend: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Plans]:
    """The plans of the engine under test, on a database whose planner has reason to use its indexes."""
    if backend == "sqlite":
        path: Path = tmp_path_factory.mktemp("plans") / "plans.db"
        with repo.connect(f"sqlite:///{path}") as db:
            db.migrate()
            fill(db)
        with closing(sqlite3.connect(path)) as lite:
            yield SQLitePlans(lite)
        return
    server: servers.Server = request.getfixturevalue("server")
    name = server.create(request.getfixturevalue("template"))
    with repo.connect(server.url_of(name, min_size="1")) as db:
        fill(db)
    with psycopg.connect(server.url_of(name), autocommit=True) as connection:
        yield PostgreSQLPlans(connection)
    server.drop(name)


def test_every_index_is_used(plans: Plans) -> None:
    """Every index is used by the plan of a query, or is there to refuse a second row."""
    used: set[str] = set()
    for name, arguments in [*ONE_TICKER.items(), *OTHERS]:
        used |= plans.plan(name, arguments).indexes
    unused = {index for index in plans.indexes() if index.name not in used}
    idle = {index.name for index in unused if (index.table, index.columns) not in ONLY_A_CONSTRAINT}
    assert idle == set()
    assert all(index.unique for index in unused)


def test_constraints_without_a_reader_are_there(plans: Plans) -> None:
    """The list of indexes that may be idle names unique indexes that exist."""
    unique = {(index.table, index.columns) for index in plans.indexes() if index.unique}
    assert unique >= ONLY_A_CONSTRAINT


@pytest.mark.parametrize("name", ONE_TICKER)
def test_one_ticker_reads_no_table_whole(name: str, plans: Plans) -> None:
    """A query for a ticker, or for a few by name, finds its rows by an index."""
    plan = plans.plan(name, ONE_TICKER[name])
    assert plan.whole == set()
    assert plan.indexes


def test_a_whole_read_is_noticed(plans: Plans) -> None:
    """The coverage of all tickers reads a table whole, and the plans show it."""
    assert plans.plan("market.coverage", {}).whole == {"market_data"}
