-- notation: the bad ones break this rule, the good ones break none.

-- name: bad_2(id, day)^
-- record_class: Row(x: int)
-- The other engine's variant. Index: none.
SELECT CAST(:id AS bigint) AS x
WHERE CAST(:day AS date) IS NOT NULL;

-- name: good_2(id, day)^
-- record_class: Row(x: int)
-- The other engine's variant. Index: none.
SELECT CAST(:id AS bigint) AS x
WHERE CAST(:day AS date) IS NOT NULL;

-- name: bad_4(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT "m".volume AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_4(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.volume AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_7()!
-- The other engine's variant. Index: none.
SELECT 1 AS x;

-- name: good_7()!
-- The other engine's variant. Index: none.
SELECT 1 AS x;
