-- function: the bad ones break this rule, the good ones break none.

-- name: bad_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT round(m.close) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_1(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT floor(m.close) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_3(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT strftime('%Y', m.date) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_3(id, day)^
-- record_class: Row(x: date)
-- Index: none.
SELECT m.date AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_4(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT current_date AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_4(id, day)^
-- record_class: Row(x: date)
-- Index: none.
SELECT m.date AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_5(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT ifnull(m.open, m.close) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_5(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT coalesce(m.open, m.close) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_6(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT max(m.open, m.close) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_6(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT CASE WHEN m.open > m.close THEN m.open ELSE m.close END AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);
