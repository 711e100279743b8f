-- mixed-comparison: the bad ones break this rule, the good ones break none.

-- name: bad_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m
WHERE m.close > m.volume;

-- name: good_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m
WHERE m.close > 0;
