-- record-columns: the bad ones break this rule, the good ones break none.

-- name: bad_1()
-- record_class: Row(x: str)
-- Index: none.
SELECT
    t.symbol AS x,
    t.cusip AS y
FROM tickers AS t
ORDER BY x;

-- name: good_1()
-- record_class: Row(x: str, y: str | None)
-- Index: none.
SELECT
    t.symbol AS x,
    t.cusip AS y
FROM tickers AS t
ORDER BY x;
