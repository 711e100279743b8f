-- alias: the bad ones break this rule, the good ones break none.

-- name: bad_5()
-- record_class: Row(close: int)
-- The other engine's variant. Index: none.
SELECT 1 AS close
ORDER BY close;

-- name: good_5()
-- record_class: Row(x: int)
-- The other engine's variant. Index: none.
SELECT 1 AS x
ORDER BY x;
