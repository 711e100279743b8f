-- Queries about retail interest in the form that only SQLite takes.

-- name: fill(place, ticker_id, source, date, interest, score)*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
INSERT INTO retail_sentiment_stage (
    place, ticker_id, source, date, interest, score
)
VALUES (
    :place, :ticker_id, :source, :date, :interest, :score
);

-- name: frame(symbols, start, end, source)
-- record_class: Sentiment
-- Rows of the tickers named, or of all, in a range of days, by symbol, date and source, for sentiment.frame().
-- The plus keeps the planner from trying the days of every ticker where few were named.
-- Index: tickers_symbol_key, retail_sentiment_pkey.
SELECT
    t.symbol AS symbol,
    m.source AS source,
    m.date AS date,
    m.interest AS interest,
    m.score AS score
FROM tickers AS t
INNER JOIN retail_sentiment AS m ON m.ticker_id = +t.ticker_id
WHERE
    (
        CAST(:symbols AS text) IS NULL
        OR t.symbol IN (SELECT wanted.value FROM json_each(:symbols) AS wanted)
    )
    AND m.date >= CAST(:start AS date)
    AND m.date <= CAST(:end AS date)
    AND (CAST(:source AS text) IS NULL OR m.source = CAST(:source AS text))
ORDER BY t.symbol, m.date, m.source;
