-- mixed-types: the bad ones break this rule, the good ones break none.

-- name: bad_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT coalesce(m.open, 0) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT coalesce(m.open, CAST(0 AS double precision)) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_2(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CASE WHEN m.open > 1 THEN m.open ELSE 0 END AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_2(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CASE WHEN m.open > 1 THEN m.open END AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_3()^
-- record_class: Row(x: int)
-- Index: none.
SELECT coalesce(MAX(a.b), 0) AS x
FROM app AS a;

-- name: good_3()^
-- record_class: Row(x: int)
-- Index: none.
SELECT MAX(a.b) AS x
FROM app AS a;

-- name: bad_4(id, day)
-- record_class: Row(x: int)
-- Index: none.
SELECT m.close AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date)
UNION
SELECT m.volume AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date)
ORDER BY x;

-- name: good_4(id, day)
-- record_class: Row(x: int)
-- Index: none.
SELECT m.close AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date)
UNION
SELECT m.open AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date)
ORDER BY x NULLS FIRST;
