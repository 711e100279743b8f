-- Reading tickers, and what of their writing is alike on both engines.

-- name: get(symbol)^
-- record_class: Ticker
-- One ticker by its symbol, for tickers.get(). Index: tickers_symbol_key.
SELECT
    t.symbol AS symbol,
    t.company_name AS company_name,
    t.cusip AS cusip
FROM tickers AS t
WHERE t.symbol = CAST(:symbol AS text);

-- name: all()
-- record_class: Ticker
-- Every ticker by symbol, for tickers.all(). Index: tickers_symbol_key.
SELECT
    t.symbol AS symbol,
    t.company_name AS company_name,
    t.cusip AS cusip
FROM tickers AS t
ORDER BY t.symbol;

-- name: keys()$
-- record_class: Keys(keys: int)
-- How many keys the rows have that an upsert set aside, for what a load counts.
-- Index: none, it reads all of what was set aside.
SELECT COUNT(*) AS keys
FROM (
    SELECT DISTINCT x.symbol AS symbol
    FROM tickers_stage AS x
) AS s;

-- name: there()$
-- record_class: There(keys: int)
-- How many of these keys are in the table already, before they are merged, for what a load counts.
-- Index: tickers_symbol_key.
SELECT COUNT(*) AS keys
FROM (
    SELECT DISTINCT x.symbol AS symbol
    FROM tickers_stage AS x
) AS s
INNER JOIN tickers AS m
    ON m.symbol = s.symbol;

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
        LAG(k.place, 1, CAST(-1 AS bigint)) OVER (ORDER BY k.place) AS ahead
    FROM (
        SELECT MAX(x.place) AS place
        FROM tickers_stage AS x
        GROUP BY x.symbol
    ) AS k
) AS g
WHERE g.place - g.ahead > 1
ORDER BY g.place
LIMIT 20;

-- name: merge_some(with_cusip)!
-- Writes what was set aside, of each key the last, from rows that lack columns: one that comes with 0
-- stays as it is in a row that is there, and is NULL in a new one. Counts what was new or different, and
-- writes it by place as merge() does. For loads of files and frames without these columns.
-- Index: tickers_symbol_key.
INSERT INTO tickers (
    symbol, company_name, cusip
)
SELECT
    s.symbol,
    s.company_name,
    s.cusip
FROM (
    SELECT
        x.place AS place,
        x.symbol AS symbol,
        x.company_name AS company_name,
        x.cusip AS cusip,
        ROW_NUMBER() OVER (PARTITION BY x.symbol ORDER BY x.place DESC) AS turn
    FROM tickers_stage AS x
) AS s
LEFT JOIN tickers AS m
    ON m.symbol = s.symbol
WHERE
    s.turn = 1
    AND (
        m.symbol IS NULL
        OR (m.company_name, m.cusip)
        IS DISTINCT FROM (
            s.company_name,
            CASE WHEN CAST(:with_cusip AS bigint) = 1 THEN s.cusip ELSE m.cusip END
        )
    )
ORDER BY s.place
ON CONFLICT (symbol) DO UPDATE SET
    company_name = excluded.company_name,
    cusip = CASE WHEN CAST(:with_cusip AS bigint) = 1 THEN excluded.cusip ELSE tickers.cusip END
WHERE (tickers.company_name, tickers.cusip)
IS DISTINCT FROM (
    excluded.company_name,
    CASE WHEN CAST(:with_cusip AS bigint) = 1 THEN excluded.cusip ELSE tickers.cusip END
);
