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
WHERE (
    institutional_holdings.shares_held,
    institutional_holdings.market_value,
    institutional_holdings.ownership_percent
)
IS DISTINCT FROM (excluded.shares_held, excluded.market_value, excluded.ownership_percent);

-- name: upsert_ten(ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent)*!
-- Writes ten holdings with one call of the driver, each key at most once, bound by position; counts
-- those that were new or different. The values of a row are named alike in every row.
-- Index: institutional_holdings_pkey.
INSERT INTO institutional_holdings (
    ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value,
    ownership_percent
)
VALUES
(:ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent),
(:ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent),
(:ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent),
(:ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent),
(:ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent),
(:ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent),
(:ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent),
(:ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent),
(:ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent),
(:ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent)
ON CONFLICT (ticker_id, quarter_end, institution_id, filing_date) DO UPDATE SET
    shares_held = excluded.shares_held,
    market_value = excluded.market_value,
    ownership_percent = excluded.ownership_percent
WHERE (
    institutional_holdings.shares_held,
    institutional_holdings.market_value,
    institutional_holdings.ownership_percent
)
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
FROM STDIN WITH BINARY;

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
    s.ticker_id,
    s.quarter_end,
    s.institution_id,
    s.filing_date,
    s.shares_held,
    s.market_value,
    s.ownership_percent
FROM (
    SELECT DISTINCT ON (ticker_id, quarter_end, institution_id, filing_date)
        ticker_id,
        quarter_end,
        institution_id,
        filing_date,
        shares_held,
        market_value,
        ownership_percent
    FROM institutional_holdings_stage
    ORDER BY ticker_id ASC, quarter_end ASC, institution_id ASC, filing_date ASC, place DESC
) AS s
LEFT JOIN
    institutional_holdings AS m
    ON m.ticker_id = s.ticker_id
    AND m.quarter_end = s.quarter_end
    AND m.institution_id = s.institution_id
    AND m.filing_date = s.filing_date
WHERE
    m.ticker_id IS NULL
    OR (m.shares_held, m.market_value, m.ownership_percent)
    IS DISTINCT FROM (s.shares_held, s.market_value, s.ownership_percent)
ORDER BY s.ticker_id, s.quarter_end, s.institution_id, s.filing_date
ON CONFLICT (ticker_id, quarter_end, institution_id, filing_date) DO UPDATE SET
    shares_held = excluded.shares_held,
    market_value = excluded.market_value,
    ownership_percent = excluded.ownership_percent
WHERE (
    institutional_holdings.shares_held,
    institutional_holdings.market_value,
    institutional_holdings.ownership_percent
)
IS DISTINCT FROM (excluded.shares_held, excluded.market_value, excluded.ownership_percent);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE institutional_holdings_stage;

-- name: frame(symbols, start, end)
-- record_class: Holding
-- Holdings of the tickers named, or of all, in a range of days, by symbol, quarter end, CIK and filing date, for holdings.frame().
-- A row is a ticker, and every column but its symbol an array of its rows: arrays are built and sent
-- in a fifth of the time that rows take. Index: tickers_symbol_key, institutional_holdings_pkey, institutions_pkey.
SELECT
    t.symbol AS symbol,
    ARRAY_AGG(i.cik ORDER BY m.quarter_end, i.cik, m.filing_date) AS cik,
    ARRAY_AGG(m.quarter_end ORDER BY m.quarter_end, i.cik, m.filing_date) AS quarter_end,
    ARRAY_AGG(m.filing_date ORDER BY m.quarter_end, i.cik, m.filing_date) AS filing_date,
    ARRAY_AGG(m.shares_held ORDER BY m.quarter_end, i.cik, m.filing_date) AS shares_held,
    ARRAY_AGG(m.market_value ORDER BY m.quarter_end, i.cik, m.filing_date) AS market_value,
    ARRAY_AGG(m.ownership_percent ORDER BY m.quarter_end, i.cik, m.filing_date) AS ownership_percent
FROM tickers AS t
INNER JOIN institutional_holdings AS m ON m.ticker_id = t.ticker_id
INNER JOIN institutions AS i ON i.institution_id = m.institution_id
WHERE
    (
        CAST(:symbols AS text[]) IS NULL
        OR t.symbol = ANY(CAST(:symbols AS text[]))
    )
    AND m.quarter_end >= CAST(:start AS date)
    AND m.quarter_end <= CAST(:end AS date)
GROUP BY t.symbol
ORDER BY t.symbol;
