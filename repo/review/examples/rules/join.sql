-- join: the bad ones break this rule, the good ones break none.

-- name: bad_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t, tickers AS u
ORDER BY t.symbol;

-- name: good_1()
-- record_class: Row(x: int, y: int)
-- Index: none.
SELECT t.symbol AS x, t.cusip AS y
FROM tickers AS t
ORDER BY t.symbol;

-- name: bad_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m INNER JOIN tickers AS t ON t.ticker_id = m.ticker_id, tickers AS u;

-- name: good_2()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM market_data AS m INNER JOIN tickers AS t ON t.ticker_id = m.ticker_id;

-- name: bad_3()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM tickers AS t NATURAL JOIN market_data AS m;

-- name: good_3()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM tickers AS t INNER JOIN market_data AS m USING (ticker_id);

-- name: bad_4()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM tickers AS t INNER JOIN market_data AS m;

-- name: good_4()^
-- record_class: Row(x: int)
-- Index: none.
SELECT COUNT(*) AS x
FROM tickers AS t CROSS JOIN market_data AS m;
