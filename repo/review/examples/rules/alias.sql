-- alias: the bad ones break this rule, the good ones break none.

-- name: bad_1()
-- record_class: Row(symbol: int)
-- Index: none.
SELECT t.symbol
FROM tickers AS t
ORDER BY t.symbol;

-- name: good_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.symbol;

-- name: bad_2()
-- record_class: Row(symbol: int)
-- Index: none.
SELECT t.symbol AS Symbol
FROM tickers AS t
ORDER BY t.symbol;

-- name: good_2()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.symbol;

-- name: bad_3()^
-- record_class: Row(c: int)
-- Index: none.
SELECT x.c AS c
FROM (SELECT COUNT(*) FROM tickers AS t) AS x;

-- name: good_3()^
-- record_class: Row(c: int)
-- Index: none.
SELECT x.c AS c
FROM (SELECT COUNT(*) AS c FROM tickers AS t) AS x;

-- name: bad_4(a)^
-- record_class: Row(x: int)
-- Index: none.
INSERT INTO app (a)
VALUES (CAST(:a AS bigint))
RETURNING a + 1;

-- name: good_4(a)^
-- record_class: Row(x: int)
-- Index: none.
INSERT INTO app (a)
VALUES (CAST(:a AS bigint))
RETURNING a, a + 1 AS b;

-- name: bad_6()^
-- record_class: Row(x: int)
-- Index: none.
WITH c AS (SELECT MAX(t.ticker_id) FROM tickers AS t)

SELECT 1 AS x
FROM c AS d;

-- name: good_6()^
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT
    COUNT(*) AS x,
    (SELECT MAX(b.date) FROM market_data AS b) AS y
FROM tickers AS t
WHERE
    t.ticker_id IN (SELECT m.ticker_id FROM market_data AS m)
    AND EXISTS (SELECT 1 FROM market_data AS m);
