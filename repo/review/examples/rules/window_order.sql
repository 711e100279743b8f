-- window-order: the bad ones break this rule, the good ones break none.

-- name: bad_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT LAG(m.close) OVER () AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT LAG(m.close) OVER (ORDER BY m.date) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);
