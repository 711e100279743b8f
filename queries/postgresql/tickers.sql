-- Queries about tickers in the form that only PostgreSQL takes.

-- name: fill*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
COPY tickers_stage (
    place, symbol, company_name, cusip
)
FROM STDIN WITH BINARY;

-- name: identify(symbols)
-- record_class: Identity(symbol: str, ticker_id: int)
-- The keys of the tickers named, for every upsert of rows that have a symbol. Symbols that are not
-- there are not in the answer. Index: tickers_symbol_key.
SELECT
    t.symbol AS symbol,
    t.ticker_id AS ticker_id
FROM tickers AS t
WHERE t.symbol = ANY(CAST(:symbols AS text[]))
ORDER BY t.symbol;
