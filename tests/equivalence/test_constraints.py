"""What the schema itself refuses, and what is left of a transaction after an error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

import pytest

import repo
from repo import Bar, Holding, Ticker
from tests.equivalence.engines import Engines
from tests.equivalence.exact import Outcome, outcome
from tests.equivalence.failing import DAY, fails, start

_TICKER: Final = {"symbol": "N", "company_name": "New", "cusip": None}
_INSTITUTION: Final = {"cik": 8, "name": "Eight"}
_PRICES: Final = {"open": 1.0, "high": 2.0, "low": 1.0, "close": 1.5, "volume": 0}
_BAR: Final = {"symbol": "A", "date": date(2020, 5, 5), **_PRICES}
_HOLDING: Final = {
    "symbol": "A",
    "cik": 1,
    "quarter_end": DAY,
    "filing_date": date(2020, 5, 5),
    "shares_held": 1,
    "market_value": 1,
    "ownership_percent": 1.0,
}
_SENTIMENT: Final = {"symbol": "A", "source": "s", "date": date(2020, 5, 5), "interest": 1, "score": 0.0}

_REFUSED: Final[list[tuple[str, dict[str, Any], dict[str, Any], str]]] = [
    ("add_ticker", _TICKER, {"symbol": "A"}, "UniqueViolation"),
    ("add_ticker", _TICKER, {"symbol": None}, "NotNullViolation"),
    ("add_ticker", _TICKER, {"symbol": ""}, "CheckViolation"),
    ("add_ticker", _TICKER, {"symbol": "a"}, "CheckViolation"),
    ("add_ticker", _TICKER, {"symbol": "A B"}, "CheckViolation"),
    ("add_ticker", _TICKER, {"symbol": "É"}, "CheckViolation"),
    ("add_ticker", _TICKER, {"symbol": "A" * 17}, "CheckViolation"),
    ("add_ticker", _TICKER, {"company_name": None}, "NotNullViolation"),
    ("add_ticker", _TICKER, {"company_name": ""}, "CheckViolation"),
    ("add_ticker", _TICKER, {"company_name": "\U0001f4c8" * 301}, "CheckViolation"),
    ("add_ticker", _TICKER, {"cusip": "12345678"}, "CheckViolation"),
    ("add_ticker", _TICKER, {"cusip": "12345678a"}, "CheckViolation"),
    ("add_ticker", _TICKER, {"cusip": "1234567890"}, "CheckViolation"),
    ("add_institution", _INSTITUTION, {"cik": 1}, "UniqueViolation"),
    ("add_institution", _INSTITUTION, {"cik": 0}, "CheckViolation"),
    ("add_institution", _INSTITUTION, {"cik": 10_000_000_000}, "CheckViolation"),
    ("add_institution", _INSTITUTION, {"cik": None}, "NotNullViolation"),
    ("add_institution", _INSTITUTION, {"name": ""}, "CheckViolation"),
    ("add_institution", _INSTITUTION, {"name": "e\u0301" * 151}, "CheckViolation"),
    ("add_institution", _INSTITUTION, {"name": None}, "NotNullViolation"),
    ("add_bar", _BAR, {"date": DAY}, "UniqueViolation"),
    ("add_bar", _BAR, {"symbol": "NONE"}, "NotNullViolation"),
    ("add_bar", _BAR, {"date": None}, "NotNullViolation"),
    ("add_bar", _BAR, {"close": None}, "NotNullViolation"),
    *(("add_bar", _BAR, {price: 0.0}, "CheckViolation") for price in ("open", "high", "low", "close")),
    *(("add_bar", _BAR, {price: -0.0}, "CheckViolation") for price in ("open", "high", "low", "close")),
    *(("add_bar", _BAR, {price: 1e12}, "CheckViolation") for price in ("open", "high", "low", "close")),
    ("add_bar", _BAR, {"high": 1.0, "low": 1.0000000000000002}, "CheckViolation"),
    ("add_bar", _BAR, {"volume": -1}, "CheckViolation"),
    ("add_holding", _HOLDING, {"filing_date": DAY}, "UniqueViolation"),
    ("add_holding", _HOLDING, {"filing_date": date(2020, 3, 30)}, "CheckViolation"),
    ("add_holding", _HOLDING, {"symbol": "NONE"}, "NotNullViolation"),
    ("add_holding", _HOLDING, {"cik": 99}, "NotNullViolation"),
    ("add_holding", _HOLDING, {"shares_held": -1}, "CheckViolation"),
    ("add_holding", _HOLDING, {"shares_held": None}, "NotNullViolation"),
    ("add_holding", _HOLDING, {"market_value": -1}, "CheckViolation"),
    ("add_holding", _HOLDING, {"market_value": None}, "NotNullViolation"),
    ("add_holding", _HOLDING, {"ownership_percent": -5e-324}, "CheckViolation"),
    ("add_holding", _HOLDING, {"ownership_percent": 100.00000000000001}, "CheckViolation"),
    ("add_sentiment", _SENTIMENT, {"date": DAY}, "UniqueViolation"),
    ("add_sentiment", _SENTIMENT, {"symbol": "NONE"}, "NotNullViolation"),
    ("add_sentiment", _SENTIMENT, {"source": ""}, "CheckViolation"),
    ("add_sentiment", _SENTIMENT, {"source": "\U0001f98d" * 65}, "CheckViolation"),
    ("add_sentiment", _SENTIMENT, {"source": None}, "NotNullViolation"),
    ("add_sentiment", _SENTIMENT, {"interest": -1}, "CheckViolation"),
    ("add_sentiment", _SENTIMENT, {"score": -1.0000000000000002}, "CheckViolation"),
    ("add_sentiment", _SENTIMENT, {"score": 1.0000000000000002}, "CheckViolation"),
    ("add_orphan", {"ticker_id": 0, "date": DAY, "close": 1.0}, {}, "ForeignKeyViolation"),
    ("remove_ticker", {"symbol": "A"}, {}, "ForeignKeyViolation"),
    ("remove_institution", {"cik": 1}, {}, "ForeignKeyViolation"),
]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    ("query", "good", "bad", "error"), _REFUSED, ids=[f"{each[0]}-{each[2]!r:.40}" for each in _REFUSED]
)
def test_a_constraint(
    engines: Engines, query: str, good: dict[str, Any], bad: dict[str, Any], error: str, inside: bool
) -> None:
    """Each constraint of the schema refuses an application's row by the same class of error."""
    rows = start(engines)
    found = fails(
        engines, rows, lambda db: getattr(db.queries.plain, query)(**{**good, **bad}), inside=inside
    )
    assert found.error == error


@pytest.mark.parametrize(
    ("query", "row", "changes"),
    [
        (
            "add_ticker",
            _TICKER,
            [{}, {"company_name": "\U0001f4c8" * 300, "symbol": ".-9", "cusip": "*@#AZ0009"}],
        ),
        ("add_institution", _INSTITUTION, [{}, {"cik": 9_999_999_998, "name": "e\u0301" * 150}]),
        (
            "add_bar",
            _BAR,
            [{}, {"date": date.max, "close": 5e-324, "high": 1.0, "low": 1.0, "volume": 2**63 - 1}],
        ),
        (
            "add_holding",
            _HOLDING,
            [{}, {"quarter_end": date.max, "filing_date": date.max, "ownership_percent": 100.0}],
        ),
        ("add_sentiment", _SENTIMENT, [{}, {"source": "\U0001f98d" * 64, "score": -1.0}]),
    ],
)
def test_what_the_constraints_let_through(
    engines: Engines, query: str, row: dict[str, Any], changes: list[dict[str, Any]]
) -> None:
    """The rows that were refused above for one value are stored alike with another."""
    start(engines)
    for change in changes:
        written = engines.same(lambda db: getattr(db.queries.plain, query)(**{**row, **change}))  # noqa: B023  # now
        assert written.answer == 1
    engines.dump()


def _too_much(db: repo.Database) -> None:
    db.market.upsert(
        [Bar("A", DAY + timedelta(day), None, None, None, 1.0, 2**63 - 1) for day in (1, 2)]
    )


_OUT_OF_RANGE: Final[dict[str, Callable[[repo.Database], Any]]] = {
    "summary": lambda db: db.market.summary("A"),
    "an application's query": lambda db: db.queries.plain.total_volume(),
}


@pytest.mark.parametrize("asked", _OUT_OF_RANGE)
def test_a_read_that_fails_ends_its_block(engines: Engines, asked: str) -> None:
    """After a read that the database failed the innermost block can only be left, on both engines."""
    rows = start(engines)
    for db in engines.both:
        _too_much(db)
    rows.upsert(
        "market", [Bar("A", DAY + timedelta(day), None, None, None, 1.0, 2**63 - 1) for day in (1, 2)]
    )
    attempts: dict[str, Callable[[repo.Database], Any]] = {
        "read": lambda db: db.tickers.all(),
        "write": lambda db: db.tickers.upsert([Ticker("NO", "no")]),
        "nest": lambda db: _nest(db),
        "argument": lambda db: db.tickers.get(""),
    }

    def story(db: repo.Database) -> list[Outcome]:
        told = []

        def inner() -> None:
            with db.transaction():
                db.tickers.upsert([Ticker("LOST", "lost")])
                told.append(outcome(lambda: _OUT_OF_RANGE[asked](db)))
                told.extend(outcome(lambda: attempt(db)) for attempt in attempts.values())  # noqa: B023  # now

        with db.transaction():
            db.tickers.upsert([Ticker("KEPT", "kept")])
            told.append(outcome(inner))
            told.append(outcome(lambda: db.tickers.get("LOST")))
            db.tickers.upsert([Ticker("KEPT2", "kept")])
        told.append(outcome(inner))
        return told

    found = engines.same(story).answer
    block = ["RangeError", "RangeError", "RangeError", "RangeError", "InvalidRecord", "RangeError"]
    assert [each.error for each in found] == [*block, "UnknownTicker", *block]
    rows.upsert("tickers", [Ticker("KEPT", "kept"), Ticker("KEPT2", "kept")])
    assert engines.dump() == rows.dump()


def _nest(db: repo.Database) -> None:
    with db.transaction():
        pass


_WITHOUT_TABLES: Final[dict[str, tuple[Callable[[repo.Database], Any], str | None]]] = {
    "read": (lambda db: db.tickers.all(), "MigrationError"),
    "ranking": (lambda db: db.divergence.ranking(DAY), "MigrationError"),
    "delete": (lambda db: db.market.delete("A"), "MigrationError"),
    "bar": (lambda db: db.market.upsert([_bar()]), "MigrationError"),
    "holding": (lambda db: db.holdings.upsert([Holding("A", 1, DAY, DAY, 1, 1)]), "MigrationError"),
    "ticker": (lambda db: db.tickers.upsert([Ticker("A", "a")]), "MigrationError"),
    "tickers": (
        lambda db: db.tickers.upsert([Ticker(f"A{number}", "a") for number in range(200)]),
        "MigrationError",
    ),
    "institution": (lambda db: db.institutions.upsert([repo.Institution(1, "a")]), "MigrationError"),
    "bad bar": (lambda db: db.market.upsert([_bar(), _bar(close=-1.0)]), "InvalidRecord"),
    "bad ticker": (lambda db: db.tickers.upsert([Ticker("", "a")]), "InvalidRecord"),
    "bad argument": (lambda db: db.tickers.get(""), "InvalidRecord"),
    "no row": (lambda db: db.market.upsert([]), None),
}


def _bar(close: float = 1.0) -> Bar:
    return Bar("A", DAY, None, None, None, close, None)


def test_without_a_schema(engines: Engines) -> None:
    """Before the first migration what needs a table says so, and what is bad is bad all the same."""
    engines.reset()
    try:
        engines.same(lambda db: db.migrate(0))
        found = {name: engines.outcomes(asked) for name, (asked, _) in _WITHOUT_TABLES.items()}
    finally:
        engines.reset()
    errors = {name: [each.error for each in pair] for name, pair in found.items()}
    assert errors == {name: [error, error] for name, (_, error) in _WITHOUT_TABLES.items()}
