-- mixed-comparison: the bad ones break this rule, the good ones break none.

-- name: bad_1()^
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m
WHERE m.close > m.volume;

-- name: good_1()^
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m
WHERE m.close > 0;
