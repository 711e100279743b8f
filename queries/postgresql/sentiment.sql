-- The writing of sentiment rows on PostgreSQL. Repositories call these through Backend.upsert.

-- name: upsert(ticker_id, source, date, interest, score)*!
-- Writes a few sentiment rows, each key at most once; counts the rows that were new or different.
-- Index: retail_sentiment_pkey.
INSERT INTO retail_sentiment (
    ticker_id, source, date, interest, score
)
VALUES (
    :ticker_id, :source, :date, :interest, :score
)
ON CONFLICT (ticker_id, source, date) DO UPDATE SET
    interest = excluded.interest,
    score = excluded.score
WHERE (retail_sentiment.interest, retail_sentiment.score)
IS DISTINCT FROM (excluded.interest, excluded.score);

-- name: upsert_ten(ticker_id, source, date, interest, score)*!
-- Writes ten rows with one call of the driver, each key at most once, bound by position; counts
-- those that were new or different. The values of a row are named alike in every row.
-- Index: retail_sentiment_pkey.
INSERT INTO retail_sentiment (
    ticker_id, source, date, interest, score
)
VALUES
(:ticker_id, :source, :date, :interest, :score),
(:ticker_id, :source, :date, :interest, :score),
(:ticker_id, :source, :date, :interest, :score),
(:ticker_id, :source, :date, :interest, :score),
(:ticker_id, :source, :date, :interest, :score),
(:ticker_id, :source, :date, :interest, :score),
(:ticker_id, :source, :date, :interest, :score),
(:ticker_id, :source, :date, :interest, :score),
(:ticker_id, :source, :date, :interest, :score),
(:ticker_id, :source, :date, :interest, :score)
ON CONFLICT (ticker_id, source, date) DO UPDATE SET
    interest = excluded.interest,
    score = excluded.score
WHERE (retail_sentiment.interest, retail_sentiment.score)
IS DISTINCT FROM (excluded.interest, excluded.score);

-- name: stage()!
-- Makes the table that many rows are copied into; temporary tables write no WAL.
-- Index: none, it creates a table.
CREATE TEMPORARY TABLE retail_sentiment_stage (
    place bigint NOT NULL,
    ticker_id integer,
    source text COLLATE "C",
    date date,
    interest bigint,
    score double precision
) ON COMMIT DROP;

-- name: fill(place, ticker_id, source, date, interest, score)*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
COPY retail_sentiment_stage (
    place, ticker_id, source, date, interest, score
)
FROM STDIN WITH BINARY;

-- name: merge()!
-- Writes what was set aside, of each key the last; counts the rows that were new or different. What is
-- there already is left out by a join: a conflict would lock it, and a lock is a write. The rows go in
-- by key, so that two merges at once wait for each other and do not deadlock.
-- Index: retail_sentiment_pkey.
INSERT INTO retail_sentiment (
    ticker_id, source, date, interest, score
)
SELECT
    s.ticker_id,
    s.source,
    s.date,
    s.interest,
    s.score
FROM (
    SELECT DISTINCT ON (ticker_id, source, date)
        ticker_id,
        source,
        date,
        interest,
        score
    FROM retail_sentiment_stage
    ORDER BY ticker_id ASC, source ASC, date ASC, place DESC
) AS s
LEFT JOIN retail_sentiment AS m ON m.ticker_id = s.ticker_id AND m.source = s.source AND m.date = s.date
WHERE
    m.ticker_id IS NULL
    OR (m.interest, m.score)
    IS DISTINCT FROM (s.interest, s.score)
ORDER BY s.ticker_id, s.source, s.date
ON CONFLICT (ticker_id, source, date) DO UPDATE SET
    interest = excluded.interest,
    score = excluded.score
WHERE (retail_sentiment.interest, retail_sentiment.score)
IS DISTINCT FROM (excluded.interest, excluded.score);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE retail_sentiment_stage;

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
