-- Reading, writing and deleting bars, as far as it is alike on both engines.

-- name: history(symbol, start, end)
-- record_class: BarOfTicker
-- One ticker's bars from start to end, both included, by date, for market.history(). The ticker is
-- looked up by itself and not joined, so that the bars come in the order of the key without a sort, and
-- the symbol, which was given, is not sent in every row.
-- Index: tickers_symbol_key, market_data_pkey (ticker_id, date to date).
SELECT
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM market_data AS m
WHERE
    m.ticker_id = (
        SELECT t.ticker_id
        FROM tickers AS t
        WHERE t.symbol = CAST(:symbol AS text)
    )
    AND m.date >= CAST(:start AS date)
    AND m.date <= CAST(:end AS date)
ORDER BY m.date;

-- name: latest_one(symbol)
-- record_class: BarOfTicker
-- The last bar of one ticker, for market.latest() of one symbol; none where there is no bar, or no such
-- ticker. The ticker is looked up by itself and not joined, so that one probe of the key finds the bar.
-- Index: tickers_symbol_key, market_data_pkey.
SELECT
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM market_data AS m
WHERE
    m.ticker_id = (
        SELECT t.ticker_id
        FROM tickers AS t
        WHERE t.symbol = CAST(:symbol AS text)
    )
ORDER BY m.date DESC
LIMIT 1;

-- name: latest()
-- record_class: Bar
-- The last bar of every ticker that has one, by symbol, for market.latest().
-- Index: tickers_symbol_key, market_data_pkey.
SELECT
    t.symbol AS symbol,
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM tickers AS t
INNER JOIN market_data AS m
    ON m.ticker_id = t.ticker_id
    AND m.date = (
        SELECT MAX(x.date)
        FROM market_data AS x
        WHERE x.ticker_id = t.ticker_id
    )
ORDER BY t.symbol;

-- name: on_day(date)
-- record_class: Bar
-- Every ticker's bar of one day, by symbol, for market.on().
-- Index: market_data_pkey (ticker_id, date), a probe for each ticker; on PostgreSQL, for a recent day, the
-- index that smdi maintain keeps, where the table is large.
SELECT
    t.symbol AS symbol,
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM tickers AS t
INNER JOIN market_data AS m
    ON m.ticker_id = t.ticker_id
    AND m.date = CAST(:date AS date)
ORDER BY t.symbol;

-- name: coverage()
-- record_class: Coverage
-- The first and last bar of every ticker that has any and their number, by symbol, for
-- market.coverage(). It counts. Index: none, it reads the whole table.
SELECT
    t.symbol AS symbol,
    c.first_day AS first,
    c.last_day AS last,
    c.bars AS rows
FROM (
    SELECT
        m.ticker_id AS ticker_id,
        MIN(m.date) AS first_day,
        MAX(m.date) AS last_day,
        COUNT(*) AS bars
    FROM market_data AS m
    GROUP BY m.ticker_id
) AS c
INNER JOIN tickers AS t ON t.ticker_id = c.ticker_id
ORDER BY t.symbol;

-- name: delete(symbol, start, end)!
-- Deletes one ticker's bars from start to end, both included, and counts them, for market.delete().
-- Index: tickers_symbol_key, market_data_pkey (ticker_id, date to date).
DELETE FROM market_data
WHERE
    ticker_id = (
        SELECT t.ticker_id
        FROM tickers AS t
        WHERE t.symbol = CAST(:symbol AS text)
    )
    AND date >= CAST(:start AS date)
    AND date <= CAST(:end AS date);

-- name: between(ticker_id, date, last_ticker_id, last_date, rows)
-- The first bars in the order of the key, from one key to another, both included, as they are stored:
-- what an upsert on SQLite compares with when most of its rows are there. Index: market_data_pkey.
SELECT
    m.ticker_id AS ticker_id,
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM market_data AS m
WHERE
    (m.ticker_id, m.date) >= (
        CAST(:ticker_id AS integer),
        CAST(:date AS date)
    )
    AND (m.ticker_id, m.date) <= (
        CAST(:last_ticker_id AS integer),
        CAST(:last_date AS date)
    )
ORDER BY m.ticker_id, m.date
LIMIT CAST(:rows AS bigint);

-- name: upsert(ticker_id, date, open, high, low, close, volume)*!
-- Writes bars, each key at most once; counts the rows that were new or different.
-- Index: market_data_pkey.
INSERT INTO market_data (
    ticker_id, date, open, high, low, close, volume
)
VALUES (
    :ticker_id, :date, :open, :high, :low, :close, :volume
)
ON CONFLICT (ticker_id, date) DO UPDATE SET
    open = excluded.open,
    high = excluded.high,
    low = excluded.low,
    close = excluded.close,
    volume = excluded.volume
WHERE (market_data.open, market_data.high, market_data.low, market_data.close, market_data.volume)
IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume);

-- name: add(ticker_id, date, open, high, low, close, volume)*!
-- Writes bars that are not there, each key at most once, and leaves alone those that are; counts
-- what was written: what a load counts as new on SQLite. Index: market_data_pkey.
INSERT INTO market_data (
    ticker_id, date, open, high, low, close, volume
)
VALUES (
    :ticker_id, :date, :open, :high, :low, :close, :volume
)
ON CONFLICT (ticker_id, date) DO NOTHING;

-- name: stage()!
-- Makes the table in which rows are set aside that come in bulk or whose keys may come twice.
-- Index: none, it creates a table.
CREATE TEMPORARY TABLE market_data_stage AS
SELECT
    CAST(0 AS bigint) AS place,
    m.ticker_id AS ticker_id,
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM market_data AS m
WHERE FALSE;

-- name: settle()!
-- Takes out of what was set aside every row whose key comes again further on; counts them.
-- Index: none, it reads all of what was set aside.
DELETE FROM market_data_stage
WHERE EXISTS (
    SELECT 1
    FROM (
        SELECT
            x.ticker_id AS ticker_id,
            x.date AS date,
            MAX(x.place) AS place
        FROM market_data_stage AS x
        GROUP BY x.ticker_id, x.date
        HAVING COUNT(*) > 1
    ) AS k
    WHERE
        k.ticker_id = market_data_stage.ticker_id
        AND k.date = market_data_stage.date
        AND k.place > market_data_stage.place
);

-- name: there()$
-- record_class: There(keys: int)
-- How many keys of what was set aside, where each is there once, are in the table already, for what a load
-- counts. Index: market_data_pkey.
SELECT COUNT(*) AS keys
FROM market_data_stage AS s
INNER JOIN market_data AS m
    ON m.ticker_id = s.ticker_id
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
        FROM market_data_stage AS x
        GROUP BY x.ticker_id, x.date
    ) AS k
) AS g
WHERE g.place - g.ahead > 1
ORDER BY g.place NULLS FIRST
LIMIT 20;

-- name: unfit(with_high, with_low)
-- record_class: Unfit(place: int, high: float, low: float)
-- The bars set aside without a high or a low (its parameter is 0) that contradict that of the bar there is,
-- for a load that has to name them before the merge fails. Order: total because each row set aside has a
-- place of its own. Index: market_data_pkey.
SELECT
    f.place AS place,
    f.high AS high,
    f.low AS low
FROM (
    SELECT
        s.place AS place,
        CASE WHEN CAST(:with_high AS bigint) = 1 THEN s.high ELSE m.high END AS high,
        CASE WHEN CAST(:with_low AS bigint) = 1 THEN s.low ELSE m.low END AS low
    FROM market_data_stage AS s
    INNER JOIN market_data AS m
        ON m.ticker_id = s.ticker_id
        AND m.date = s.date
) AS f
WHERE f.high < f.low
ORDER BY f.place NULLS FIRST;

-- name: merge(with_open, with_high, with_low, with_volume)!
-- Writes what was set aside, where each key is there once; counts the rows that were new or
-- different. A parameter is 0 where the rows lack the column: that stays as it is in a row that is
-- there, and is NULL in a new one. What is there already is left out by a join: on PostgreSQL a
-- conflict would lock it, and a lock is a write. The rows go in by key, so that two merges at once
-- wait for each other and do not deadlock. Index: market_data_pkey.
INSERT INTO market_data (
    ticker_id, date, open, high, low, close, volume
)
SELECT
    s.ticker_id,
    s.date,
    s.open,
    s.high,
    s.low,
    s.close,
    s.volume
FROM market_data_stage AS s
LEFT JOIN market_data AS m
    ON m.ticker_id = s.ticker_id
    AND m.date = s.date
WHERE
    m.ticker_id IS NULL
    OR (m.open, m.high, m.low, m.close, m.volume)
    IS DISTINCT FROM (
        CASE WHEN CAST(:with_open AS bigint) = 1 THEN s.open ELSE m.open END,
        CASE WHEN CAST(:with_high AS bigint) = 1 THEN s.high ELSE m.high END,
        CASE WHEN CAST(:with_low AS bigint) = 1 THEN s.low ELSE m.low END,
        s.close,
        CASE WHEN CAST(:with_volume AS bigint) = 1 THEN s.volume ELSE m.volume END
    )
ORDER BY s.ticker_id, s.date
ON CONFLICT (ticker_id, date) DO UPDATE SET
    open = CASE WHEN CAST(:with_open AS bigint) = 1 THEN excluded.open ELSE market_data.open END,
    high = CASE WHEN CAST(:with_high AS bigint) = 1 THEN excluded.high ELSE market_data.high END,
    low = CASE WHEN CAST(:with_low AS bigint) = 1 THEN excluded.low ELSE market_data.low END,
    close = excluded.close,
    volume = CASE WHEN CAST(:with_volume AS bigint) = 1 THEN excluded.volume ELSE market_data.volume END
WHERE (market_data.open, market_data.high, market_data.low, market_data.close, market_data.volume)
IS DISTINCT FROM (
    CASE WHEN CAST(:with_open AS bigint) = 1 THEN excluded.open ELSE market_data.open END,
    CASE WHEN CAST(:with_high AS bigint) = 1 THEN excluded.high ELSE market_data.high END,
    CASE WHEN CAST(:with_low AS bigint) = 1 THEN excluded.low ELSE market_data.low END,
    excluded.close,
    CASE WHEN CAST(:with_volume AS bigint) = 1 THEN excluded.volume ELSE market_data.volume END
);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE market_data_stage;
