"""What is not the same on both engines; each test fails when a difference goes away."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import repo
from tests.equivalence.engines import Engines

QUERY = """
-- name: nobody()
-- record_class: Nobody(symbol: int)
-- Rows that are not there, of a column that is no int. Index: tickers_symbol_key.
SELECT t.symbol AS symbol
FROM tickers AS t
WHERE t.symbol = 'nobody'
ORDER BY t.symbol;
"""


def test_the_type_of_a_column_without_rows(engines: Engines, tmp_path: Path) -> None:
    """PostgreSQL tells the types of columns of no rows; SQLite has types of values only."""
    (tmp_path / "own.sql").write_text(QUERY, encoding="utf-8")
    found = []
    for url in engines.urls:
        with repo.connect(url, queries=[tmp_path]) as db:
            try:
                found.append(db.queries.own.nobody())
            except repo.QueryContractError:
                found.append("QueryContractError")
    assert found == [[], "QueryContractError"]


COMPUTED = """
-- name: last()$
-- record_class: Last(day: int)
-- The last day there is, computed, and declared a number. Index: market_data_date.
SELECT COALESCE(MAX(m.date), MIN(m.date)) AS day
FROM market_data AS m;
"""


def test_a_computed_day_that_is_declared_a_number(engines: Engines, tmp_path: Path) -> None:
    """SQLite keeps days as numbers, and nothing tells that this is one."""
    (tmp_path / "own.sql").write_text(COMPUTED, encoding="utf-8")
    found = []
    for url in engines.urls:
        with repo.connect(url, queries=[tmp_path]) as db:
            db.tickers.upsert([repo.Ticker("A", "A")])
            db.market.upsert([repo.Bar("A", date(1970, 1, 3), None, None, None, 1.0, None)])
            try:
                found.append(db.queries.own.last())
            except repo.QueryContractError:
                found.append("QueryContractError")
    assert found == [2, "QueryContractError"]
