-- The writing of bars on PostgreSQL. Repositories call these through Backend.upsert.

-- name: upsert(ticker_id, date, open, high, low, close, volume)*!
-- Writes a few bars, each key at most once; counts the rows that were new or different.
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

-- name: upsert_ten(ticker_id, date, open, high, low, close, volume)*!
-- Writes ten bars with one call of the driver, each key at most once, bound by position; counts
-- those that were new or different. The values of a row are named alike in every row.
-- Index: market_data_pkey.
INSERT INTO market_data (
    ticker_id, date, open, high, low, close, volume
)
VALUES
(:ticker_id, :date, :open, :high, :low, :close, :volume),
(:ticker_id, :date, :open, :high, :low, :close, :volume),
(:ticker_id, :date, :open, :high, :low, :close, :volume),
(:ticker_id, :date, :open, :high, :low, :close, :volume),
(:ticker_id, :date, :open, :high, :low, :close, :volume),
(:ticker_id, :date, :open, :high, :low, :close, :volume),
(:ticker_id, :date, :open, :high, :low, :close, :volume),
(:ticker_id, :date, :open, :high, :low, :close, :volume),
(:ticker_id, :date, :open, :high, :low, :close, :volume),
(:ticker_id, :date, :open, :high, :low, :close, :volume)
ON CONFLICT (ticker_id, date) DO UPDATE SET
    open = excluded.open,
    high = excluded.high,
    low = excluded.low,
    close = excluded.close,
    volume = excluded.volume
WHERE (market_data.open, market_data.high, market_data.low, market_data.close, market_data.volume)
IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume);

-- name: stage()!
-- Makes the table that many rows are copied into; temporary tables write no WAL.
-- Index: none, it creates a table.
CREATE TEMPORARY TABLE market_data_stage (
    place bigint NOT NULL,
    ticker_id integer,
    date date,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume bigint
) ON COMMIT DROP;

-- name: fill(place, ticker_id, date, open, high, low, close, volume)*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
COPY market_data_stage (
    place, ticker_id, date, open, high, low, close, volume
)
FROM STDIN WITH BINARY;

-- name: merge()!
-- Writes what was set aside, of each key the last; counts the rows that were new or different. What is
-- there already is left out by a join: a conflict would lock it, and a lock is a write. The rows go in
-- by key, so that two merges at once wait for each other and do not deadlock.
-- Index: market_data_pkey.
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
FROM (
    SELECT DISTINCT ON (ticker_id, date)
        ticker_id,
        date,
        open,
        high,
        low,
        close,
        volume
    FROM market_data_stage
    ORDER BY ticker_id ASC, date ASC, place DESC
) AS s
LEFT JOIN market_data AS m ON m.ticker_id = s.ticker_id AND m.date = s.date
WHERE
    m.ticker_id IS NULL
    OR (m.open, m.high, m.low, m.close, m.volume)
    IS DISTINCT FROM (s.open, s.high, s.low, s.close, s.volume)
ORDER BY s.ticker_id, s.date
ON CONFLICT (ticker_id, date) DO UPDATE SET
    open = excluded.open,
    high = excluded.high,
    low = excluded.low,
    close = excluded.close,
    volume = excluded.volume
WHERE (market_data.open, market_data.high, market_data.low, market_data.close, market_data.volume)
IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE market_data_stage;

-- name: latest_of(symbols)
-- record_class: Bar
-- The last bar of each ticker named, by symbol, for market.latest(). A ticker without bars gives a row
-- whose date is NULL, an unknown one gives none. Index: tickers_symbol_key, market_data_pkey.
SELECT
    t.symbol AS symbol,
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM tickers AS t
LEFT JOIN market_data AS m
    ON m.ticker_id = t.ticker_id
    AND m.date = (
        SELECT MAX(x.date) AS date
        FROM market_data AS x
        WHERE x.ticker_id = t.ticker_id
    )
WHERE t.symbol = ANY(CAST(:symbols AS text[]))
ORDER BY t.symbol;

-- name: summary(symbol, start, end)^
-- record_class: Summary
-- One ticker's bars from start to end, both included, as one row, for market.summary(). A ticker
-- without bars there gives a row whose rows is NULL, an unknown one gives none. Closes are summed as
-- whole 1e-4 dollars, for a sum of floats depends on their order. A cast
-- rounds to the nearest here, so floor() comes first.
-- Index: tickers_symbol_key, market_data_pkey.
WITH sums AS (
    SELECT
        m.ticker_id AS ticker_id,
        MIN(m.date) AS first_day,
        MAX(m.date) AS last_day,
        COUNT(*) AS bars,
        MAX(m.high) AS high,
        MIN(m.low) AS low,
        CAST(SUM(m.volume) AS bigint) AS volume,
        COUNT(m.volume) AS volumes,
        CAST(SUM(
            CAST(
                floor(
                    m.close * CAST(10000 AS double precision)
                    + CAST(1 AS double precision) / CAST(2 AS double precision)
                ) AS bigint
            )
        ) AS bigint) AS closes
    FROM market_data AS m
    WHERE
        m.ticker_id = (
            SELECT x.ticker_id AS ticker_id
            FROM tickers AS x
            WHERE x.symbol = CAST(:symbol AS text)
        )
        AND m.date >= CAST(:start AS date)
        AND m.date <= CAST(:end AS date)
    GROUP BY m.ticker_id
)

SELECT
    t.symbol AS symbol,
    s.first_day AS first,
    s.last_day AS last,
    s.bars AS rows,
    a.open AS open,
    s.high AS high,
    s.low AS low,
    z.close AS close,
    s.volume AS volume,
    CAST(s.closes AS double precision)
    / CAST(s.bars * 10000 AS double precision) AS average_close,
    CAST(s.volume AS double precision)
    / CAST(NULLIF(s.volumes, 0) AS double precision) AS average_volume
FROM tickers AS t
LEFT JOIN sums AS s ON s.ticker_id = t.ticker_id
LEFT JOIN market_data AS a ON a.ticker_id = s.ticker_id AND a.date = s.first_day
LEFT JOIN market_data AS z ON z.ticker_id = s.ticker_id AND z.date = s.last_day
WHERE t.symbol = CAST(:symbol AS text);

-- name: frame(symbols, start, end)
-- record_class: Bar
-- Bars of the tickers named, or of all, in a range of days, by symbol and date, for market.frame().
-- A row is a ticker, and every column but its symbol an array of its rows: arrays are built and sent
-- in a fifth of the time that rows take. Index: tickers_symbol_key, market_data_pkey.
SELECT
    t.symbol AS symbol,
    ARRAY_AGG(m.date ORDER BY m.date) AS date,
    ARRAY_AGG(m.open ORDER BY m.date) AS open,
    ARRAY_AGG(m.high ORDER BY m.date) AS high,
    ARRAY_AGG(m.low ORDER BY m.date) AS low,
    ARRAY_AGG(m.close ORDER BY m.date) AS close,
    ARRAY_AGG(m.volume ORDER BY m.date) AS volume
FROM tickers AS t
INNER JOIN market_data AS m ON m.ticker_id = t.ticker_id
WHERE
    (
        CAST(:symbols AS text[]) IS NULL
        OR t.symbol = ANY(CAST(:symbols AS text[]))
    )
    AND m.date >= CAST(:start AS date)
    AND m.date <= CAST(:end AS date)
GROUP BY t.symbol
ORDER BY t.symbol;
