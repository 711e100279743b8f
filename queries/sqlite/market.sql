-- Queries about bars in the form that only SQLite takes.

-- name: fill(place, ticker_id, date, open, high, low, close, volume)*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
INSERT INTO market_data_stage (
    place, ticker_id, date, open, high, low, close, volume
)
VALUES (
    :place, :ticker_id, :date, :open, :high, :low, :close, :volume
);

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
        SELECT MAX(x.date)
        FROM market_data AS x
        WHERE x.ticker_id = t.ticker_id
    )
WHERE t.symbol IN (SELECT wanted.value FROM json_each(:symbols) AS wanted)
ORDER BY t.symbol;

-- name: summary(symbol, start, end)^
-- record_class: Summary
-- One ticker's bars from start to end, both included, as one row, for market.summary(). A ticker
-- without bars there gives a row whose rows is NULL, an unknown one gives none. Closes are summed as
-- whole 1e-4 dollars, for a sum of floats depends on their order. A cast
-- rounds down here, and not every SQLite has floor().
-- Index: tickers_symbol_key, market_data_pkey (ticker_id, date to date).
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
                m.close * CAST(10000 AS double precision)
                + CAST(1 AS double precision) / CAST(2 AS double precision) AS bigint
            )
        ) AS bigint) AS closes
    FROM market_data AS m
    WHERE
        m.ticker_id = (
            SELECT x.ticker_id
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
-- Index: tickers_symbol_key, market_data_pkey (ticker_id, date to date).
SELECT
    t.symbol AS symbol,
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM tickers AS t
INNER JOIN market_data AS m ON m.ticker_id = t.ticker_id
WHERE
    (
        CAST(:symbols AS text) IS NULL
        OR t.symbol IN (SELECT wanted.value FROM json_each(:symbols) AS wanted)
    )
    AND m.date >= CAST(:start AS date)
    AND m.date <= CAST(:end AS date)
ORDER BY t.symbol, m.date;
