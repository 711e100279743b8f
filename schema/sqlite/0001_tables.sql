-- The five tables of the index, for SQLite.
-- STRICT: a column holds what its type says (without it the CUSIP '037833100' becomes a number).
-- WITHOUT ROWID where the key is natural: the rows lie in the order of the key, so a range of one
-- ticker's days is one contiguous read and the key is the covering index of every aggregate.
-- Dates are whole days since 1970-01-01, time stamps are microseconds since then, UTC.
-- Constraints have the names they have on PostgreSQL.

CREATE TABLE tickers (
    ticker_id INTEGER NOT NULL CONSTRAINT tickers_pkey PRIMARY KEY,
    symbol TEXT NOT NULL,
    company_name TEXT NOT NULL,
    cusip TEXT,
    created_at INTEGER NOT NULL
    DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    CONSTRAINT tickers_symbol_key UNIQUE (symbol),
    CONSTRAINT tickers_cusip_key UNIQUE (cusip),
    CONSTRAINT tickers_symbol_check CHECK (
        length(symbol) BETWEEN 1 AND 16
        AND trim(symbol, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-') = ''
    ),
    CONSTRAINT tickers_company_name_check CHECK (length(company_name) BETWEEN 1 AND 300),
    CONSTRAINT tickers_cusip_check CHECK (
        length(cusip) = 9
        AND trim(cusip, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*@#') = ''
    )
) STRICT;

CREATE TABLE institutions (
    institution_id INTEGER NOT NULL CONSTRAINT institutions_pkey PRIMARY KEY,
    cik INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
    DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000),
    CONSTRAINT institutions_cik_key UNIQUE (cik),
    CONSTRAINT institutions_cik_check CHECK (cik BETWEEN 1 AND 9999999999),
    CONSTRAINT institutions_name_check CHECK (length(name) BETWEEN 1 AND 300)
) STRICT;

CREATE TABLE market_data (
    ticker_id INTEGER NOT NULL,
    date INTEGER NOT NULL,
    open REAL,
    high REAL,
    low REAL,
    close REAL NOT NULL,
    volume INTEGER,
    CONSTRAINT market_data_pkey PRIMARY KEY (ticker_id, date),
    CONSTRAINT market_data_ticker_id_fkey FOREIGN KEY (ticker_id) REFERENCES tickers (ticker_id),
    CONSTRAINT market_data_open_check CHECK (open > 0 AND open < 1e12),
    CONSTRAINT market_data_high_check CHECK (high > 0 AND high < 1e12),
    CONSTRAINT market_data_low_check CHECK (low > 0 AND low < 1e12),
    CONSTRAINT market_data_close_check CHECK (close > 0 AND close < 1e12),
    CONSTRAINT market_data_high_low_check CHECK (high >= low),
    CONSTRAINT market_data_volume_check CHECK (volume >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE institutional_holdings (
    ticker_id INTEGER NOT NULL,
    quarter_end INTEGER NOT NULL,
    institution_id INTEGER NOT NULL,
    filing_date INTEGER NOT NULL,
    shares_held INTEGER NOT NULL,
    market_value INTEGER NOT NULL,
    ownership_percent REAL,
    CONSTRAINT institutional_holdings_pkey
    PRIMARY KEY (ticker_id, quarter_end, institution_id, filing_date),
    CONSTRAINT institutional_holdings_ticker_id_fkey
    FOREIGN KEY (ticker_id) REFERENCES tickers (ticker_id),
    CONSTRAINT institutional_holdings_institution_id_fkey
    FOREIGN KEY (institution_id) REFERENCES institutions (institution_id),
    CONSTRAINT institutional_holdings_shares_held_check CHECK (shares_held >= 0),
    CONSTRAINT institutional_holdings_market_value_check CHECK (market_value >= 0),
    CONSTRAINT institutional_holdings_ownership_percent_check
    CHECK (ownership_percent >= 0 AND ownership_percent <= 100),
    CONSTRAINT institutional_holdings_filing_date_check CHECK (filing_date >= quarter_end)
) STRICT, WITHOUT ROWID;

CREATE TABLE retail_sentiment (
    ticker_id INTEGER NOT NULL,
    source TEXT NOT NULL,
    date INTEGER NOT NULL,
    interest INTEGER NOT NULL,
    score REAL,
    CONSTRAINT retail_sentiment_pkey PRIMARY KEY (ticker_id, source, date),
    CONSTRAINT retail_sentiment_ticker_id_fkey
    FOREIGN KEY (ticker_id) REFERENCES tickers (ticker_id),
    CONSTRAINT retail_sentiment_source_check CHECK (length(source) BETWEEN 1 AND 64),
    CONSTRAINT retail_sentiment_interest_check CHECK (interest >= 0),
    CONSTRAINT retail_sentiment_score_check CHECK (score >= -1 AND score <= 1)
) STRICT, WITHOUT ROWID;
