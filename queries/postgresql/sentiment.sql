-- Queries about retail interest in the form that only PostgreSQL takes.

-- name: fill*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
COPY retail_sentiment_stage (
    place, ticker_id, source, date, interest, score
)
FROM STDIN WITH BINARY;

-- name: frame(symbols, start, end, source)
-- record_class: Sentiment
-- Rows of the tickers named, or of all, in a range of days, by symbol, date and source, for sentiment.frame().
-- A row is a ticker, and every column but its symbol an array of its rows: arrays are built and sent
-- in a fifth of the time that rows take. Index: tickers_symbol_key, retail_sentiment_pkey.
SELECT
    t.symbol AS symbol,
    ARRAY_AGG(m.source ORDER BY m.date, m.source) AS source,
    ARRAY_AGG(m.date ORDER BY m.date, m.source) AS date,
    ARRAY_AGG(m.interest ORDER BY m.date, m.source) AS interest,
    ARRAY_AGG(m.score ORDER BY m.date, m.source) AS score
FROM tickers AS t
INNER JOIN retail_sentiment AS m ON m.ticker_id = t.ticker_id
WHERE
    (
        CAST(:symbols AS text[]) IS NULL
        OR t.symbol = ANY(CAST(:symbols AS text[]))
    )
    AND m.date >= CAST(:start AS date)
    AND m.date <= CAST(:end AS date)
    AND (CAST(:source AS text) IS NULL OR m.source = CAST(:source AS text))
GROUP BY t.symbol
ORDER BY t.symbol;
