-- notation: the bad ones break this rule, the good ones break none.

-- name: bad_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.volume::bigint AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(m.volume AS bigint) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_3(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT "m".volume AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_3(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.volume AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_5(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT E'a' AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_5(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT 'a' AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_6(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT $$a$$ AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_6(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT 'a' AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);
