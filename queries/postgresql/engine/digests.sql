-- The rows of each table as the server hashes them itself, so that none of them travels.
-- A row is as in a binary COPY: a 16-bit count of columns, then of each its length and its bytes, or a
-- length of -1 for NULL; repo/binary.py makes the same. -0.0 + 0 is 0.0, which is equal to it. Rows are
-- hashed in the order of the key, those of a chunk together: see repo/chunks.py. first and last bound the
-- first column of the key.

-- name: tickers(first, last)
-- record_class: Chunk(chunk: int, rows: int, sha256: str)
-- The digests of tickers, by a thousand ticker_ids, for digests(), copy() and verify().
-- Index: tickers_pkey.
SELECT
    CAST(floor(t.ticker_id / 1000.0) AS bigint) AS chunk,
    COUNT(*) AS rows,
    encode(
        sha256(
            STRING_AGG(
                '\x000500000004' || int4send(t.ticker_id)
                || int4send(octet_length(t.symbol)) || textsend(t.symbol)
                || int4send(octet_length(t.company_name)) || textsend(t.company_name)
                || COALESCE(int4send(octet_length(t.cusip)) || textsend(t.cusip), '\xffffffff')
                || '\x00000008' || timestamptz_send(t.created_at),
                ''
                ORDER BY t.ticker_id
            )
        ), 'hex'
    ) AS sha256
FROM tickers AS t
WHERE t.ticker_id >= CAST(:first AS bigint) AND t.ticker_id <= CAST(:last AS bigint)
GROUP BY floor(t.ticker_id / 1000.0)
ORDER BY floor(t.ticker_id / 1000.0);

-- name: institutions(first, last)
-- record_class: Chunk(chunk: int, rows: int, sha256: str)
-- The digests of institutions, by a thousand institution_ids, for digests(), copy() and verify().
-- Index: institutions_pkey.
SELECT
    CAST(floor(i.institution_id / 1000.0) AS bigint) AS chunk,
    COUNT(*) AS rows,
    encode(
        sha256(
            STRING_AGG(
                '\x000400000004' || int4send(i.institution_id)
                || '\x00000008' || int8send(i.cik)
                || int4send(octet_length(i.name)) || textsend(i.name)
                || '\x00000008' || timestamptz_send(i.created_at),
                ''
                ORDER BY i.institution_id
            )
        ), 'hex'
    ) AS sha256
FROM institutions AS i
WHERE i.institution_id >= CAST(:first AS bigint) AND i.institution_id <= CAST(:last AS bigint)
GROUP BY floor(i.institution_id / 1000.0)
ORDER BY floor(i.institution_id / 1000.0);

-- name: market(first, last)
-- record_class: Chunk(chunk: int, rows: int, sha256: str)
-- The digests of bars, by ticker_id, for digests(), copy() and verify().
-- Index: market_data_pkey.
SELECT
    CAST(m.ticker_id AS bigint) AS chunk,
    COUNT(*) AS rows,
    encode(
        sha256(
            STRING_AGG(
                '\x000700000004' || int4send(m.ticker_id)
                || '\x00000004' || date_send(m.date)
                || COALESCE('\x00000008' || float8send(m.open + 0), '\xffffffff')
                || COALESCE('\x00000008' || float8send(m.high + 0), '\xffffffff')
                || COALESCE('\x00000008' || float8send(m.low + 0), '\xffffffff')
                || '\x00000008' || float8send(m.close + 0)
                || COALESCE('\x00000008' || int8send(m.volume), '\xffffffff'),
                ''
                ORDER BY m.date
            )
        ), 'hex'
    ) AS sha256
FROM market_data AS m
WHERE m.ticker_id >= CAST(:first AS bigint) AND m.ticker_id <= CAST(:last AS bigint)
GROUP BY m.ticker_id
ORDER BY m.ticker_id;

-- name: holdings(first, last)
-- record_class: Chunk(chunk: int, rows: int, sha256: str)
-- The digests of holdings, by ticker_id, for digests(), copy() and verify().
-- Index: institutional_holdings_pkey.
SELECT
    CAST(h.ticker_id AS bigint) AS chunk,
    COUNT(*) AS rows,
    encode(
        sha256(
            STRING_AGG(
                '\x000700000004' || int4send(h.ticker_id)
                || '\x00000004' || date_send(h.quarter_end)
                || '\x00000004' || int4send(h.institution_id)
                || '\x00000004' || date_send(h.filing_date)
                || '\x00000008' || int8send(h.shares_held)
                || '\x00000008' || int8send(h.market_value)
                || COALESCE('\x00000008' || float8send(h.ownership_percent + 0), '\xffffffff'),
                ''
                ORDER BY h.quarter_end, h.institution_id, h.filing_date
            )
        ), 'hex'
    ) AS sha256
FROM institutional_holdings AS h
WHERE h.ticker_id >= CAST(:first AS bigint) AND h.ticker_id <= CAST(:last AS bigint)
GROUP BY h.ticker_id
ORDER BY h.ticker_id;

-- name: sentiment(first, last)
-- record_class: Chunk(chunk: int, rows: int, sha256: str)
-- The digests of retail interest, by ticker_id, for digests(), copy() and verify().
-- Index: retail_sentiment_pkey.
SELECT
    CAST(s.ticker_id AS bigint) AS chunk,
    COUNT(*) AS rows,
    encode(
        sha256(
            STRING_AGG(
                '\x000500000004' || int4send(s.ticker_id)
                || int4send(octet_length(s.source)) || textsend(s.source)
                || '\x00000004' || date_send(s.date)
                || '\x00000008' || int8send(s.interest)
                || COALESCE('\x00000008' || float8send(s.score + 0), '\xffffffff'),
                ''
                ORDER BY s.source, s.date
            )
        ), 'hex'
    ) AS sha256
FROM retail_sentiment AS s
WHERE s.ticker_id >= CAST(:first AS bigint) AND s.ticker_id <= CAST(:last AS bigint)
GROUP BY s.ticker_id
ORDER BY s.ticker_id;
