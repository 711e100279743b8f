-- one-of-list: the bad ones break this rule, the good ones break none.

-- name: bad_1(s)
-- record_class: Row(x: str)
-- Index: none.
SELECT t.symbol AS x
FROM tickers AS t
WHERE t.symbol IN (CAST(:s AS text))
ORDER BY t.symbol;

-- name: good_1(s)
-- record_class: Row(x: str)
-- Index: none.
SELECT t.symbol AS x
FROM tickers AS t
WHERE t.symbol = CAST(:s AS text)
ORDER BY t.symbol;

-- name: bad_2(s)
-- record_class: Row(x: str)
-- Index: none.
SELECT t.symbol AS x
FROM tickers AS t
WHERE t.symbol NOT IN (CAST(:s AS text))
ORDER BY t.symbol;

-- name: good_2(s)
-- record_class: Row(x: str)
-- Index: none.
SELECT t.symbol AS x
FROM tickers AS t
WHERE t.symbol NOT IN (CAST(:s AS text), 'AAPL')
ORDER BY t.symbol;
