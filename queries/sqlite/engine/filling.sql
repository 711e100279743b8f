-- What fills the tables of a copy in a file beside the database. copying has one row, what it was begun
-- with.

-- name: tickers(ticker_id, symbol, company_name, cusip, created_at)*!
-- Writes rows as they are stored. Index: tickers_pkey.
INSERT INTO tickers (
    ticker_id, symbol, company_name, cusip, created_at
)
VALUES (
    :ticker_id, :symbol, :company_name, :cusip, :created_at
);

-- name: institutions(institution_id, cik, name, created_at)*!
-- Writes rows as they are stored. Index: institutions_pkey.
INSERT INTO institutions (
    institution_id, cik, name, created_at
)
VALUES (
    :institution_id, :cik, :name, :created_at
);

-- name: market(ticker_id, date, open, high, low, close, volume)*!
-- Writes rows as they are stored. Index: market_data_pkey.
INSERT INTO market_data (
    ticker_id, date, open, high, low, close, volume
)
VALUES (
    :ticker_id, :date, :open, :high, :low, :close, :volume
);

-- name: holdings(ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent)*!
-- Writes rows as they are stored. Index: institutional_holdings_pkey.
INSERT INTO institutional_holdings (
    ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent
)
VALUES (
    :ticker_id, :quarter_end, :institution_id, :filing_date, :shares_held, :market_value, :ownership_percent
);

-- name: sentiment(ticker_id, source, date, interest, score)*!
-- Writes rows as they are stored. Index: retail_sentiment_pkey.
INSERT INTO retail_sentiment (
    ticker_id, source, date, interest, score
)
VALUES (
    :ticker_id, :source, :date, :interest, :score
);
