-- average: the bad ones break this rule, the good ones break none.

-- name: bad_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT AVG(m.volume) AS x
FROM market_data AS m;

-- name: good_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(m.volume) AS x
FROM market_data AS m;
