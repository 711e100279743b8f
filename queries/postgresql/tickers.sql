-- Queries about tickers in the form that only PostgreSQL takes.

-- name: fill*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
COPY tickers_stage (
    place, symbol, company_name, cusip
)
FROM STDIN WITH BINARY;

-- name: reserve()$
-- record_class: Reserved(locked: int)
-- Locks the tickers that were set aside and are there, in the order of their symbols, before they are merged
-- in the order of the rows: so two merges wait for each other and do not deadlock. Index: tickers_symbol_key.
SELECT COUNT(*) AS locked
FROM (
    SELECT t.ticker_id AS ticker_id
    FROM tickers AS t
    WHERE t.symbol IN (SELECT s.symbol FROM tickers_stage AS s)
    ORDER BY t.symbol
    FOR NO KEY UPDATE OF t
) AS held;

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
