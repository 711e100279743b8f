-- index-sentence: the bad ones break this rule, the good ones break none.

-- name: bad_1()^
-- record_class: Row(x: int)
-- What it answers, by an index: none is named.
SELECT 1 AS x;

-- name: good_1()^
-- record_class: Row(x: int)
-- What it answers. Index: none, it reads no table.
SELECT 1 AS x;
