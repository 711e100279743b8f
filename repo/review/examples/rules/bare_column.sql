-- bare-column: the bad ones break this rule, the good ones break none.

-- name: bad_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT m.ticker_id AS x, m.close AS y
FROM market_data AS m
GROUP BY m.ticker_id
ORDER BY x;

-- name: good_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT m.ticker_id AS x, MAX(m.close) AS y
FROM market_data AS m
GROUP BY m.ticker_id
ORDER BY x;

-- name: bad_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.date - MIN(m.date) AS x
FROM market_data AS m;

-- name: good_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT MAX(m.date) - MIN(m.date) FILTER (WHERE m.volume > 0) AS x
FROM market_data AS m;
