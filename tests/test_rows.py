"""The five tables: what is written lies in them, what lies in them is read, what differs is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from repo import Database, Institution, Ticker
from tests.builders import DAY, MAX, bar, day, holding, raw, sentiment, stored


@dataclass(frozen=True)
class Case:
    """A row of a table, and how it is stored by SQL: its values by column, and what its keys are."""

    row: Any
    table: str
    columns: Mapping[str, Any]
    changes: Mapping[str, tuple[Any, ...]]
    """Of each field that may differ, values one after another, each different from the one before."""

    keys: str = ""
    """Which tickers and institutions the row refers to: columns, and what stands behind FROM."""


_OF_TICKER = "tickers WHERE symbol = 'AAPL'"
_PRICES = {"open": 1.5, "high": 3.0, "low": 1.0, "close": 2.0, "volume": 100}
CASES = {
    "tickers": Case(
        Ticker("F", "Ford", "037833109"),
        "tickers",
        {"symbol": "F", "company_name": "Ford", "cusip": "037833109"},
        changes={"company_name": ("Ford Motor",), "cusip": (None, "037833109")},
    ),
    "institutions": Case(
        Institution(9_999_999_999, "Last"),
        "institutions",
        {"cik": 9_999_999_999, "name": "Last"},
        changes={"name": ("Very last", "Last")},
    ),
    "market": Case(
        bar(),
        "market_data",
        {"date": DAY, **_PRICES},
        {
            **dict.fromkeys(("open", "high", "low"), (1.25, None, 1.75)),
            "close": (1.75, 2.5),
            "volume": (0, None, MAX),
        },
        f"ticker_id FROM {_OF_TICKER}",
    ),
    "holdings": Case(
        holding(),
        "institutional_holdings",
        {
            "quarter_end": DAY,
            "filing_date": day(45),
            "shares_held": 10,
            "market_value": 1000,
            "ownership_percent": 0.5,
        },
        {"shares_held": (7, MAX), "market_value": (7, 0), "ownership_percent": (None, 1.0, 0.0, None)},
        f"ticker_id, institution_id FROM institutions, {_OF_TICKER} AND cik = 1",
    ),
    "sentiment": Case(
        sentiment(),
        "retail_sentiment",
        {"source": "trends", "date": DAY, "interest": 5, "score": 0.25},
        {"interest": (0, MAX), "score": (None, 0.0, -1.0, None)},
        f"ticker_id FROM {_OF_TICKER}",
    ),
}
EACH = pytest.mark.parametrize("kind", CASES)


def found(db: Database, kind: str) -> list[Any]:
    """The rows of a kind, but for those that others refer to."""
    if kind in ("tickers", "institutions"):
        rows = [row for row in getattr(db, kind).all() if row[0] in ("F", 9_999_999_999)]
        return [*rows, *(getattr(db, kind).get(row[0]) for row in rows)]
    rows = getattr(db, kind).history("aapl")
    return [*rows, *(db.holdings.known("AAPL", date.max) if kind == "holdings" else ())]


def in_table(case: Case, url: str) -> list[Any]:
    """A case's values as its engine keeps them."""
    return [stored(url, each) if isinstance(each, date) else each for each in case.columns.values()]


@EACH
def test_saved_rows_lie_in_the_table(seeded: Database, url: str, kind: str) -> None:
    """What upsert was given is what the table holds, what is absent as NULL."""
    case = CASES[kind]
    assert getattr(seeded, kind).upsert([case.row]) == 1
    sql = f"SELECT {', '.join(case.columns)} FROM {case.table}"
    assert tuple(in_table(case, url)) in raw(url, sql)
    absent = {field: None for field, values in case.changes.items() if None in values}
    getattr(seeded, kind).upsert([case.row._replace(**absent)])
    told = dict(zip(case.columns, in_table(case, url), strict=True)) | absent
    assert tuple(told.values()) in raw(url, sql)


@EACH
def test_rows_in_the_table_are_found(seeded: Database, url: str, kind: str) -> None:
    """Rows that came by other ways are read like those that were saved here, types included."""
    case = CASES[kind]
    values, names = in_table(case, url), ", ".join(case.columns)
    if case.keys:
        key = case.keys.partition(" FROM")[0]
        places = ", ".join("?" * len(values))
        raw(url, f"INSERT INTO {case.table} ({names}, {key}) SELECT {places}, {case.keys}", *values)
    else:
        raw(url, f"INSERT INTO {case.table} ({names}) VALUES ({', '.join('?' * len(values))})", *values)
    rows = found(seeded, kind)
    assert rows
    for row in rows:
        assert row == case.row
        assert [type(row), *map(type, row)] == [type(case.row), *map(type, case.row)]


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, case in CASES.items() for field in case.changes]
)
def test_any_field_that_differs_makes_a_row_different(seeded: Database, kind: str, field: str) -> None:
    """A change of one field is a change, to and from an absent value too."""
    row = CASES[kind].row
    if field in ("high", "low"):
        row = row._replace(high=None, low=None)
    upsert = getattr(seeded, kind).upsert
    upsert([row])
    for value in CASES[kind].changes[field]:
        row = row._replace(**{field: value})
        assert upsert([row]) == 1
        assert upsert([row] * 150) == 0
        assert set(found(seeded, kind)) == {row}
