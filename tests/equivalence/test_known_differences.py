"""What is not the same on both engines; each test fails when a difference goes away."""

from __future__ import annotations

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
