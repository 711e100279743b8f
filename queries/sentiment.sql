-- Reading retail interest.

-- name: history(symbol, source, start, end)
-- record_class: Sentiment
-- One ticker's interest from start to end, both included, of one source or of all, by date and source,
-- for sentiment.history(). A ticker without rows there gives one row whose date is NULL, an unknown one
-- gives none. Index: tickers_symbol_key, retail_sentiment_pkey.
SELECT
    t.symbol AS symbol,
    s.source AS source,
    s.date AS date,
    s.interest AS interest,
    s.score AS score
FROM tickers AS t
LEFT JOIN retail_sentiment AS s
    ON s.ticker_id = t.ticker_id
    AND (CAST(:source AS text) IS NULL OR s.source = CAST(:source AS text))
    AND s.date >= CAST(:start AS date)
    AND s.date <= CAST(:end AS date)
WHERE t.symbol = CAST(:symbol AS text)
ORDER BY s.date NULLS FIRST, s.source NULLS FIRST;

-- name: sources()
-- record_class: Source(source: str)
-- The sources there are, by name, for sentiment.sources() and for a ranking that names none. It steps
-- from one source of a ticker to the next, so it reads a row for each of them and not every row.
-- Index: retail_sentiment_pkey.
WITH RECURSIVE steps (ticker_id, source) AS (
    SELECT
        t.ticker_id AS ticker_id,
        (
            SELECT MIN(s.source) AS source
            FROM retail_sentiment AS s
            WHERE s.ticker_id = t.ticker_id
        ) AS source
    FROM tickers AS t
    UNION ALL
    SELECT
        p.ticker_id AS ticker_id,
        (
            SELECT MIN(s.source) AS source
            FROM retail_sentiment AS s
            WHERE s.ticker_id = p.ticker_id AND s.source > p.source
        ) AS source
    FROM steps AS p
    WHERE p.source IS NOT NULL
)

SELECT DISTINCT p.source AS source
FROM steps AS p
WHERE p.source IS NOT NULL
ORDER BY p.source;

-- name: between(ticker_id, source, date, last_ticker_id, last_source, last_date, rows)
-- The first rows in the order of the key, from one key to another, both included, as they are stored:
-- what an upsert on SQLite compares with when most of its rows are there. Index: retail_sentiment_pkey.
SELECT
    m.ticker_id AS ticker_id,
    m.source AS source,
    m.date AS date,
    m.interest AS interest,
    m.score AS score
FROM retail_sentiment AS m
WHERE
    (m.ticker_id, m.source, m.date) >= (
        CAST(:ticker_id AS integer),
        CAST(:source AS text),
        CAST(:date AS date)
    )
    AND (m.ticker_id, m.source, m.date) <= (
        CAST(:last_ticker_id AS integer),
        CAST(:last_source AS text),
        CAST(:last_date AS date)
    )
ORDER BY m.ticker_id, m.source, m.date
LIMIT CAST(:rows AS bigint);
