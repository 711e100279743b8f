-- The writing of holdings on SQLite. Repositories call these through Backend.upsert.

-- name: upsert(ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent)*!
-- Writes holdings, each key at most once; counts the rows that were new or different.
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
IS NOT (excluded.shares_held, excluded.market_value, excluded.ownership_percent);

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
IS NOT (excluded.shares_held, excluded.market_value, excluded.ownership_percent);

-- name: stage()!
-- Makes the table in which rows are settled whose keys come more than once; outside the file.
-- Index: none, it creates a table.
CREATE TABLE staging.institutional_holdings_stage (
    place INTEGER NOT NULL,
    ticker_id INTEGER NOT NULL,
    quarter_end INTEGER NOT NULL,
    institution_id INTEGER NOT NULL,
    filing_date INTEGER NOT NULL,
    shares_held INTEGER,
    market_value INTEGER,
    ownership_percent REAL,
    PRIMARY KEY (ticker_id, quarter_end, institution_id, filing_date)
) STRICT, WITHOUT ROWID;

-- name: fill(place, ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent)*!
-- Sets rows aside in the order they came; of one key the last stays.
-- Index: the key of the table it fills.
INSERT OR REPLACE INTO staging.institutional_holdings_stage (
    place, ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value,
    ownership_percent
)
VALUES (
    :place, :ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held,
    :market_value, :ownership_percent
);

-- name: merge()!
-- Writes what was set aside; counts the rows that were new or different.
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
FROM staging.institutional_holdings_stage AS s
WHERE TRUE
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
IS NOT (excluded.shares_held, excluded.market_value, excluded.ownership_percent);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE staging.institutional_holdings_stage;

-- name: frame(symbols, start, end)
-- record_class: Holding
-- Holdings of the tickers named, or of all, in a range of days, by symbol, quarter end, CIK and filing date, for holdings.frame().
-- Index: tickers_symbol_key, institutional_holdings_pkey, institutions_pkey.
SELECT
    t.symbol AS symbol,
    i.cik AS cik,
    m.quarter_end AS quarter_end,
    m.filing_date AS filing_date,
    m.shares_held AS shares_held,
    m.market_value AS market_value,
    m.ownership_percent AS ownership_percent
FROM tickers AS t
INNER JOIN institutional_holdings AS m ON m.ticker_id = t.ticker_id
INNER JOIN institutions AS i ON i.institution_id = m.institution_id
WHERE
    (
        CAST(:symbols AS text) IS NULL
        OR t.symbol IN (SELECT wanted.value AS symbol FROM json_each(:symbols) AS wanted)
    )
    AND m.quarter_end >= CAST(:start AS date)
    AND m.quarter_end <= CAST(:end AS date)
ORDER BY t.symbol, m.quarter_end, i.cik, m.filing_date;
