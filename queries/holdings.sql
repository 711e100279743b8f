-- Reading holdings.

-- name: history(symbol, start, end)
-- record_class: Holding
-- What was filed about one ticker for quarters that end from start to end, both included, by quarter
-- end, CIK and filing date, for holdings.history(). A ticker without filings there gives one row whose
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
-- Index: tickers_symbol_key, institutional_holdings_filed, institutional_holdings_pkey.
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
        SELECT MAX(x.quarter_end) AS quarter_end
        FROM institutional_holdings AS x
        WHERE
            x.ticker_id = t.ticker_id
            AND x.filing_date <= CAST(:as_of AS date)
    )
    AND h.filing_date = (
        SELECT MAX(y.filing_date) AS filing_date
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
