-- cut: the bad ones break this rule, the good ones break none.

-- name: bad_2()^
-- record_class: Row(x: int)
-- The other engine's variant. Index: none.
SELECT 1 AS x;

-- name: good_2()^
-- record_class: Row(x: int)
-- The other engine's variant. Index: none.
SELECT 1 AS x;
