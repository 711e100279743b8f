-- What must hold of the rows of a database that came from another, whatever its constraints say.

-- name: counts()
-- record_class: Counted(name: str, number: int)
-- How many rows each table has, for copy(). Order: total because a name comes once.
-- Index: the smallest of each table.
SELECT
    'tickers' AS name,
    COUNT(*) AS number
FROM tickers
UNION ALL
SELECT
    'institutions' AS name,
    COUNT(*) AS number
FROM institutions
UNION ALL
SELECT
    'market_data' AS name,
    COUNT(*) AS number
FROM market_data
UNION ALL
SELECT
    'institutional_holdings' AS name,
    COUNT(*) AS number
FROM institutional_holdings
UNION ALL
SELECT
    'retail_sentiment' AS name,
    COUNT(*) AS number
FROM retail_sentiment
ORDER BY name NULLS FIRST;

-- name: duplicates()
-- record_class: Fault(name: str, id: int | None, other_id: int | None, day: date | None, other_day: date | None, text: str | None, number: int)
-- The first twenty values of unique keys that come more than once, with the constraint of each, for copy()
-- and verify(). Where the constraints are there it has none. Order: total because each is of one key; that
-- of the subqueries keeps PostgreSQL from hashing all keys. Index: those of the keys.
SELECT
    f.name AS name,
    f.id AS id,
    f.other_id AS other_id,
    f.day AS day,
    f.other_day AS other_day,
    f.text AS text,
    f.number AS number
FROM (
    SELECT
        'tickers_pkey' AS name,
        CAST(t.ticker_id AS bigint) AS id,
        CAST(NULL AS bigint) AS other_id,
        CAST(NULL AS date) AS day,
        CAST(NULL AS date) AS other_day,
        CAST(NULL AS text) AS text,
        COUNT(*) AS number
    FROM tickers AS t
    GROUP BY t.ticker_id
    HAVING COUNT(*) > 1
    UNION ALL
    SELECT
        'tickers_symbol_key' AS name,
        NULL AS id,
        NULL AS other_id,
        NULL AS day,
        NULL AS other_day,
        t.symbol AS text,
        COUNT(*) AS number
    FROM tickers AS t
    GROUP BY t.symbol
    HAVING COUNT(*) > 1
    UNION ALL
    SELECT
        'tickers_cusip_key' AS name,
        NULL AS id,
        NULL AS other_id,
        NULL AS day,
        NULL AS other_day,
        t.cusip AS text,
        COUNT(*) AS number
    FROM tickers AS t
    WHERE t.cusip IS NOT NULL
    GROUP BY t.cusip
    HAVING COUNT(*) > 1
    UNION ALL
    SELECT
        'institutions_pkey' AS name,
        i.institution_id AS id,
        NULL AS other_id,
        NULL AS day,
        NULL AS other_day,
        NULL AS text,
        COUNT(*) AS number
    FROM institutions AS i
    GROUP BY i.institution_id
    HAVING COUNT(*) > 1
    UNION ALL
    SELECT
        'institutions_cik_key' AS name,
        i.cik AS id,
        NULL AS other_id,
        NULL AS day,
        NULL AS other_day,
        NULL AS text,
        COUNT(*) AS number
    FROM institutions AS i
    GROUP BY i.cik
    HAVING COUNT(*) > 1
    UNION ALL
    SELECT
        'market_data_pkey' AS name,
        m.ticker_id AS id,
        NULL AS other_id,
        m.date AS day,
        NULL AS other_day,
        NULL AS text,
        COUNT(*) AS number
    FROM (
        SELECT
            x.ticker_id AS ticker_id,
            x.date AS date
        FROM market_data AS x
        ORDER BY x.ticker_id, x.date
    ) AS m
    GROUP BY m.ticker_id, m.date
    HAVING COUNT(*) > 1
    UNION ALL
    SELECT
        'institutional_holdings_pkey' AS name,
        h.ticker_id AS id,
        h.institution_id AS other_id,
        h.quarter_end AS day,
        h.filing_date AS other_day,
        NULL AS text,
        COUNT(*) AS number
    FROM (
        SELECT
            x.ticker_id AS ticker_id,
            x.quarter_end AS quarter_end,
            x.institution_id AS institution_id,
            x.filing_date AS filing_date
        FROM institutional_holdings AS x
        ORDER BY x.ticker_id, x.quarter_end, x.institution_id, x.filing_date
    ) AS h
    GROUP BY h.ticker_id, h.quarter_end, h.institution_id, h.filing_date
    HAVING COUNT(*) > 1
    UNION ALL
    SELECT
        'retail_sentiment_pkey' AS name,
        s.ticker_id AS id,
        NULL AS other_id,
        s.date AS day,
        NULL AS other_day,
        s.source AS text,
        COUNT(*) AS number
    FROM (
        SELECT
            x.ticker_id AS ticker_id,
            x.source AS source,
            x.date AS date
        FROM retail_sentiment AS x
        ORDER BY x.ticker_id, x.source, x.date
    ) AS s
    GROUP BY s.ticker_id, s.source, s.date
    HAVING COUNT(*) > 1
) AS f
ORDER BY
    f.name NULLS FIRST,
    f.id NULLS FIRST,
    f.text NULLS FIRST,
    f.day NULLS FIRST,
    f.other_id NULLS FIRST,
    f.other_day NULLS FIRST
LIMIT 20;

-- name: orphans()
-- record_class: Orphans(name: str, id: int, number: int)
-- The first twenty keys that rows refer to and that are not there, with the foreign key and how many rows
-- do, for copy(), verify() and health(). Where the constraints are there it has none.
-- Order: total because each is of one key.
-- Index: none, it reads three tables whole.
SELECT
    f.name AS name,
    f.id AS id,
    f.number AS number
FROM (
    SELECT
        'market_data_ticker_id_fkey' AS name,
        m.ticker_id AS id,
        COUNT(*) AS number
    FROM market_data AS m
    GROUP BY m.ticker_id
    UNION ALL
    SELECT
        'institutional_holdings_ticker_id_fkey' AS name,
        h.ticker_id AS id,
        COUNT(*) AS number
    FROM institutional_holdings AS h
    GROUP BY h.ticker_id
    UNION ALL
    SELECT
        'retail_sentiment_ticker_id_fkey' AS name,
        s.ticker_id AS id,
        COUNT(*) AS number
    FROM retail_sentiment AS s
    GROUP BY s.ticker_id
) AS f
LEFT JOIN tickers AS t ON t.ticker_id = f.id
WHERE t.ticker_id IS NULL
UNION ALL
SELECT
    'institutional_holdings_institution_id_fkey' AS name,
    h.institution_id AS id,
    COUNT(*) AS number
FROM institutional_holdings AS h
LEFT JOIN institutions AS i ON i.institution_id = h.institution_id
WHERE i.institution_id IS NULL
GROUP BY h.institution_id
ORDER BY name NULLS FIRST, id NULLS FIRST
LIMIT 20;
