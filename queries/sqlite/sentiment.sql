-- The writing of sentiment rows on SQLite. Repositories call these through Backend.upsert.

-- name: upsert(ticker_id, source, date, interest, score)*!
-- Writes sentiment rows, each key at most once; counts the rows that were new or different.
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
IS NOT (excluded.interest, excluded.score);

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
IS NOT (excluded.interest, excluded.score);

-- name: stage()!
-- Makes the table in which rows are settled whose keys come more than once; outside the file.
-- Index: none, it creates a table.
CREATE TABLE staging.retail_sentiment_stage (
    place INTEGER NOT NULL,
    ticker_id INTEGER NOT NULL,
    source TEXT NOT NULL,
    date INTEGER NOT NULL,
    interest INTEGER,
    score REAL,
    PRIMARY KEY (ticker_id, source, date)
) STRICT, WITHOUT ROWID;

-- name: fill(place, ticker_id, source, date, interest, score)*!
-- Sets rows aside in the order they came; of one key the last stays.
-- Index: the key of the table it fills.
INSERT OR REPLACE INTO staging.retail_sentiment_stage (
    place, ticker_id, source, date, interest, score
)
VALUES (
    :place, :ticker_id, :source, :date, :interest, :score
);

-- name: merge()!
-- Writes what was set aside; counts the rows that were new or different.
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
FROM staging.retail_sentiment_stage AS s
WHERE TRUE
ORDER BY s.ticker_id, s.source, s.date
ON CONFLICT (ticker_id, source, date) DO UPDATE SET
    interest = excluded.interest,
    score = excluded.score
WHERE (retail_sentiment.interest, retail_sentiment.score)
IS NOT (excluded.interest, excluded.score);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE staging.retail_sentiment_stage;

-- name: frame(symbols, start, end, source)
-- record_class: Sentiment
-- Rows of the tickers named, or of all, in a range of days, by symbol, date and source, for sentiment.frame().
-- Index: tickers_symbol_key, retail_sentiment_pkey.
SELECT
    t.symbol AS symbol,
    m.source AS source,
    m.date AS date,
    m.interest AS interest,
    m.score AS score
FROM tickers AS t
INNER JOIN retail_sentiment AS m ON m.ticker_id = t.ticker_id
WHERE
    (
        CAST(:symbols AS text) IS NULL
        OR t.symbol IN (SELECT wanted.value AS symbol FROM json_each(:symbols) AS wanted)
    )
    AND m.date >= CAST(:start AS date)
    AND m.date <= CAST(:end AS date)
    AND (CAST(:source AS text) IS NULL OR m.source = CAST(:source AS text))
ORDER BY t.symbol, m.date, m.source;
