-- pattern: the bad ones break this rule, the good ones break none.

-- name: bad_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
WHERE t.symbol LIKE 'A'
ORDER BY t.symbol;

-- name: good_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.symbol;

-- name: bad_2()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
WHERE t.symbol GLOB 'A'
ORDER BY t.symbol;

-- name: good_2()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.symbol;

-- name: bad_3()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
WHERE t.symbol ~ 'A'
ORDER BY t.symbol;

-- name: good_3()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.symbol;
