-- date-step: the bad ones break this rule, the good ones break none.

-- name: bad_1(n, id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.date + CAST(:n AS bigint) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_1(n, id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.date + CAST(:n AS integer) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);
