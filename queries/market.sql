-- Reading and deleting bars.

-- name: history(symbol, start, end)
-- record_class: Bar
-- One ticker's bars from start to end, both included, by date, for market.history(). The ticker is
-- looked up by itself and not joined, so that the bars come in the order of the key without a sort.
-- Index: tickers_symbol_key, market_data_pkey.
SELECT
    CAST(:symbol AS text) AS symbol,
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM market_data AS m
WHERE
    m.ticker_id = (
        SELECT t.ticker_id AS ticker_id
        FROM tickers AS t
        WHERE t.symbol = CAST(:symbol AS text)
    )
    AND m.date >= CAST(:start AS date)
    AND m.date <= CAST(:end AS date)
ORDER BY m.date;

-- name: latest_one(symbol)
-- record_class: Bar
-- The last bar of one ticker, for market.latest() of one symbol; none where there is no bar, or no such
-- ticker. The ticker is looked up by itself and not joined, so that one probe of the key finds the bar.
-- Index: tickers_symbol_key, market_data_pkey.
SELECT
    CAST(:symbol AS text) AS symbol,
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM market_data AS m
WHERE
    m.ticker_id = (
        SELECT t.ticker_id AS ticker_id
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
        SELECT MAX(x.date) AS date
        FROM market_data AS x
        WHERE x.ticker_id = t.ticker_id
    )
ORDER BY t.symbol;

-- name: on_day(date)
-- record_class: Bar
-- Every ticker's bar of one day, by symbol, for market.on().
-- Index: market_data_pkey, a probe for each ticker; on PostgreSQL market_data_date where bars came in
-- day by day.
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
-- market.coverage(). It counts, so it reads the whole of one index. Index: market_data_pkey.
SELECT
    t.symbol AS symbol,
    c.first_day AS first, -- noqa: PRS,LT02
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
-- Index: tickers_symbol_key, market_data_pkey.
DELETE FROM market_data
WHERE
    ticker_id = (
        SELECT t.ticker_id AS ticker_id
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
