-- grammar: the bad ones break this rule, the good ones break none.

-- name: bad_1()^
-- Index: none.
SELEC t.symbol;

-- name: good_1()^
-- Index: none.
SELECT 1 AS x;

-- name: bad_2()^
-- Index: none.
SELECT 1 AS x; SELECT 2 AS x;

-- name: good_2()^
-- Index: none.
SELECT 2 AS x;

-- name: bad_3()^
-- Index: none.
EXPLAIN SELECT 1 AS x;

-- name: good_3()^
-- Index: none.
SELECT 1 AS x;
