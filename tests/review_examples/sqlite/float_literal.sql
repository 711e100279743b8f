-- float-literal: the bad ones break this rule, the good ones break none.

-- name: bad_2(id, day)^
-- The other engine's variant. Index: none.
SELECT CAST(:id AS text) AS id, CAST(:day AS text) AS day;

-- name: good_2(id, day)^
-- The other engine's variant. Index: none.
SELECT CAST(:id AS text) AS id, CAST(:day AS text) AS day;
