-- alias: the bad ones break this rule, the good ones break none.

-- name: bad_5()
-- record_class: Row(close: int)
-- Index: none.
SELECT m.close
FROM market_data AS m
ORDER BY m.close;

-- name: good_5()
-- record_class: Row(x: int)
-- Index: none.
SELECT x.close AS x
FROM (SELECT close FROM market_data) AS x
ORDER BY x.close;
