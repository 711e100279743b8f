-- uncast-sum: the bad ones break this rule, the good ones break none.

-- name: bad_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT SUM(m.volume) AS x
FROM market_data AS m;

-- name: good_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(m.volume) AS bigint) AS x
FROM market_data AS m;

-- name: bad_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(m.volume) AS double precision) AS x
FROM market_data AS m;

-- name: good_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(m.volume) AS bigint) AS x
FROM market_data AS m;

-- name: bad_3(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT SUM(m.volume) OVER (ORDER BY m.date) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_3(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(m.volume) OVER (ORDER BY m.date) AS bigint) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);
