-- The writing of tickers on PostgreSQL. Repositories call these through Backend.upsert.

-- name: upsert(symbol, company_name, cusip)*!
-- Writes a few tickers, each key at most once; counts the rows that were new or different.
-- Index: tickers_symbol_key.
INSERT INTO tickers (
    symbol, company_name, cusip
)
VALUES (
    :symbol, :company_name, :cusip
)
ON CONFLICT (symbol) DO UPDATE SET
    company_name = excluded.company_name,
    cusip = excluded.cusip
WHERE (tickers.company_name, tickers.cusip)
IS DISTINCT FROM (excluded.company_name, excluded.cusip);

-- name: stage()!
-- Makes the table that many rows are copied into; temporary tables write no WAL.
-- Index: none, it creates a table.
CREATE TEMPORARY TABLE tickers_stage (
    place bigint NOT NULL,
    symbol text COLLATE "C",
    company_name text COLLATE "C",
    cusip text COLLATE "C"
) ON COMMIT DROP;

-- name: fill(place, symbol, company_name, cusip)*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
COPY tickers_stage (
    place, symbol, company_name, cusip
)
FROM STDIN WITH BINARY;

-- name: merge()!
-- Writes what was set aside, of each key the last; counts the rows that were new or different. What is
-- there already is left out by a join: a conflict would lock it, and a lock is a write. The rows go in
-- by place: two tickers may hand on a CUSIP, and then the order decides, as it does on SQLite.
-- Index: tickers_symbol_key.
INSERT INTO tickers (
    symbol, company_name, cusip
)
SELECT
    s.symbol,
    s.company_name,
    s.cusip
FROM (
    SELECT DISTINCT ON (symbol)
        place,
        symbol,
        company_name,
        cusip
    FROM tickers_stage
    ORDER BY symbol ASC, place DESC
) AS s
LEFT JOIN tickers AS m ON m.symbol = s.symbol
WHERE
    m.symbol IS NULL
    OR (m.company_name, m.cusip)
    IS DISTINCT FROM (s.company_name, s.cusip)
ORDER BY s.place
ON CONFLICT (symbol) DO UPDATE SET
    company_name = excluded.company_name,
    cusip = excluded.cusip
WHERE (tickers.company_name, tickers.cusip)
IS DISTINCT FROM (excluded.company_name, excluded.cusip);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE tickers_stage;

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
