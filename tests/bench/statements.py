"""SQL as somebody would write it by hand, for the contestants that send text.

Parameters are ``:name``; :func:`for_psycopg` turns them into psycopg's. Dates are bound as the engine
stores them. The symbol of one ticker's bars is what the caller gave: OF_TICKER leaves it out, and READS
hands it back, for those that make records of rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

BAR_COLUMNS: Final = ("ticker_id", "date", "open", "high", "low", "close", "volume")

# By the key of one ticker, and not by a join: so the rows come in the order of the key without a sort.
_BARS: Final = """
SELECT m.date, m.open, m.high, m.low, m.close, m.volume
FROM market_data AS m
WHERE m.ticker_id = (SELECT ticker_id FROM tickers WHERE symbol = :symbol)
"""

OF_TICKER: Final = {
    "latest": f"{_BARS} ORDER BY m.date DESC LIMIT 1",
    "history": f"{_BARS} AND m.date BETWEEN :start AND :end ORDER BY m.date",
}
"""What is asked of one ticker, in six columns: the shortest way on both engines."""

READS: Final = {
    job: sql.replace("m.date,", "CAST(:symbol AS text) AS symbol, m.date,", 1)
    for job, sql in OF_TICKER.items()
}
"""The same with the symbol in front."""

_DIFFERS: Final = {"sqlite": "IS NOT", "postgresql": "IS DISTINCT FROM"}


def upsert(backend: str, values: Sequence[str]) -> str:
    """One bar, written where it is new or different; ``values`` stand for those of BAR_COLUMNS."""
    return f"""
    INSERT INTO market_data ({", ".join(BAR_COLUMNS)})
    VALUES ({", ".join(values)})
    ON CONFLICT (ticker_id, date) DO UPDATE SET
        open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
        volume = excluded.volume
    WHERE (market_data.open, market_data.high, market_data.low, market_data.close, market_data.volume)
        {_DIFFERS[backend]}
        (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
    """


def for_psycopg(sql: str) -> str:
    """``:name`` as ``%(name)s``."""
    return re.sub(r"(?<![:\w]):([a-z_]+)", r"%(\1)s", sql)
