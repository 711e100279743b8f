-- parameter: the bad ones break this rule, the good ones break none.

-- name: bad_1(s)
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
WHERE :s IS NULL OR t.symbol = CAST(:s AS text)
ORDER BY t.symbol;

-- name: good_1(s)
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
WHERE CAST(:s AS text) IS NULL OR t.symbol = CAST(:s AS text)
ORDER BY t.symbol;

-- name: bad_2(s)
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
WHERE CAST(:s AS text) IS NULL OR t.symbol = :s
ORDER BY t.symbol;

-- name: good_2(s)
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
WHERE t.symbol = :s AND t.cusip <> CAST(:s AS text)
ORDER BY t.symbol;

-- name: bad_3(n, id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.date - :n AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date) AND m.volume > CAST(:n AS bigint);

-- name: good_3(n, id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.date - CAST(:n AS integer) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_4(n, id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.volume + :n AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date) AND m.volume > CAST(:n AS bigint);

-- name: good_4(n, id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.volume + CAST(:n AS bigint) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_5(n, id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT :n AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date) AND m.volume > CAST(:n AS bigint);

-- name: good_5(n, id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(:n AS bigint) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);
