"""What a merge leaves alone on PostgreSQL: rows that are there already are not even locked."""

from __future__ import annotations

from repo import Database
from tests.builders import bar, day, raw, seed

BACKENDS = ("postgresql",)
# xmax is 0 in a row version that nothing has locked, changed or deleted since it was made.
TOUCHED = "SELECT COUNT(*) FROM market_data WHERE xmax <> 0"


def test_only_rows_that_differ_are_touched(db: Database, url: str) -> None:
    """The same rows again write nothing, neither rows nor locks; of a few changes only those are new."""
    seed(db)
    bars = [bar(on=day(number), close=1.0 + number) for number in range(1500)]
    for written in (1500, 0):
        assert db.market.upsert(bars) == written
        assert raw(url, TOUCHED) == [(0,)]
    bars[700] = bar(on=day(700), close=5000.0)
    assert db.market.upsert(bars) == 1
    assert raw(url, "SELECT COUNT(DISTINCT xmin::text) FROM market_data") == [(2,)]
    assert raw(url, TOUCHED)[0][0] <= 1
