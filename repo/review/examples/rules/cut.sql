-- cut: the bad ones break this rule, the good ones break none.

-- name: bad_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m
WHERE m.ticker_id IN (SELECT t.ticker_id AS i FROM tickers AS t LIMIT 3);

-- name: good_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m
WHERE m.ticker_id IN (SELECT t.ticker_id AS i FROM tickers AS t ORDER BY t.symbol LIMIT 3);
