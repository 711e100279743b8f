-- float-sum: the bad ones break this rule, the good ones break none.

-- name: bad_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(m.close) AS bigint) AS x
FROM market_data AS m;

-- name: good_1()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(m.volume) AS bigint) AS x
FROM market_data AS m;

-- name: bad_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(CASE WHEN m.close > 1 THEN m.close ELSE 0 END) AS bigint) AS x
FROM market_data AS m;

-- name: good_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(CASE WHEN m.close > 1 THEN m.volume ELSE 0 END) AS bigint) AS x
FROM market_data AS m;

-- name: bad_3()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(a.amount) AS bigint) AS x
FROM app AS a;

-- name: good_3()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(CAST(a.amount AS bigint)) AS bigint) AS x
FROM app AS a;

-- name: bad_4()^
-- record_class: Row(x: int)
-- Index: none.
WITH w AS (SELECT m.close AS v FROM market_data AS m) SELECT CAST(SUM(v) AS bigint) AS x
FROM w;

-- name: good_4()^
-- record_class: Row(x: int)
-- Index: none.
WITH w AS (SELECT m.volume AS v FROM market_data AS m) SELECT CAST(SUM(v) AS bigint) AS x
FROM w;

-- name: bad_5()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(w.v) AS bigint) AS x
FROM (
    SELECT m.volume AS v FROM market_data AS m
    UNION ALL
    SELECT m.close AS v FROM market_data AS m
) AS w;

-- name: good_5()^
-- record_class: Row(x: int)
-- Index: none.
SELECT CAST(SUM(w.v) AS bigint) AS x
FROM (
    SELECT m.volume AS v FROM market_data AS m
    UNION ALL
    SELECT COUNT(*) AS v FROM market_data AS m
) AS w;

-- name: bad_6()^
-- record_class: Row(x: int)
-- Index: none.
WITH RECURSIVE w (n, v) AS (
    SELECT 1 AS n, m.close AS v FROM market_data AS m
    UNION ALL
    SELECT w.n + 1 AS n, w.v AS v FROM w
)

SELECT CAST(SUM(w.v) AS bigint) AS x
FROM w;

-- name: good_6()^
-- record_class: Row(x: int)
-- Index: none.
WITH RECURSIVE w (n, v) AS (
    SELECT 1 AS n, m.volume AS v FROM market_data AS m
    UNION ALL
    SELECT w.n + 1 AS n, w.v AS v FROM w
)

SELECT CAST(SUM(w.v) AS bigint) AS x
FROM w;
