-- Reading tickers.

-- name: get(symbol)^
-- record_class: Ticker
-- One ticker by its symbol, for tickers.get(). Index: tickers_symbol_key.
SELECT
    t.symbol AS symbol,
    t.company_name AS company_name,
    t.cusip AS cusip
FROM tickers AS t
WHERE t.symbol = CAST(:symbol AS text);

-- name: all()
-- record_class: Ticker
-- Every ticker by symbol, for tickers.all(). Index: tickers_symbol_key.
SELECT
    t.symbol AS symbol,
    t.company_name AS company_name,
    t.cusip AS cusip
FROM tickers AS t
ORDER BY t.symbol;
