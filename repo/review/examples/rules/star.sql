-- star: the bad ones break this rule, the good ones break none.

-- name: bad_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT *
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.open AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_2(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.*
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m;
