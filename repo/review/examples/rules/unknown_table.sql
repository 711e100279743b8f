-- unknown-table: the bad ones break this rule, the good ones break none.

-- name: bad_1()
-- record_class: Row(x: str)
-- Index: none.
SELECT t.symbol AS x
FROM ticker AS t
ORDER BY x;

-- name: good_1()
-- record_class: Row(x: str)
-- Index: none.
SELECT t.symbol AS x
FROM tickers AS t
ORDER BY x;

-- name: bad_2()!
-- Index: none.
DELETE FROM market_dat;

-- name: good_2()!
-- A table of which nothing is known may be there. Index: none.
DELETE FROM games;
