-- cut: the bad ones break this rule, the good ones break none.

-- name: bad_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM (SELECT DISTINCT ON (ticker_id) ticker_id, close FROM market_data) AS x;

-- name: good_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM (SELECT DISTINCT ON (ticker_id) ticker_id, close FROM market_data ORDER BY ticker_id, date) AS x;
