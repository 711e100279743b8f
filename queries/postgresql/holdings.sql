-- Queries about holdings in the form that only PostgreSQL takes.

-- name: fill*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
COPY institutional_holdings_stage (
    place, ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value,
    ownership_percent
)
FROM STDIN WITH BINARY;

-- name: frame(symbols, start, end)
-- record_class: Holding
-- Holdings of the tickers named, or of all, in a range of days, by symbol, quarter end, CIK and filing date, for holdings.frame().
-- A row is a ticker, and every column but its symbol an array of its rows: arrays are built and sent
-- in a fifth of the time that rows take. Index: tickers_symbol_key, institutional_holdings_pkey (ticker_id,
-- quarter_end to quarter_end), institutions_pkey.
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
