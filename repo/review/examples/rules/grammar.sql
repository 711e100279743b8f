-- grammar: the bad ones break this rule, the good ones break none.

-- name: bad_1()^
-- record_class: Row(x: int)
-- Index: none.
SELEC t.symbol;

-- name: good_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT 1 AS x;

-- name: bad_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT 1 AS x; SELECT 2 AS x;

-- name: good_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT 2 AS x;

-- name: bad_3()^
-- record_class: Row(x: int)
-- Index: none.
EXPLAIN SELECT 1 AS x;

-- name: good_3()^
-- record_class: Row(x: int)
-- Index: none.
SELECT 1 AS x;
