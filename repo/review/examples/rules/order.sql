-- order: the bad ones break this rule, the good ones break none.

-- name: bad_1()
-- record_class: Row(x: int)
-- Index: none.
SELECT t.symbol AS x
FROM tickers AS t;

-- name: good_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.symbol;

-- name: bad_2(a)
-- record_class: Row(x: int)
-- Index: none.
DELETE FROM app
WHERE a = CAST(:a AS bigint)
RETURNING a;

-- name: good_2(a)^
-- record_class: Row(x: int)
-- Index: none.
DELETE FROM app
WHERE a = CAST(:a AS bigint)
RETURNING a;
