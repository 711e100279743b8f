-- cast-type: the bad ones break this rule, the good ones break none.

-- name: bad_2(id, day)^
-- record_class: Row(x: int)
-- The other engine's variant. Index: none.
SELECT CAST(:id AS bigint) AS x
WHERE CAST(:day AS date) IS NOT NULL;

-- name: good_2(id, day)^
-- record_class: Row(x: int)
-- The other engine's variant. Index: none.
SELECT CAST(:id AS bigint) AS x
WHERE CAST(:day AS date) IS NOT NULL;
