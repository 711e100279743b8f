-- Queries about holdings in the form that only SQLite takes.

-- name: fill(place, ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent)*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
INSERT INTO institutional_holdings_stage (
    place, ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value,
    ownership_percent
)
VALUES (
    :place, :ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held,
    :market_value, :ownership_percent
);

-- name: frame(symbols, start, end)
-- record_class: Holding
-- Holdings of the tickers named, or of all, in a range of days, by symbol, quarter end, CIK and filing date, for holdings.frame().
-- Index: tickers_symbol_key, institutional_holdings_pkey (ticker_id, quarter_end to quarter_end),
-- institutions_pkey.
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
        OR t.symbol IN (SELECT wanted.value FROM json_each(:symbols) AS wanted)
    )
    AND m.quarter_end >= CAST(:start AS date)
    AND m.quarter_end <= CAST(:end AS date)
ORDER BY t.symbol, m.quarter_end, i.cik, m.filing_date;
