-- The writing of holdings on PostgreSQL. Repositories call these through Backend.upsert.

-- name: upsert(ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent)*!
-- Writes a few holdings, each key at most once; counts the rows that were new or different.
-- Index: institutional_holdings_pkey.
INSERT INTO institutional_holdings (
    ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value,
    ownership_percent
)
VALUES (
    :ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value,
    :ownership_percent
)
ON CONFLICT (ticker_id, quarter_end, institution_id, filing_date) DO UPDATE SET
    shares_held = excluded.shares_held,
    market_value = excluded.market_value,
    ownership_percent = excluded.ownership_percent
WHERE (institutional_holdings.shares_held, institutional_holdings.market_value, institutional_holdings.ownership_percent)
    IS DISTINCT FROM (excluded.shares_held, excluded.market_value, excluded.ownership_percent);

-- name: stage()!
-- Makes the table that many rows are copied into; temporary tables write no WAL.
-- Index: none, it creates a table.
CREATE TEMPORARY TABLE institutional_holdings_stage (
    place bigint NOT NULL,
    ticker_id integer,
    quarter_end date,
    institution_id integer,
    filing_date date,
    shares_held bigint,
    market_value bigint,
    ownership_percent double precision
) ON COMMIT DROP;

-- name: fill(place, ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent)*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
COPY institutional_holdings_stage (
    place, ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value,
    ownership_percent
)
FROM STDIN (FORMAT BINARY);

-- name: merge()!
-- Writes what was set aside, of each key the last; counts the rows that were new or different. What is
-- there already is left out by a join: a conflict would lock it, and a lock is a write. The rows go in
-- by key, so that two merges at once wait for each other and do not deadlock.
-- Index: institutional_holdings_pkey.
INSERT INTO institutional_holdings (
    ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value,
    ownership_percent
)
SELECT
    s.ticker_id, s.quarter_end, s.institution_id, s.filing_date, s.shares_held, s.market_value,
    s.ownership_percent
FROM (
    SELECT DISTINCT ON (ticker_id, quarter_end, institution_id, filing_date)
        ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value,
        ownership_percent
    FROM institutional_holdings_stage
    ORDER BY ticker_id, quarter_end, institution_id, filing_date, place DESC
) AS s
LEFT JOIN institutional_holdings AS m ON m.ticker_id = s.ticker_id AND m.quarter_end = s.quarter_end AND m.institution_id = s.institution_id AND m.filing_date = s.filing_date
WHERE
    m.ticker_id IS NULL
    OR (m.shares_held, m.market_value, m.ownership_percent)
    IS DISTINCT FROM (s.shares_held, s.market_value, s.ownership_percent)
ORDER BY s.ticker_id, s.quarter_end, s.institution_id, s.filing_date
ON CONFLICT (ticker_id, quarter_end, institution_id, filing_date) DO UPDATE SET
    shares_held = excluded.shares_held,
    market_value = excluded.market_value,
    ownership_percent = excluded.ownership_percent
WHERE (institutional_holdings.shares_held, institutional_holdings.market_value, institutional_holdings.ownership_percent)
    IS DISTINCT FROM (excluded.shares_held, excluded.market_value, excluded.ownership_percent);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE institutional_holdings_stage;
