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
