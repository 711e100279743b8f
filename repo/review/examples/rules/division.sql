-- division: the bad ones break this rule, the good ones break none.

-- name: bad_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.volume / 2 AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.volume * 2 AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_2(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.close / m.volume AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_2(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.close / CAST(m.volume AS double precision) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_3()!
-- Index: none.
UPDATE app SET a = b / 2;

-- name: good_3()!
-- Index: none.
UPDATE app SET a = CAST(b AS double precision) / CAST(2 AS double precision);
