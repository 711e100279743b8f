-- The five tables of the index, for PostgreSQL.
-- Text sorts by code point (COLLATE "C"), as in SQLite. Numbers are bigint and double precision, the
-- 64 bits that SQLite has. Every key that must leads with ticker_id, so that the tables can be
-- spread over servers by it; the two identity columns are of small tables that few rows enter.
-- Constraints have the names they have on SQLite.

CREATE TABLE tickers (
    ticker_id integer GENERATED ALWAYS AS IDENTITY,
    symbol text COLLATE "C" NOT NULL,
    company_name text COLLATE "C" NOT NULL,
    cusip text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tickers_pkey PRIMARY KEY (ticker_id),
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
);

CREATE TABLE institutions (
    institution_id integer GENERATED ALWAYS AS IDENTITY,
    cik bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT institutions_pkey PRIMARY KEY (institution_id),
    CONSTRAINT institutions_cik_key UNIQUE (cik),
    CONSTRAINT institutions_cik_check CHECK (cik BETWEEN 1 AND 9999999999),
    CONSTRAINT institutions_name_check CHECK (length(name) BETWEEN 1 AND 300)
);

CREATE TABLE market_data (
    ticker_id integer NOT NULL,
    date date NOT NULL,
    open double precision,
    high double precision,
    low double precision,
    close double precision NOT NULL,
    volume bigint,
    -- INCLUDE makes the key a covering index: a range of one ticker's days, or an aggregate over it,
    -- is one contiguous read of the index, in whatever order the rows came into the table.
    CONSTRAINT market_data_pkey
    PRIMARY KEY (ticker_id, date) INCLUDE (open, high, low, close, volume),
    CONSTRAINT market_data_ticker_id_fkey FOREIGN KEY (ticker_id) REFERENCES tickers (ticker_id),
    CONSTRAINT market_data_open_check CHECK (open > 0 AND open < 1e12),
    CONSTRAINT market_data_high_check CHECK (high > 0 AND high < 1e12),
    CONSTRAINT market_data_low_check CHECK (low > 0 AND low < 1e12),
    CONSTRAINT market_data_close_check CHECK (close > 0 AND close < 1e12),
    CONSTRAINT market_data_high_low_check CHECK (high >= low),
    CONSTRAINT market_data_volume_check CHECK (volume >= 0)
);

CREATE TABLE institutional_holdings (
    ticker_id integer NOT NULL,
    quarter_end date NOT NULL,
    institution_id integer NOT NULL,
    filing_date date NOT NULL,
    shares_held bigint NOT NULL,
    market_value bigint NOT NULL,
    ownership_percent double precision,
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
);

CREATE TABLE retail_sentiment (
    ticker_id integer NOT NULL,
    source text COLLATE "C" NOT NULL,
    date date NOT NULL,
    interest bigint NOT NULL,
    score double precision,
    -- INCLUDE for the same reason as in market_data: windows of interest are read from the index.
    CONSTRAINT retail_sentiment_pkey PRIMARY KEY (ticker_id, source, date) INCLUDE (interest, score),
    CONSTRAINT retail_sentiment_ticker_id_fkey
    FOREIGN KEY (ticker_id) REFERENCES tickers (ticker_id),
    CONSTRAINT retail_sentiment_source_check CHECK (length(source) BETWEEN 1 AND 64),
    CONSTRAINT retail_sentiment_interest_check CHECK (interest >= 0),
    CONSTRAINT retail_sentiment_score_check CHECK (score >= -1 AND score <= 1)
);
