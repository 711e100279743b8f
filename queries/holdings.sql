-- Reading and writing holdings, as far as it is alike on both engines.

-- name: history(symbol, start, end)
-- record_class: Holding
-- What was filed about one ticker for quarters that end from start to end, both included, by quarter
-- end, CIK and filing date, for holdings.history(). A ticker without filings there gives one row whose
-- quarter_end is NULL, an unknown one gives none.
-- Index: tickers_symbol_key, institutional_holdings_pkey (ticker_id, quarter_end to quarter_end),
-- institutions_pkey.
SELECT
    t.symbol AS symbol,
    i.cik AS cik,
    h.quarter_end AS quarter_end,
    h.filing_date AS filing_date,
    h.shares_held AS shares_held,
    h.market_value AS market_value,
    h.ownership_percent AS ownership_percent
FROM tickers AS t
LEFT JOIN institutional_holdings AS h
    ON h.ticker_id = t.ticker_id
    AND h.quarter_end >= CAST(:start AS date)
    AND h.quarter_end <= CAST(:end AS date)
LEFT JOIN institutions AS i ON i.institution_id = h.institution_id
WHERE t.symbol = CAST(:symbol AS text)
ORDER BY h.quarter_end NULLS FIRST, i.cik NULLS FIRST, h.filing_date NULLS FIRST;

-- name: known(symbol, as_of)
-- record_class: Holding
-- Each institution's last word, filed by as_of, on the newest quarter that was known of one ticker that
-- day, by CIK, for holdings.known(). A ticker of which nothing was known gives one row whose
-- quarter_end is NULL, an unknown one gives none.
-- Index: tickers_symbol_key, institutional_holdings_pkey, institutions_pkey.
SELECT
    t.symbol AS symbol,
    i.cik AS cik,
    h.quarter_end AS quarter_end,
    h.filing_date AS filing_date,
    h.shares_held AS shares_held,
    h.market_value AS market_value,
    h.ownership_percent AS ownership_percent
FROM tickers AS t
LEFT JOIN institutional_holdings AS h
    ON h.ticker_id = t.ticker_id
    AND h.quarter_end = (
        SELECT MAX(x.quarter_end)
        FROM institutional_holdings AS x
        WHERE
            x.ticker_id = t.ticker_id
            AND x.filing_date <= CAST(:as_of AS date)
    )
    AND h.filing_date = (
        SELECT MAX(y.filing_date)
        FROM institutional_holdings AS y
        WHERE
            y.ticker_id = h.ticker_id
            AND y.quarter_end = h.quarter_end
            AND y.institution_id = h.institution_id
            AND y.filing_date <= CAST(:as_of AS date)
    )
LEFT JOIN institutions AS i ON i.institution_id = h.institution_id
WHERE t.symbol = CAST(:symbol AS text)
ORDER BY i.cik NULLS FIRST;

-- name: between(ticker_id, quarter_end, institution_id, filing_date, last_ticker_id, last_quarter_end, last_institution_id, last_filing_date, rows)
-- The first holdings in the order of the key, from one key to another, both included, as they are stored:
-- what an upsert on SQLite compares with when most of its rows are there. Index: institutional_holdings_pkey.
SELECT
    m.ticker_id AS ticker_id,
    m.quarter_end AS quarter_end,
    m.institution_id AS institution_id,
    m.filing_date AS filing_date,
    m.shares_held AS shares_held,
    m.market_value AS market_value,
    m.ownership_percent AS ownership_percent
FROM institutional_holdings AS m
WHERE
    (m.ticker_id, m.quarter_end, m.institution_id, m.filing_date) >= (
        CAST(:ticker_id AS integer),
        CAST(:quarter_end AS date),
        CAST(:institution_id AS integer),
        CAST(:filing_date AS date)
    )
    AND (m.ticker_id, m.quarter_end, m.institution_id, m.filing_date) <= (
        CAST(:last_ticker_id AS integer),
        CAST(:last_quarter_end AS date),
        CAST(:last_institution_id AS integer),
        CAST(:last_filing_date AS date)
    )
ORDER BY m.ticker_id, m.quarter_end, m.institution_id, m.filing_date
LIMIT CAST(:rows AS bigint);

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
IS DISTINCT FROM (excluded.shares_held, excluded.market_value, excluded.ownership_percent);

-- name: add(ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent)*!
-- Writes holdings that are not there, each key at most once, and leaves alone those that are; counts
-- what was written: what a load counts as new on SQLite. Index: institutional_holdings_pkey.
INSERT INTO institutional_holdings (
    ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent
)
VALUES (
    :ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent
)
ON CONFLICT (ticker_id, quarter_end, institution_id, filing_date) DO NOTHING;

-- name: stage()!
-- Makes the table in which rows are set aside that come in bulk or whose keys may come twice.
-- Index: none, it creates a table.
CREATE TEMPORARY TABLE institutional_holdings_stage AS
SELECT
    CAST(0 AS bigint) AS place,
    m.ticker_id AS ticker_id,
    m.quarter_end AS quarter_end,
    m.institution_id AS institution_id,
    m.filing_date AS filing_date,
    m.shares_held AS shares_held,
    m.market_value AS market_value,
    m.ownership_percent AS ownership_percent
FROM institutional_holdings AS m
WHERE FALSE;

-- name: settle()!
-- Takes out of what was set aside every row whose key comes again further on; counts them.
-- Index: none, it reads all of what was set aside.
DELETE FROM institutional_holdings_stage
WHERE EXISTS (
    SELECT 1
    FROM (
        SELECT
            x.ticker_id AS ticker_id,
            x.quarter_end AS quarter_end,
            x.institution_id AS institution_id,
            x.filing_date AS filing_date,
            MAX(x.place) AS place
        FROM institutional_holdings_stage AS x
        GROUP BY x.ticker_id, x.quarter_end, x.institution_id, x.filing_date
        HAVING COUNT(*) > 1
    ) AS k
    WHERE
        k.ticker_id = institutional_holdings_stage.ticker_id
        AND k.quarter_end = institutional_holdings_stage.quarter_end
        AND k.institution_id = institutional_holdings_stage.institution_id
        AND k.filing_date = institutional_holdings_stage.filing_date
        AND k.place > institutional_holdings_stage.place
);

-- name: there()$
-- record_class: There(keys: int)
-- How many keys of what was set aside, where each is there once, are in the table already, for what a load
-- counts. Index: institutional_holdings_pkey.
SELECT COUNT(*) AS keys
FROM institutional_holdings_stage AS s
INNER JOIN institutional_holdings AS m
    ON m.ticker_id = s.ticker_id
    AND m.quarter_end = s.quarter_end
    AND m.institution_id = s.institution_id
    AND m.filing_date = s.filing_date;

-- name: superseded()
-- record_class: Superseded(first_place: int, last_place: int)
-- The first rows set aside that give way to others of their keys, as ranges of places, for a load in which
-- no key may come twice. The last row of a key stays, and so do the places between two that do not.
-- Index: none, it reads all of what was set aside.
SELECT
    g.ahead + 1 AS first_place,
    g.place - 1 AS last_place
FROM (
    SELECT
        k.place AS place,
        LAG(k.place, 1, CAST(-1 AS bigint)) OVER (ORDER BY k.place NULLS FIRST) AS ahead
    FROM (
        SELECT MAX(x.place) AS place
        FROM institutional_holdings_stage AS x
        GROUP BY x.ticker_id, x.quarter_end, x.institution_id, x.filing_date
    ) AS k
) AS g
WHERE g.place - g.ahead > 1
ORDER BY g.place NULLS FIRST
LIMIT 20;

-- name: merge(with_ownership_percent)!
-- Writes what was set aside, where each key is there once; counts the rows that were new or
-- different. A parameter is 0 where the rows lack the column: that stays as it is in a row that is
-- there, and is NULL in a new one. What is there already is left out by a join: on PostgreSQL a
-- conflict would lock it, and a lock is a write. The rows go in by key, so that two merges at once
-- wait for each other and do not deadlock. Index: institutional_holdings_pkey.
INSERT INTO institutional_holdings (
    ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent
)
SELECT
    s.ticker_id,
    s.quarter_end,
    s.institution_id,
    s.filing_date,
    s.shares_held,
    s.market_value,
    s.ownership_percent
FROM institutional_holdings_stage AS s
LEFT JOIN institutional_holdings AS m
    ON m.ticker_id = s.ticker_id
    AND m.quarter_end = s.quarter_end
    AND m.institution_id = s.institution_id
    AND m.filing_date = s.filing_date
WHERE
    m.ticker_id IS NULL
    OR (m.shares_held, m.market_value, m.ownership_percent)
    IS DISTINCT FROM (
        s.shares_held,
        s.market_value,
        CASE
            WHEN CAST(:with_ownership_percent AS bigint) = 1 THEN s.ownership_percent ELSE
                m.ownership_percent
        END
    )
ORDER BY s.ticker_id, s.quarter_end, s.institution_id, s.filing_date
ON CONFLICT (ticker_id, quarter_end, institution_id, filing_date) DO UPDATE SET
    shares_held = excluded.shares_held,
    market_value = excluded.market_value,
    ownership_percent
    = CASE
        WHEN CAST(:with_ownership_percent AS bigint) = 1 THEN excluded.ownership_percent ELSE
            institutional_holdings.ownership_percent
    END
WHERE (
    institutional_holdings.shares_held,
    institutional_holdings.market_value,
    institutional_holdings.ownership_percent
)
IS DISTINCT FROM (
    excluded.shares_held,
    excluded.market_value,
    CASE
        WHEN CAST(:with_ownership_percent AS bigint) = 1 THEN excluded.ownership_percent ELSE
            institutional_holdings.ownership_percent
    END
);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE institutional_holdings_stage;
