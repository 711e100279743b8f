"""What the planners make of the queries at a million bars: what each query says of its indexes."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from repo import Database, introspection
from repo.plans import Plan, Step, explain
from repo.sample import LAST_DAY, SOURCE, SampleSize, fill

LARGE = {"market_data", "institutional_holdings", "retail_sentiment"}
"""The tables that no query reads whole, unless it says so; of others a few pages may be read instead."""

IDLE = {"market_data_date"}
"""Indexes that no query reads by here: PostgreSQL's by date serves where the last days of fewer bars
came in one by one (tests/bench/README.md)."""

MONTH = {"start": LAST_DAY - timedelta(days=60), "end": LAST_DAY - timedelta(days=30)}
YEAR = {"start": LAST_DAY - timedelta(days=400), "end": LAST_DAY}
VALUES: dict[str, Any] = {
    **MONTH,
    "as_of": LAST_DAY,
    "before_from": LAST_DAY - timedelta(days=60),
    "cik": 1007,
    "ciks": [1001, 1002],
    "date": LAST_DAY,
    "filing_date": MONTH["start"],
    "institution_id": 1,
    "last_date": LAST_DAY,
    "last_filing_date": LAST_DAY,
    "last_institution_id": 2000,
    "last_quarter_end": LAST_DAY,
    "last_source": SOURCE,
    "last_ticker_id": 60,
    "limit": 10,
    "quarter_end": MONTH["start"],
    "recent_from": MONTH["end"],
    "rows": 1001,
    "source": SOURCE,
    "symbol": "T00042",
    "symbols": ["T00042", "T00077"],
    "ticker_id": 42,
}
"""What is asked, by the name of the parameter."""

OTHERS: dict[str, list[dict[str, Any]]] = {
    "holdings.frame": [YEAR],
    "holdings.history": [YEAR],
    "holdings.known": [{}, {"as_of": LAST_DAY - timedelta(days=500)}],
    "market.on_day": [
        {},
        {"date": LAST_DAY - timedelta(days=900)},
        {"date": LAST_DAY + timedelta(days=1)},
    ],
    "sentiment.frame": [{}, {"source": None}],
}
"""What else is asked of a query, or something else."""


def statement(comment: str) -> dict[str, list[str]]:
    """What the comment of a query says of indexes: by name, the columns that it finds rows by.

    A column is there twice of which both ends are given: ``(ticker_id, date to date)``.
    """
    said = re.findall(r"(\w+)(?:\s+\(([\w,\s]+)\))?", comment.rpartition("Index:")[2])
    return {index: re.findall(r"(?!to\b)\b\w+", columns) for index, columns in said}


def found_by(step: Step) -> Counter[str]:
    """How often a step's condition names a column; a cast of PostgreSQL's names none."""
    return Counter(re.findall(r"\w+", re.sub(r"::[\w ]+", "", step.condition or "")))


def wrong(plan: Plan, stated: Mapping[str, Sequence[str]], tables: dict[str, str]) -> set[str]:
    """What a plan does that its query does not say; ``tables`` has the table of each index."""
    unused = {
        f"does not use {index}"
        for index in stated.keys() - plan.indexes
        if tables[index] in LARGE or tables[index] not in plan.whole
    }
    whole = {f"reads {table} whole" for table in plan.whole & LARGE if stated}
    read = [step for step in plan.all() if step.index in stated]
    by_less = {
        f"does not find rows of {index} by {', '.join(columns)}"
        for index, columns in stated.items()
        for steps in [[found_by(step) for step in read if step.index == index]]
        if any({*columns} - {*found} for found in steps)
        or (steps and not any(Counter(columns) <= found for found in steps))
    }
    dropped = {
        f"drops most rows of {step.index}" for step in read if (step.removed or 0) > (step.rows or 0)
    }
    return unused | whole | by_less | dropped | ({"sorts on disk"} if plan.on_disk else set())


def test_queries_keep_to_what_they_state(db: Database, backend: str) -> None:
    """Every index stated is used, by the columns stated; no large table is read whole; no index is idle.

    Keys may be: they refuse rows, and whether a small table's is read by changes with the pages that
    VACUUM could mark visible. Left out is what a plan does not tell: how a row that is given is
    written, and what is done with rows set aside, of which there are none here. SQLite does not tell
    of the disk.
    """
    # A fifth of the bars, and copies of them on earlier days: sooner than a million by themselves.
    fill(db, SampleSize(days=400, institutions=2000, share=0.0125))
    connection = db._backend.acquire(write=True)
    if backend == "postgresql":
        connection.execute("SET session_replication_role = replica")  # nothing to refer to is looked up
    connection.execute(
        "INSERT INTO market_data (ticker_id, date, open, high, low, close, volume)"
        " SELECT m.ticker_id, m.date - 400 * t.ticker_id, m.open, m.high, m.low, m.close, m.volume"
        " FROM market_data m JOIN tickers t ON t.ticker_id <= 4 ORDER BY m.date - 400 * t.ticker_id"
    )
    connection.execute("ANALYZE" if backend == "sqlite" else "VACUUM ANALYZE")
    db._backend.release(connection, write=True)
    assert sum(row.rows for row in db.market.coverage()) == 1_000_000
    tables: dict[str, str] = {}
    keys: set[str] = set()
    for table in introspection.describe(db).tables:
        held = {each.name for each in table.constraints if each.kind in ("primary key", "unique")}
        tables |= dict.fromkeys([*held, *(each.name for each in table.indexes)], table.name)
        keys |= held
    catalogue = db._session.catalogue
    broken: dict[str, set[str]] = {}
    used: set[str] = set()
    for name in catalogue.names(dialect=db.dialect):
        query = catalogue.query(name, db.dialect)
        stated = {
            index: columns for index, columns in statement(query.comment).items() if index in tables
        }
        if not stated or query.engine_only or query.aside or query.operator == "*!":
            continue
        for others in OTHERS.get(name, [{}]):
            given = {**VALUES, **others}
            plan = explain(db, name, {each: given[each] for each in query.parameters}, analyze=True)
            used |= plan.indexes
            if found := wrong(plan, stated, tables):
                broken[f"{name} {others}"] = found
    assert broken == {}
    assert tables.keys() - keys - used <= IDLE


@pytest.mark.parametrize(
    ("step", "found"),
    [
        (Step("Seq Scan", table="tickers", whole=True), {"does not use market_data_pkey"}),
        (
            Step("Seq Scan", table="market_data", whole=True),
            {
                "does not use market_data_pkey",
                "does not use tickers_symbol_key",
                "reads market_data whole",
            },
        ),
        (
            Step("Sort", sorts=True, on_disk=True, index="tickers_symbol_key"),
            {"does not use market_data_pkey", "sorts on disk"},
        ),
        (
            Step(
                "SEARCH",
                index="market_data_pkey",
                condition="(ticker_id=? AND date>?)",
                rows=1,
                removed=9,
            ),
            {
                "does not use tickers_symbol_key",
                "does not find rows of market_data_pkey by ticker_id, date, date",
                "drops most rows of market_data_pkey",
            },
        ),
    ],
)
def test_what_is_wrong_is_noticed(step: Step, found: set[str]) -> None:
    """A plan that does something else is told; a small table may be read whole."""
    tables = {"market_data_pkey": "market_data", "tickers_symbol_key": "tickers"}
    stated = statement("Index: market_data_pkey (ticker_id, date to date), tickers_symbol_key.")
    assert wrong(Plan("a.b", "x", (step,)), stated, tables) == found
