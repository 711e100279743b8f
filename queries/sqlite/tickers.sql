-- The writing of tickers on SQLite. Repositories call these through Backend.upsert.

-- name: upsert(symbol, company_name, cusip)*!
-- Writes tickers, each key at most once; counts the rows that were new or different.
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
IS NOT (excluded.company_name, excluded.cusip);

-- name: stage()!
-- Makes the table in which rows are settled whose keys come more than once; outside the file.
-- Index: none, it creates a table.
CREATE TABLE staging.tickers_stage (
    place INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    company_name TEXT,
    cusip TEXT,
    PRIMARY KEY (symbol)
) STRICT, WITHOUT ROWID;

-- name: fill(place, symbol, company_name, cusip)*!
-- Sets rows aside in the order they came; of one key the last stays.
-- Index: the key of the table it fills.
INSERT OR REPLACE INTO staging.tickers_stage (
    place, symbol, company_name, cusip
)
VALUES (
    :place, :symbol, :company_name, :cusip
);

-- name: merge()!
-- Writes what was set aside; counts the rows that were new or different.
-- Index: tickers_symbol_key.
INSERT INTO tickers (
    symbol, company_name, cusip
)
SELECT
    s.symbol,
    s.company_name,
    s.cusip
FROM staging.tickers_stage AS s
WHERE TRUE
ORDER BY s.place
ON CONFLICT (symbol) DO UPDATE SET
    company_name = excluded.company_name,
    cusip = excluded.cusip
WHERE (tickers.company_name, tickers.cusip)
IS NOT (excluded.company_name, excluded.cusip);

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE staging.tickers_stage;

-- name: identify(symbols)
-- record_class: Identity(symbol: str, ticker_id: int)
-- The keys of the tickers named, for every upsert of rows that have a symbol. Symbols that are not
-- there are not in the answer. Index: tickers_symbol_key.
SELECT
    t.symbol AS symbol,
    t.ticker_id AS ticker_id
FROM tickers AS t
WHERE t.symbol IN (SELECT wanted.value AS symbol FROM json_each(:symbols) AS wanted)
ORDER BY t.symbol;
