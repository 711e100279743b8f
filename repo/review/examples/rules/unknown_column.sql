-- unknown-column: the bad ones break this rule, the good ones break none.

-- name: bad_1(id, day)^
-- record_class: Row(x: float)
-- Index: none.
SELECT m.clos AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_1(id, day)^
-- record_class: Row(x: float)
-- Index: none.
SELECT m.close AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_2()
-- record_class: Row(x: str)
-- Index: none.
SELECT symbl AS x
FROM tickers
ORDER BY x;

-- name: good_2()
-- record_class: Row(x: str)
-- Index: none.
SELECT symbol AS x
FROM tickers
ORDER BY x;

-- name: bad_3()
-- record_class: Row(x: str)
-- Index: none.
SELECT m.symbol AS x
FROM tickers AS t
ORDER BY x;

-- name: good_3()
-- record_class: Row(x: str)
-- A column of the query around. Index: none.
SELECT t.symbol AS x
FROM tickers AS t
WHERE EXISTS (SELECT 1 FROM games AS g WHERE g.name = t.symbol AND g.points > 1)
ORDER BY x;

-- name: bad_4()^
-- record_class: Row(x: int)
-- Index: none.
SELECT s.bars AS x
FROM (SELECT COUNT(*) AS n FROM market_data AS m) AS s;

-- name: good_4()^
-- record_class: Row(x: int)
-- Index: none.
SELECT s.n AS x
FROM (SELECT COUNT(*) AS n FROM market_data AS m) AS s;
