"""The known difference in isolation: what PostgreSQL is asked for it gives, SQLite is serializable."""

from __future__ import annotations

import pytest

import repo
from repo import Ticker
from repo.engine.backend import IsolationLevel


@pytest.mark.parametrize(
    ("isolation", "seen"),
    [
        ("serializable", {"sqlite": 1, "postgresql": 1}),
        ("repeatable read", {"sqlite": 1, "postgresql": 1}),
        ("read committed", {"sqlite": 1, "postgresql": 2}),
    ],
)
def test_what_a_transaction_sees_of_others(
    db: repo.Database, url: str, isolation: IsolationLevel, seen: dict[str, int]
) -> None:
    """A commit of somebody else shows inside a transaction at read committed on PostgreSQL only."""
    db.tickers.upsert([Ticker("A", "Ay")])
    with repo.connect(url) as other, db.transaction(read_only=True, isolation=isolation):
        assert len(db.tickers.all()) == 1
        other.tickers.upsert([Ticker("B", "Bee")])
        assert len(db.tickers.all()) == seen[db.dialect]
    assert len(db.tickers.all()) == 2
