-- Reading and writing tickers, as far as it is alike on both engines.

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

-- name: upsert(symbol, company_name, cusip)*!
-- Writes tickers, each key at most once; counts the rows that were new or different.
-- Index: tickers_symbol_key.
INSERT INTO tickers (
    symbol, company_name, cusip
)
VALUES (
    :symbol, :company_name, :cusip
)
ON CONFLICT (symbol) DO UPDATE SET
    company_name = excluded.company_name,
    cusip = excluded.cusip
WHERE (tickers.company_name, tickers.cusip)
IS DISTINCT FROM (excluded.company_name, excluded.cusip);

-- name: stage()!
-- Makes the table in which rows are set aside that come in bulk or whose keys may come twice.
-- Index: none, it creates a table.
CREATE TEMPORARY TABLE tickers_stage AS
SELECT
    CAST(0 AS bigint) AS place,
    m.symbol AS symbol,
    m.company_name AS company_name,
    m.cusip AS cusip
FROM tickers AS m
WHERE FALSE;

-- name: settle()!
-- Takes out of what was set aside every row whose key comes again further on; counts them.
-- Index: none, it reads all of what was set aside.
DELETE FROM tickers_stage
WHERE EXISTS (
    SELECT 1
    FROM (
        SELECT
            x.symbol AS symbol,
            MAX(x.place) AS place
        FROM tickers_stage AS x
        GROUP BY x.symbol
        HAVING COUNT(*) > 1
    ) AS k
    WHERE
        k.symbol = tickers_stage.symbol
        AND k.place > tickers_stage.place
);

-- name: there()$
-- record_class: There(keys: int)
-- How many keys of what was set aside, where each is there once, are in the table already, for what a load
-- counts. Index: tickers_symbol_key.
SELECT COUNT(*) AS keys
FROM tickers_stage AS s
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
        LAG(k.place, 1, CAST(-1 AS bigint)) OVER (ORDER BY k.place NULLS FIRST) AS ahead
    FROM (
        SELECT MAX(x.place) AS place
        FROM tickers_stage AS x
        GROUP BY x.symbol
    ) AS k
) AS g
WHERE g.place - g.ahead > 1
ORDER BY g.place NULLS FIRST
LIMIT 20;

-- name: merge(with_cusip)!
-- Writes what was set aside, where each key is there once; counts the rows that were new or
-- different. A parameter is 0 where the rows lack the column: that stays as it is in a row that is
-- there, and is NULL in a new one. What is there already is left out by a join: on PostgreSQL a
-- conflict would lock it, and a lock is a write. The rows go in by place: two tickers may hand on a
-- CUSIP, and then the order decides. Index: tickers_symbol_key.
INSERT INTO tickers (
    symbol, company_name, cusip
)
SELECT
    s.symbol,
    s.company_name,
    s.cusip
FROM tickers_stage AS s
LEFT JOIN tickers AS m
    ON m.symbol = s.symbol
WHERE
    m.symbol IS NULL
    OR (m.company_name, m.cusip)
    IS DISTINCT FROM (
        s.company_name,
        CASE WHEN CAST(:with_cusip AS bigint) = 1 THEN s.cusip ELSE m.cusip END
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

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE tickers_stage;
