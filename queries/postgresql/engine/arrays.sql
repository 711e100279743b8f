-- The rows of each table as they are stored, in the order of the key, each column of some rows an array, or
-- the one value that they have in common: what copy() and verify() read. first and last bound the first column of the key, since and until the days.

-- name: tickers(first, last)
-- record_class: Row(ticker_id: int, symbol: str, company_name: str, cusip: str | None, created_at: datetime)
-- Tickers, all columns in arrays, in the order of the key, for copy() and verify().
-- Index: tickers_pkey.
SELECT
    ARRAY_AGG(t.ticker_id ORDER BY t.ticker_id) AS ticker_id,
    ARRAY_AGG(t.symbol ORDER BY t.ticker_id) AS symbol,
    ARRAY_AGG(t.company_name ORDER BY t.ticker_id) AS company_name,
    ARRAY_AGG(t.cusip ORDER BY t.ticker_id) AS cusip,
    ARRAY_AGG(t.created_at ORDER BY t.ticker_id) AS created_at
FROM tickers AS t
WHERE
    t.ticker_id >= CAST(:first AS bigint)
    AND t.ticker_id <= CAST(:last AS bigint)
GROUP BY t.ticker_id / 1000
ORDER BY t.ticker_id / 1000;

-- name: institutions(first, last)
-- record_class: Row(institution_id: int, cik: int, name: str, created_at: datetime)
-- Institutions, all columns in arrays, in the order of the key, for copy() and verify().
-- Index: institutions_pkey.
SELECT
    ARRAY_AGG(i.institution_id ORDER BY i.institution_id) AS institution_id,
    ARRAY_AGG(i.cik ORDER BY i.institution_id) AS cik,
    ARRAY_AGG(i.name ORDER BY i.institution_id) AS name,
    ARRAY_AGG(i.created_at ORDER BY i.institution_id) AS created_at
FROM institutions AS i
WHERE
    i.institution_id >= CAST(:first AS bigint)
    AND i.institution_id <= CAST(:last AS bigint)
GROUP BY i.institution_id / 1000
ORDER BY i.institution_id / 1000;

-- name: market(first, last, since, until)
-- record_class: Row(ticker_id: int, date: date, open: float | None, high: float | None, low: float | None, close: float, volume: int | None)
-- Bars, all columns in arrays, in the order of the key, for copy() and verify().
-- Index: market_data_pkey.
SELECT
    m.ticker_id AS ticker_id,
    ARRAY_AGG(m.date ORDER BY m.date) AS date,
    ARRAY_AGG(m.open ORDER BY m.date) AS open,
    ARRAY_AGG(m.high ORDER BY m.date) AS high,
    ARRAY_AGG(m.low ORDER BY m.date) AS low,
    ARRAY_AGG(m.close ORDER BY m.date) AS close,
    ARRAY_AGG(m.volume ORDER BY m.date) AS volume
FROM market_data AS m
WHERE
    m.ticker_id >= CAST(:first AS bigint)
    AND m.ticker_id <= CAST(:last AS bigint)
    AND (CAST(:since AS date) IS NULL OR m.date >= CAST(:since AS date))
    AND (CAST(:until AS date) IS NULL OR m.date <= CAST(:until AS date))
GROUP BY m.ticker_id
ORDER BY m.ticker_id;

-- name: holdings(first, last, since, until)
-- record_class: Row(ticker_id: int, quarter_end: date, institution_id: int, filing_date: date, shares_held: int, market_value: int, ownership_percent: float | None)
-- Holdings, all columns in arrays, in the order of the key, for copy() and verify().
-- Index: institutional_holdings_pkey.
SELECT
    h.ticker_id AS ticker_id,
    h.quarter_end AS quarter_end,
    ARRAY_AGG(h.institution_id ORDER BY h.institution_id, h.filing_date) AS institution_id,
    ARRAY_AGG(h.filing_date ORDER BY h.institution_id, h.filing_date) AS filing_date,
    ARRAY_AGG(h.shares_held ORDER BY h.institution_id, h.filing_date) AS shares_held,
    ARRAY_AGG(h.market_value ORDER BY h.institution_id, h.filing_date) AS market_value,
    ARRAY_AGG(h.ownership_percent ORDER BY h.institution_id, h.filing_date) AS ownership_percent
FROM institutional_holdings AS h
WHERE
    h.ticker_id >= CAST(:first AS bigint)
    AND h.ticker_id <= CAST(:last AS bigint)
    AND (CAST(:since AS date) IS NULL OR h.filing_date >= CAST(:since AS date))
    AND (CAST(:until AS date) IS NULL OR h.filing_date <= CAST(:until AS date))
GROUP BY h.ticker_id, h.quarter_end
ORDER BY h.ticker_id, h.quarter_end;

-- name: sentiment(first, last, since, until)
-- record_class: Row(ticker_id: int, source: str, date: date, interest: int, score: float | None)
-- Rows of retail interest, all columns in arrays, in the order of the key, for copy() and verify().
-- Index: retail_sentiment_pkey.
SELECT
    s.ticker_id AS ticker_id,
    s.source AS source,
    ARRAY_AGG(s.date ORDER BY s.date) AS date,
    ARRAY_AGG(s.interest ORDER BY s.date) AS interest,
    ARRAY_AGG(s.score ORDER BY s.date) AS score
FROM retail_sentiment AS s
WHERE
    s.ticker_id >= CAST(:first AS bigint)
    AND s.ticker_id <= CAST(:last AS bigint)
    AND (CAST(:since AS date) IS NULL OR s.date >= CAST(:since AS date))
    AND (CAST(:until AS date) IS NULL OR s.date <= CAST(:until AS date))
GROUP BY s.ticker_id, s.source
ORDER BY s.ticker_id, s.source;
