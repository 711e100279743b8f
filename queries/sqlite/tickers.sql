-- Queries about tickers in the form that only SQLite takes.

-- name: fill(place, symbol, company_name, cusip)*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
INSERT INTO tickers_stage (
    place, symbol, company_name, cusip
)
VALUES (
    :place, :symbol, :company_name, :cusip
);

-- name: reserve()$
-- record_class: Reserved(locked: int)
-- Nothing to do: a transaction that writes keeps every other from writing. Index: none, it reads no table.
SELECT 0 AS locked;

-- name: identify(symbols)
-- record_class: Identity(symbol: str, ticker_id: int)
-- The keys of the tickers named, for every upsert of rows that have a symbol. Symbols that are not
-- there are not in the answer. Index: tickers_symbol_key.
SELECT
    t.symbol AS symbol,
    t.ticker_id AS ticker_id
FROM tickers AS t
WHERE t.symbol IN (SELECT wanted.value FROM json_each(:symbols) AS wanted)
ORDER BY t.symbol;
