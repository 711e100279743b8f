-- alias: the bad ones break this rule, the good ones break none.

-- name: bad_5()
-- Index: none.
SELECT m.close
FROM market_data AS m
ORDER BY m.close;

-- name: good_5()
-- Index: none.
SELECT x.close AS c
FROM (SELECT close FROM market_data) AS x
ORDER BY x.close;
