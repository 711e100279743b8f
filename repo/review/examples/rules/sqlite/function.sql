-- function: the bad ones break this rule, the good ones break none.

-- name: bad_2(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT exp(m.close) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_2(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT sqrt(m.close) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);
