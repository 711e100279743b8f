-- average: the bad ones break this rule, the good ones break none.

-- name: bad_2()^
-- record_class: Row(x: int)
-- The other engine's variant. Index: none.
SELECT 1 AS x;

-- name: good_2()^
-- record_class: Row(x: int)
-- The other engine's variant. Index: none.
SELECT 1 AS x;

-- name: bad_3()^
-- record_class: Row(x: int)
-- Index: none.
SELECT stddev_pop(m.volume) AS x
FROM market_data AS m;

-- name: good_3()^
-- record_class: Row(x: int)
-- Index: none.
SELECT MAX(m.volume) AS x
FROM market_data AS m;
