-- null-order: the bad ones break this rule, the good ones break none.

-- name: bad_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.cusip, t.symbol;

-- name: good_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.cusip NULLS LAST, t.symbol;

-- name: bad_2()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY y, t.symbol;

-- name: good_2()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY y NULLS FIRST, t.symbol;

-- name: bad_3()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.cusip, t.symbol;

-- name: good_3()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
WHERE t.cusip IS NOT NULL
ORDER BY t.cusip, t.symbol;

-- name: bad_4()
-- record_class: Row(x: date)
-- Index: none.
SELECT m.date AS x
FROM tickers AS t LEFT JOIN market_data AS m USING (ticker_id)
ORDER BY t.symbol, m.date;

-- name: good_4()
-- record_class: Row(x: date)
-- Index: none.
SELECT m.date AS x
FROM tickers AS t INNER JOIN market_data AS m USING (ticker_id)
ORDER BY t.symbol, m.date;

-- name: bad_5(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT RANK() OVER (ORDER BY m.open) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: good_5(id, day)^
-- record_class: Row(x: int)
-- Index: none.
SELECT RANK() OVER (ORDER BY m.close) AS x
FROM market_data AS m
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date = CAST(:day AS date);

-- name: bad_6()
-- record_class: Row(x: int)
-- Index: none.
SELECT a.k AS x
FROM app AS a
ORDER BY a.k;

-- name: good_6()
-- record_class: Row(x: int)
-- Index: none.
SELECT a.k AS x
FROM app AS a
ORDER BY a.k NULLS LAST;

-- name: bad_7()
-- record_class: Row(x: int)
-- Index: none.
SELECT MAX(m.open) AS x
FROM market_data AS m
GROUP BY m.ticker_id
ORDER BY x;

-- name: good_7()
-- record_class: Row(x: int)
-- Index: none.
SELECT MAX(m.close) AS x
FROM market_data AS m
GROUP BY m.ticker_id
ORDER BY x;

-- name: bad_8()
-- record_class: Row(symbol: int, close: int)
-- Of a ticker without bars, everything of its bar is NULL. Index: none.
SELECT w.symbol AS symbol, w.close AS close
FROM (
    SELECT t.symbol AS symbol, m.ticker_id AS ticker_id, m.close AS close
    FROM tickers AS t
    LEFT JOIN market_data AS m ON m.ticker_id = t.ticker_id
) AS w
ORDER BY w.close, w.symbol;

-- name: good_8()
-- record_class: Row(symbol: int, close: int)
-- Where the bar's ticker is there, so is the bar. Index: none.
SELECT w.symbol AS symbol, w.close AS close
FROM (
    SELECT t.symbol AS symbol, m.ticker_id AS ticker_id, m.close AS close
    FROM tickers AS t
    LEFT JOIN market_data AS m ON m.ticker_id = t.ticker_id
) AS w
WHERE w.ticker_id IS NOT NULL
ORDER BY w.close, w.symbol;

-- name: bad_9()
-- record_class: Row(symbol: int)
-- An inner join before a FULL one finds nothing for some rows. Index: none.
SELECT t.symbol AS symbol
FROM tickers AS t
INNER JOIN market_data AS m ON m.ticker_id = t.ticker_id
FULL JOIN institutions AS i ON i.institution_id = m.ticker_id
ORDER BY t.symbol;

-- name: good_9()
-- record_class: Row(symbol: int)
-- Index: none.
SELECT t.symbol AS symbol
FROM tickers AS t
INNER JOIN market_data AS m ON m.ticker_id = t.ticker_id
LEFT JOIN institutions AS i ON i.institution_id = m.ticker_id
ORDER BY t.symbol;
