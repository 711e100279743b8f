"""SQL as somebody would write it by hand, for the contestants that send text.

Parameters are ``:name``; :func:`for_psycopg` turns them into psycopg's. Dates are bound as the engine
stores them. The symbol of one ticker's bars is what the caller gave: OF_TICKER leaves it out, and READS
hands it back, for those that make records of rows. The summary and the ranking are the definitions of
this package, since results are compared bit for bit; they leave out what guards a sum against more than
64 bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["BAR_COLUMNS", "OF_TICKER", "READS", "for_psycopg", "upsert"]

BAR_COLUMNS: Final = ("ticker_id", "date", "open", "high", "low", "close", "volume")

_VALUES: Final = "m.date, m.open, m.high, m.low, m.close, m.volume"
_GIVEN: Final = f"CAST(:symbol AS text) AS symbol, {_VALUES}"

# By the key of one ticker, and not by a join: so the rows come in the order of the key without a sort.
_TICKER: Final = "m.ticker_id = (SELECT ticker_id FROM tickers WHERE symbol = :symbol)"

_LATEST: Final = f"""
SELECT {{columns}}
FROM market_data AS m
WHERE {_TICKER}
ORDER BY m.date DESC
LIMIT 1
"""

_HISTORY: Final = f"""
SELECT {{columns}}
FROM market_data AS m
WHERE {_TICKER} AND m.date BETWEEN :start AND :end
ORDER BY m.date
"""

_CROSS_SECTION: Final = f"""
SELECT t.symbol, {_VALUES}
FROM tickers AS t JOIN market_data AS m ON m.ticker_id = t.ticker_id
WHERE m.date = :day
ORDER BY t.symbol
"""

_SUMMARY: Final = """
SELECT t.symbol, s.first, s.last, s.bars, a.open, s.high, s.low, z.close, s.volume,
    CAST(s.closes AS double precision) / (s.bars * 10000) AS average_close,
    CAST(s.volume AS double precision) / NULLIF(s.volumes, 0) AS average_volume
FROM tickers AS t
JOIN (
    SELECT ticker_id, MIN(date) AS first, MAX(date) AS last, COUNT(*) AS bars,
        MAX(high) AS high, MIN(low) AS low,
        CAST(SUM(volume) AS bigint) AS volume, COUNT(volume) AS volumes,
        CAST(SUM(CAST({cents} AS bigint)) AS bigint) AS closes
    FROM market_data
    WHERE ticker_id = (SELECT ticker_id FROM tickers WHERE symbol = :symbol)
        AND date BETWEEN :start AND :end
    GROUP BY ticker_id
) AS s ON s.ticker_id = t.ticker_id
JOIN market_data AS a ON a.ticker_id = s.ticker_id AND a.date = s.first
JOIN market_data AS z ON z.ticker_id = s.ticker_id AND z.date = s.last
"""

_RANKING: Final = """
WITH quarters AS (
    SELECT DISTINCT quarter_end FROM institutional_holdings
    WHERE filing_date <= :as_of
    ORDER BY quarter_end DESC
    LIMIT 2
), newest AS (
    SELECT MAX(quarter_end) AS quarter_end FROM quarters
), filings AS (
    SELECT ticker_id, institution_id, quarter_end, shares_held,
        ROW_NUMBER() OVER (
            PARTITION BY quarter_end, institution_id, ticker_id ORDER BY filing_date DESC
        ) AS place
    FROM institutional_holdings
    WHERE filing_date <= :as_of AND quarter_end IN (SELECT quarter_end FROM quarters)
), members AS (
    SELECT institution_id FROM filings
    GROUP BY institution_id
    HAVING COUNT(DISTINCT quarter_end) = 2
), positions AS (
    SELECT f.ticker_id,
        CAST(SUM(CASE WHEN f.quarter_end = n.quarter_end THEN shares_held ELSE 0 END) AS bigint) AS now,
        CAST(SUM(CASE WHEN f.quarter_end < n.quarter_end THEN shares_held ELSE 0 END) AS bigint)
            AS before
    FROM filings AS f
    JOIN members AS m ON m.institution_id = f.institution_id
    CROSS JOIN newest AS n
    WHERE f.place = 1
    GROUP BY f.ticker_id
), interests AS (
    SELECT ticker_id,
        CAST(SUM(CASE WHEN date >= :recent_from THEN interest ELSE 0 END) AS bigint) AS r,
        COUNT(CASE WHEN date >= :recent_from THEN 1 END) AS nr,
        CAST(SUM(CASE WHEN date < :recent_from THEN interest ELSE 0 END) AS bigint) AS p,
        COUNT(CASE WHEN date < :recent_from THEN 1 END) AS np
    FROM retail_sentiment
    WHERE source = :source AND date BETWEEN :before_from AND :as_of
    GROUP BY ticker_id
), moves AS (
    SELECT o.ticker_id,
        CAST(o.now - o.before AS double precision) / o.before AS flow,
        CAST(i.r * i.np - i.p * i.nr AS double precision) / (i.p * i.nr) AS interest_change
    FROM positions AS o
    JOIN interests AS i ON i.ticker_id = o.ticker_id
    WHERE o.before > 0 AND i.p > 0 AND i.nr > 0
), ranks AS (
    SELECT ticker_id, flow, interest_change,
        PERCENT_RANK() OVER (ORDER BY flow) AS institutional_rank,
        PERCENT_RANK() OVER (ORDER BY interest_change) AS retail_rank
    FROM moves
)
SELECT t.symbol, {as_of} AS as_of, r.flow, r.interest_change,
    (SELECT close FROM market_data AS m
     WHERE m.ticker_id = r.ticker_id AND m.date <= :as_of ORDER BY m.date DESC LIMIT 1)
    / (SELECT close FROM market_data AS m
       WHERE m.ticker_id = r.ticker_id AND m.date < :recent_from ORDER BY m.date DESC LIMIT 1)
    - 1 AS price_return,
    r.institutional_rank, r.retail_rank, r.institutional_rank - r.retail_rank AS divergence
FROM ranks AS r
JOIN tickers AS t ON t.ticker_id = r.ticker_id
ORDER BY divergence DESC, t.symbol
"""

_DELETE: Final = """
DELETE FROM market_data
WHERE ticker_id = (SELECT ticker_id FROM tickers WHERE symbol = :symbol) AND date BETWEEN :start AND :end
"""


def _reads(cents: str, as_of: str) -> Mapping[str, str]:
    return {
        "latest": _LATEST.format(columns=_GIVEN),
        "history": _HISTORY.format(columns=_GIVEN),
        "cross_section": _CROSS_SECTION,
        "summary": _SUMMARY.format(cents=cents),
        "ranking": _RANKING.format(as_of=as_of),
        "delete": _DELETE,
    }


READS: Final[Mapping[str, Mapping[str, str]]] = {
    "sqlite": _reads("close * 10000.0 + 0.5", ":as_of"),
    # A cast to an integer rounds in PostgreSQL, and a bare parameter in the list of columns has no type.
    "postgresql": _reads("floor(close * 10000.0 + 0.5)", "CAST(:as_of AS date)"),
}
"""What is asked and deleted, by engine and job."""

OF_TICKER: Final[Mapping[str, str]] = {
    "latest": _LATEST.format(columns=_VALUES),
    "history": _HISTORY.format(columns=_VALUES),
}
"""What is asked of one ticker, in six columns: the shortest way on both engines."""

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
