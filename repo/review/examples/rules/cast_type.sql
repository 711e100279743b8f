-- cast-type: the bad ones break this rule, the good ones break none.

-- name: bad_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(m.close AS real) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(m.close AS double precision) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_3(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(m.close AS numeric) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_3(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(m.volume AS bigint) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_4(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST('2020-01-01' AS date) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_4(day, id)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(:day AS date) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);
