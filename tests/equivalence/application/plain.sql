-- An application's own writes, which reach the schema's constraints past the package's checks.

-- name: add_ticker(symbol, company_name, cusip)!
-- Adds a ticker as it is. Index: tickers_symbol_key.
INSERT INTO tickers (symbol, company_name, cusip)
VALUES (CAST(:symbol AS text), CAST(:company_name AS text), CAST(:cusip AS text));

-- name: add_institution(cik, name)!
-- Adds an institution as it is. Index: institutions_cik_key.
INSERT INTO institutions (cik, name)
VALUES (CAST(:cik AS bigint), CAST(:name AS text));

-- name: add_bar(symbol, date, open, high, low, close, volume)!
-- Adds a bar as it is; a symbol that is not there gives no ticker. Index: market_data_pkey.
INSERT INTO market_data (ticker_id, date, open, high, low, close, volume)
VALUES (
    (
        SELECT t.ticker_id AS ticker_id FROM tickers AS t
        WHERE t.symbol = CAST(:symbol AS text)
    ),
    CAST(:date AS date),
    CAST(:open AS double precision),
    CAST(:high AS double precision),
    CAST(:low AS double precision),
    CAST(:close AS double precision),
    CAST(:volume AS bigint)
);

-- name: add_orphan(ticker_id, date, close)!
-- Adds a bar of a ticker that need not be there. Index: market_data_pkey.
INSERT INTO market_data (ticker_id, date, close)
VALUES (CAST(:ticker_id AS integer), CAST(:date AS date), CAST(:close AS double precision));

-- name: add_holding(symbol, cik, quarter_end, filing_date, shares_held, market_value, ownership_percent)!
-- Adds a holding as it is. Index: institutional_holdings_pkey.
INSERT INTO institutional_holdings (
    ticker_id, institution_id, quarter_end, filing_date, shares_held, market_value, ownership_percent
)
VALUES (
    (
        SELECT t.ticker_id AS ticker_id FROM tickers AS t
        WHERE t.symbol = CAST(:symbol AS text)
    ),
    (
        SELECT i.institution_id AS institution_id FROM institutions AS i
        WHERE i.cik = CAST(:cik AS bigint)
    ),
    CAST(:quarter_end AS date),
    CAST(:filing_date AS date),
    CAST(:shares_held AS bigint),
    CAST(:market_value AS bigint),
    CAST(:ownership_percent AS double precision)
);

-- name: add_sentiment(symbol, source, date, interest, score)!
-- Adds a sentiment row as it is. Index: retail_sentiment_pkey.
INSERT INTO retail_sentiment (ticker_id, source, date, interest, score)
VALUES (
    (
        SELECT t.ticker_id AS ticker_id FROM tickers AS t
        WHERE t.symbol = CAST(:symbol AS text)
    ),
    CAST(:source AS text),
    CAST(:date AS date),
    CAST(:interest AS bigint),
    CAST(:score AS double precision)
);

-- name: remove_ticker(symbol)!
-- Removes a ticker, if nothing refers to it. Index: tickers_symbol_key.
DELETE FROM tickers
WHERE symbol = CAST(:symbol AS text);

-- name: remove_institution(cik)!
-- Removes an institution, if nothing refers to it. Index: institutions_cik_key.
DELETE FROM institutions
WHERE cik = CAST(:cik AS bigint);

-- name: total_volume()$
-- record_class: Total(volume: int | None)
-- All volumes added up, which may be more than 64 bits hold. Index: none, it reads the table.
SELECT CAST(SUM(m.volume) AS bigint) AS volume
FROM market_data AS m;
