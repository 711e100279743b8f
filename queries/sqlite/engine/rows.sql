-- The rows of each table as they are stored, in the order of the key: what digests(), copy() and
-- verify() read. first and last bound the first column of the key, since and until the days.

-- name: tickers(first, last)
-- record_class: Row(ticker_id: int, symbol: str, company_name: str, cusip: str | None, created_at: datetime)
-- Tickers, all columns, in the order of the key, for digests(), copy() and verify().
-- Index: tickers_pkey.
SELECT
    t.ticker_id AS ticker_id,
    t.symbol AS symbol,
    t.company_name AS company_name,
    t.cusip AS cusip,
    t.created_at AS created_at
FROM tickers AS t
WHERE
    t.ticker_id >= CAST(:first AS bigint)
    AND t.ticker_id <= CAST(:last AS bigint)
ORDER BY t.ticker_id NULLS FIRST;

-- name: institutions(first, last)
-- record_class: Row(institution_id: int, cik: int, name: str, created_at: datetime)
-- Institutions, all columns, in the order of the key, for digests(), copy() and verify().
-- Index: institutions_pkey.
SELECT
    i.institution_id AS institution_id,
    i.cik AS cik,
    i.name AS name,
    i.created_at AS created_at
FROM institutions AS i
WHERE
    i.institution_id >= CAST(:first AS bigint)
    AND i.institution_id <= CAST(:last AS bigint)
ORDER BY i.institution_id NULLS FIRST;

-- name: market(first, last, since, until)
-- record_class: Row(ticker_id: int, date: date, open: float | None, high: float | None, low: float | None, close: float, volume: int | None)
-- Bars, all columns, in the order of the key, for digests(), copy() and verify().
-- Index: market_data_pkey.
SELECT
    m.ticker_id AS ticker_id,
    m.date AS date,
    m.open AS open,
    m.high AS high,
    m.low AS low,
    m.close AS close,
    m.volume AS volume
FROM market_data AS m
WHERE
    m.ticker_id >= CAST(:first AS bigint)
    AND m.ticker_id <= CAST(:last AS bigint)
    AND (CAST(:since AS date) IS NULL OR m.date >= CAST(:since AS date))
    AND (CAST(:until AS date) IS NULL OR m.date <= CAST(:until AS date))
ORDER BY m.ticker_id NULLS FIRST, m.date NULLS FIRST;

-- name: holdings(first, last, since, until)
-- record_class: Row(ticker_id: int, quarter_end: date, institution_id: int, filing_date: date, shares_held: int, market_value: int, ownership_percent: float | None)
-- Holdings, all columns, in the order of the key, for digests(), copy() and verify().
-- Index: institutional_holdings_pkey.
SELECT
    h.ticker_id AS ticker_id,
    h.quarter_end AS quarter_end,
    h.institution_id AS institution_id,
    h.filing_date AS filing_date,
    h.shares_held AS shares_held,
    h.market_value AS market_value,
    h.ownership_percent AS ownership_percent
FROM institutional_holdings AS h
WHERE
    h.ticker_id >= CAST(:first AS bigint)
    AND h.ticker_id <= CAST(:last AS bigint)
    AND (CAST(:since AS date) IS NULL OR h.filing_date >= CAST(:since AS date))
    AND (CAST(:until AS date) IS NULL OR h.filing_date <= CAST(:until AS date))
ORDER BY
    h.ticker_id NULLS FIRST,
    h.quarter_end NULLS FIRST,
    h.institution_id NULLS FIRST,
    h.filing_date NULLS FIRST;

-- name: sentiment(first, last, since, until)
-- record_class: Row(ticker_id: int, source: str, date: date, interest: int, score: float | None)
-- Rows of retail interest, all columns, in the order of the key, for digests(), copy() and verify().
-- Index: retail_sentiment_pkey.
SELECT
    s.ticker_id AS ticker_id,
    s.source AS source,
    s.date AS date,
    s.interest AS interest,
    s.score AS score
FROM retail_sentiment AS s
WHERE
    s.ticker_id >= CAST(:first AS bigint)
    AND s.ticker_id <= CAST(:last AS bigint)
    AND (CAST(:since AS date) IS NULL OR s.date >= CAST(:since AS date))
    AND (CAST(:until AS date) IS NULL OR s.date <= CAST(:until AS date))
ORDER BY s.ticker_id NULLS FIRST, s.source NULLS FIRST, s.date NULLS FIRST;
