"""Arrow tables out of the database and into it, equal on both engines."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest

import repo
from repo import Bar, Holding, Institution, Sentiment, Ticker

pa: Any = pytest.importorskip("pyarrow")

DAY = date(2020, 1, 1)


def _filled(db: repo.Database) -> None:
    db.tickers.upsert([Ticker("B", "Bee"), Ticker("A", "Ay"), Ticker("EMPTY", "Nothing")])
    db.institutions.upsert([Institution(7, "Seven"), Institution(3, "Three")])
    db.market.upsert(
        Bar(symbol, DAY + timedelta(i), 1.5, None, 0.1 + i, 5e-324 + i / 3 + 1, None if i % 2 else i)
        for symbol in "BA"
        for i in range(2500)
    )
    db.market.upsert([Bar("A", date.min, 1.0, 2.0, 0.5, 1.5, 2**63 - 1)])
    db.market.upsert([Bar("A", date.max, None, None, None, 999_999_999_999.0, 0)])
    db.holdings.upsert(
        Holding(symbol, cik, DAY, DAY + timedelta(i), i, 2**62, None if i else 12.5)
        for symbol in "BA"
        for cik in (7, 3)
        for i in range(3)
    )
    db.sentiment.upsert(
        Sentiment(symbol, source, DAY + timedelta(i), i, None if source == "x" else -0.5)
        for symbol in "BA"
        for source in "xy"
        for i in range(4)
    )


def test_dates_are_date32_and_an_empty_frame_has_the_same_schema(db: repo.Database) -> None:
    """A frame's schema does not depend on its rows."""
    empty = db.market.frame()
    assert empty.num_rows == 0
    _filled(db)
    assert db.market.frame().schema.equals(empty.schema)
    assert empty.schema.field("date").type == pa.date32()
    assert not empty.schema.field("close").nullable
    assert db.market.frame(["EMPTY"]).num_rows == 0
    assert db.market.frame([]).num_rows == 0


def test_a_frame_of_unknown_tickers_names_them_all(db: repo.Database) -> None:
    """Every symbol that is missing is named."""
    _filled(db)
    with pytest.raises(repo.UnknownTicker) as caught:
        db.market.frame(["a", "zz", "yy"])
    assert caught.value.missing == ("YY", "ZZ")
    with pytest.raises(repo.InvalidRecord):
        db.market.frame("A")


def test_a_frame_sees_the_transaction_it_is_in(db: repo.Database) -> None:
    """Rows that are not yet committed are in the frame of their own transaction only."""
    _filled(db)
    before = db.market.frame(["B"]).num_rows
    with db.transaction():
        db.market.delete("B")
        assert db.market.frame(["B"]).num_rows == 0
        db.market.upsert([Bar("B", DAY, None, None, None, 1.0, None)])
        assert db.market.frame(["B"]).num_rows == 1
    assert before == 2500
    assert db.market.frame(["B"]).num_rows == 1


@pytest.mark.parametrize("library", ["pyarrow", "pandas", "polars"])
def test_a_frame_written_back_changes_nothing(db: repo.Database, library: str) -> None:
    """Tables of each library are rows to upsert, and a frame's own rows are there already."""
    taker = pytest.importorskip(library)
    _filled(db)
    table = db.holdings.frame()
    if library == "pandas":
        table = table.to_pandas(date_as_object=True)
    elif library == "polars":
        table = taker.from_arrow(table)
    assert db.holdings.upsert(table) == 0


def test_columns_go_by_name_and_types_are_converted_without_loss(db: repo.Database) -> None:
    """Order does not matter, nullable columns may be missing, and widths of numbers are widened."""
    db.tickers.upsert(pa.table({"company_name": ["Ay"], "symbol": ["a"]}))
    bars = pa.table(
        {
            "volume": pa.array([5.0, None], pa.float64()),
            "close": pa.array([1, 2], pa.int16()),
            "low": pa.array([0.5, 0.25], pa.float32()),
            "date": pa.array([datetime(2020, 1, 1), datetime(2020, 1, 2)], pa.timestamp("ns")),
            "symbol": pa.array(["A", "A"]).dictionary_encode(),
        }
    )
    assert db.market.upsert(bars) == 2
    assert db.market.history("A") == [
        Bar("A", date(2020, 1, 1), None, None, 0.5, 1.0, 5),
        Bar("A", date(2020, 1, 2), None, None, 0.25, 2.0, None),
    ]


@pytest.mark.parametrize("library", ["pyarrow", "pandas", "polars"])
def test_a_column_that_is_not_there_stays_as_it_is(db: repo.Database, library: str) -> None:
    """A table without a column changes the others; a record says of every field what it is to be."""
    taker = pytest.importorskip(library)
    _filled(db)
    before = db.market.history("A")
    table = db.market.frame(["A"]).select(["symbol", "date", "close"])
    if library == "pandas":
        table = table.to_pandas(date_as_object=True)
    elif library == "polars":
        table = taker.from_arrow(table)
    assert db.market.upsert(table) == 0
    assert db.market.history("A") == before
    assert before[0].volume is not None
    bar = Bar("A", before[0].date, None, None, None, before[0].close, None)
    assert db.market.upsert([bar]) == 1
    assert db.market.history("A")[0] == bar


@pytest.mark.parametrize(
    ("column", "values", "field"),
    [
        ("clse", [1.0], "clse"),
        ("volume", [1.5], "volume"),
        ("volume", ["1"], "volume"),
        ("volume", [True], "volume"),
        ("date", [datetime(2020, 1, 1, 12)], "date"),
        ("date", ["2020-01-01"], "date"),
        ("close", [float("nan")], "close"),
        ("close", [None], "close"),
    ],
)
def test_a_column_that_would_lose_something_is_refused(
    db: repo.Database, column: str, values: list[Any], field: str
) -> None:
    """The column is named, and nothing is written."""
    db.tickers.upsert([Ticker("A", "Ay")])
    good: dict[str, list[Any]] = {"symbol": ["A"], "date": [DAY], "close": [1.0], "volume": [1]}
    with pytest.raises(repo.InvalidRecord) as caught:
        db.market.upsert(pa.table({**good, column: values}))
    assert field in {problem.field for problem in caught.value.problems}
    assert db.market.history("A") == []


def test_a_column_that_is_missing_is_named(db: repo.Database) -> None:
    """A required column has no default."""
    with pytest.raises(repo.InvalidRecord) as caught:
        db.market.upsert(pa.table({"symbol": ["A"], "close": [1.0]}))
    assert caught.value.field == "date"


def test_without_pyarrow_the_extra_is_named(db: repo.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller who lacks pyarrow is told what to install."""

    def missing(name: str) -> Any:
        if name == "pyarrow":
            raise ImportError(name)
        return import_module(name)

    monkeypatch.setattr("repo.frames.import_module", missing)
    with pytest.raises(repo.ConfigurationError, match=r"smart-money-repo\[arrow\]"):
        db.market.frame()
