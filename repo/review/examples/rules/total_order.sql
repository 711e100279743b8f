-- total-order: the bad ones break this rule, the good ones break none.

-- name: bad_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.company_name;

-- name: good_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.company_name, t.symbol;

-- name: bad_2()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.cusip NULLS FIRST;

-- name: good_2()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.ticker_id;

-- name: bad_3()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, m.close AS y
FROM market_data AS m INNER JOIN tickers AS t ON t.ticker_id = m.ticker_id
ORDER BY m.date;

-- name: good_3()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, m.close AS y
FROM market_data AS m INNER JOIN tickers AS t ON t.ticker_id = m.ticker_id
ORDER BY m.date, t.symbol;

-- name: bad_4()
-- record_class: Row(x: int)
-- Index: none.
SELECT h.shares_held AS x
FROM institutional_holdings AS h LEFT JOIN institutions AS i ON i.institution_id = h.institution_id
ORDER BY i.cik NULLS FIRST;

-- name: good_4()
-- record_class: Row(x: int)
-- Index: none.
SELECT h.shares_held AS x
FROM institutional_holdings AS h LEFT JOIN institutions AS i ON i.institution_id = h.institution_id
ORDER BY h.ticker_id, h.quarter_end, h.filing_date, i.cik NULLS FIRST;

-- name: bad_5()
-- record_class: Row(x: int)
-- Index: none.
SELECT t.symbol AS x
FROM tickers AS t LEFT JOIN market_data AS m USING (ticker_id)
ORDER BY m.date NULLS FIRST;

-- name: good_5()
-- record_class: Row(x: int)
-- Index: none.
SELECT m.close AS x
FROM tickers AS t LEFT JOIN market_data AS m USING (ticker_id)
ORDER BY t.symbol, m.date NULLS FIRST;

-- name: bad_6()
-- record_class: Row(n: int, v: int)
-- Index: none.
SELECT g.n AS n, g.v AS v
FROM (
    SELECT m.ticker_id AS i, COUNT(*) AS n, MIN(m.date) AS v
    FROM market_data AS m
    GROUP BY m.ticker_id
) AS g
ORDER BY g.n;

-- name: good_6()
-- record_class: Row(n: int, v: int)
-- Index: none.
SELECT g.n AS n, g.v AS v
FROM (
    SELECT m.ticker_id AS i, COUNT(*) AS n, MIN(m.date) AS v
    FROM market_data AS m
    GROUP BY m.ticker_id
) AS g
ORDER BY g.n, g.i;

-- name: bad_7()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, 1 AS y
FROM tickers AS t
UNION ALL
SELECT i.name AS x, 2 AS y
FROM institutions AS i
ORDER BY x;

-- name: good_7()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, 1 AS y
FROM tickers AS t
UNION ALL
SELECT i.name AS x, 2 AS y
FROM institutions AS i
ORDER BY x, y;

-- name: bad_8()
-- record_class: Row(x: int)
-- Index: none.
SELECT a.v AS x
FROM app AS a
ORDER BY a.k NULLS LAST;

-- name: good_8()
-- record_class: Row(x: int)
-- Index: none.
SELECT a.v AS x
FROM app AS a
ORDER BY a.v NULLS LAST;

-- name: bad_9()^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.close AS x
FROM market_data AS m;

-- name: good_9(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT m.close AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_10()$
-- record_class: Row(x: int)
-- Index: none.
SELECT m.close AS x
FROM market_data AS m;

-- name: good_10()$
-- record_class: Row(x: int)
-- Index: none.
SELECT MAX(m.close) AS x
FROM market_data AS m;

-- name: bad_11()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m
WHERE m.close = (SELECT n.close AS c FROM market_data AS n ORDER BY n.date LIMIT 1);

-- name: good_11()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m
WHERE m.close = (
    SELECT n.close AS c
    FROM market_data AS n
    WHERE n.ticker_id = m.ticker_id
    ORDER BY n.date
    LIMIT 1
);

-- name: bad_12()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT RANK() OVER (ORDER BY a.date) AS x, a.close AS y
FROM market_data AS a
ORDER BY a.date;

-- name: good_12()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT RANK() OVER (ORDER BY a.date) AS x, a.close AS y
FROM market_data AS a
ORDER BY a.ticker_id, a.date;

-- name: bad_13()
-- record_class: Row(v: int)
-- No key of app is known. Index: none.
SELECT a.v AS v
FROM app AS a
ORDER BY a.k NULLS LAST;

-- name: good_13()
-- record_class: Row(v: int)
-- Index: none. Order: total because the loader writes each k once.
SELECT a.v AS v
FROM app AS a
ORDER BY a.k NULLS LAST;

-- name: bad_14()
-- record_class: Row(shares_held: int)
-- An institution below 5 is not found, so its CIK is NULL in many rows. Index: none.
SELECT h.shares_held AS shares_held
FROM institutional_holdings AS h
LEFT JOIN institutions AS i ON i.institution_id = h.institution_id AND i.cik > 5
ORDER BY h.ticker_id, h.quarter_end, h.filing_date, i.cik NULLS FIRST;

-- name: good_14()
-- record_class: Row(shares_held: int)
-- Every holding's institution is found, for a foreign key says so. Index: none.
SELECT h.shares_held AS shares_held
FROM institutional_holdings AS h
LEFT JOIN institutions AS i ON i.institution_id = h.institution_id
ORDER BY h.ticker_id, h.quarter_end, h.filing_date, i.cik NULLS FIRST;

-- name: bad_15()
-- record_class: Row(date: date)
-- Bars without a holding lie side by side. Index: none.
SELECT m.date AS date
FROM institutional_holdings AS h
RIGHT JOIN market_data AS m ON m.ticker_id = h.ticker_id
ORDER BY
    h.ticker_id NULLS FIRST, h.quarter_end NULLS FIRST, h.institution_id NULLS FIRST,
    h.filing_date NULLS FIRST;

-- name: good_15()
-- record_class: Row(date: date)
-- Index: none.
SELECT m.date AS date
FROM market_data AS m
WHERE m.ticker_id = CAST(1 AS bigint)
ORDER BY m.date;

-- name: bad_16()
-- record_class: Row(n: int, k: int)
-- Two branches may give one name. Index: none.
SELECT x.n AS n, x.k AS k
FROM (
    SELECT t.symbol AS n, t.ticker_id AS k FROM tickers AS t
    UNION ALL
    SELECT i.name AS n, i.institution_id AS k FROM institutions AS i
) AS x
ORDER BY x.n;

-- name: good_16()
-- record_class: Row(n: int, k: int)
-- Index: none.
SELECT x.n AS n, x.k AS k
FROM (
    SELECT t.symbol AS n, t.ticker_id AS k FROM tickers AS t
    UNION ALL
    SELECT i.name AS n, i.institution_id AS k FROM institutions AS i
) AS x
ORDER BY x.n, x.k;

-- name: bad_17()^
-- record_class: Row(close: int)
-- The close of the bar that is asked for, and NULL for every other institution. Index: none.
SELECT m.close AS close
FROM tickers AS t
INNER JOIN market_data AS m ON m.ticker_id = CAST(1 AS bigint) AND m.date = t.created_at
RIGHT JOIN institutions AS i ON i.institution_id = t.ticker_id;

-- name: good_17(day, symbol)^
-- record_class: Row(close: int)
-- Index: none.
SELECT m.close AS close
FROM tickers AS t
INNER JOIN market_data AS m ON m.ticker_id = t.ticker_id AND m.date = CAST(:day AS date)
WHERE t.symbol = CAST(:symbol AS text);
