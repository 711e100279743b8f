-- returned-float: the bad ones break this rule, the good ones break none.

-- name: bad_1(id)^
-- record_class: Row(x: int)
-- Index: none.
DELETE FROM market_data
WHERE ticker_id = CAST(:id AS bigint)
RETURNING close;

-- name: good_1(id)^
-- record_class: Row(x: int)
-- Index: none.
DELETE FROM market_data
WHERE ticker_id = CAST(:id AS bigint)
RETURNING volume, CAST(close AS double precision) AS close;
