-- float-literal: the bad ones break this rule, the good ones break none.

-- name: bad_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.close * 0.5 AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.close / CAST(2 AS double precision) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);
