-- Reading and writing retail interest, as far as it is alike on both engines.

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
            SELECT MIN(s.source)
            FROM retail_sentiment AS s
            WHERE s.ticker_id = t.ticker_id
        ) AS source
    FROM tickers AS t
    UNION ALL
    SELECT
        p.ticker_id AS ticker_id,
        (
            SELECT MIN(s.source)
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
IS DISTINCT FROM (excluded.interest, excluded.score);

-- name: add(ticker_id, source, date, interest, score)*!
-- Writes rows that are not there, each key at most once, and leaves alone those that are; counts
-- what was written: what a load counts as new on SQLite. Index: retail_sentiment_pkey.
INSERT INTO retail_sentiment (
    ticker_id, source, date, interest, score
)
VALUES (
    :ticker_id, :source, :date, :interest, :score
)
ON CONFLICT (ticker_id, source, date) DO NOTHING;

-- name: stage()!
-- Makes the table in which rows are set aside that come in bulk or whose keys may come twice.
-- Index: none, it creates a table.
CREATE TEMPORARY TABLE retail_sentiment_stage AS
SELECT
    CAST(0 AS bigint) AS place,
    m.ticker_id AS ticker_id,
    m.source AS source,
    m.date AS date,
    m.interest AS interest,
    m.score AS score
FROM retail_sentiment AS m
WHERE FALSE;

-- name: settle()!
-- Takes out of what was set aside every row whose key comes again further on; counts them.
-- Index: none, it reads all of what was set aside.
DELETE FROM retail_sentiment_stage
WHERE EXISTS (
    SELECT 1
    FROM (
        SELECT
            x.ticker_id AS ticker_id,
            x.source AS source,
            x.date AS date,
            MAX(x.place) AS place
        FROM retail_sentiment_stage AS x
        GROUP BY x.ticker_id, x.source, x.date
        HAVING COUNT(*) > 1
    ) AS k
    WHERE
        k.ticker_id = retail_sentiment_stage.ticker_id
        AND k.source = retail_sentiment_stage.source
        AND k.date = retail_sentiment_stage.date
        AND k.place > retail_sentiment_stage.place
);

-- name: there()$
-- record_class: There(keys: int)
-- How many keys of what was set aside, where each is there once, are in the table already, for what a load
-- counts. Index: retail_sentiment_pkey.
SELECT COUNT(*) AS keys
FROM retail_sentiment_stage AS s
INNER JOIN retail_sentiment AS m
    ON m.ticker_id = s.ticker_id
    AND m.source = s.source
    AND m.date = s.date;

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
        FROM retail_sentiment_stage AS x
        GROUP BY x.ticker_id, x.source, x.date
    ) AS k
) AS g
WHERE g.place - g.ahead > 1
ORDER BY g.place NULLS FIRST
LIMIT 20;

-- name: merge(with_score)!
-- Writes what was set aside, where each key is there once; counts the rows that were new or
-- different. A parameter is 0 where the rows lack the column: that stays as it is in a row that is
-- there, and is NULL in a new one. What is there already is left out by a join: on PostgreSQL a
-- conflict would lock it, and a lock is a write. The rows go in by key, so that two merges at once
-- wait for each other and do not deadlock. Index: retail_sentiment_pkey.
INSERT INTO retail_sentiment (
    ticker_id, source, date, interest, score
)
SELECT
    s.ticker_id,
    s.source,
    s.date,
    s.interest,
    s.score
FROM retail_sentiment_stage AS s
LEFT JOIN retail_sentiment AS m
    ON m.ticker_id = s.ticker_id
    AND m.source = s.source
    AND m.date = s.date
WHERE
    m.ticker_id IS NULL
    OR (m.interest, m.score)
    IS DISTINCT FROM (
        s.interest,
        CASE WHEN CAST(:with_score AS bigint) = 1 THEN s.score ELSE m.score END
    )
ORDER BY s.ticker_id, s.source, s.date
ON CONFLICT (ticker_id, source, date) DO UPDATE SET
    interest = excluded.interest,
    score = CASE WHEN CAST(:with_score AS bigint) = 1 THEN excluded.score ELSE retail_sentiment.score END
WHERE (retail_sentiment.interest, retail_sentiment.score)
IS DISTINCT FROM (
    excluded.interest,
    CASE WHEN CAST(:with_score AS bigint) = 1 THEN excluded.score ELSE retail_sentiment.score END
);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE retail_sentiment_stage;
