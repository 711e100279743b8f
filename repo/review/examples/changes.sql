-- Of each code of a change: SQL that is refused, and SQL that is right.

-- refused: allowance
-- review: allow full-scan

-- right: allowance
-- review: allow full-scan because it counts every row

-- refused: blocking-index
-- For nobody.
CREATE INDEX market_data_volume ON market_data (volume);

-- right: blocking-index
-- transaction: none
-- For nobody.
CREATE INDEX CONCURRENTLY market_data_volume ON market_data (volume);

-- refused: breaks-callers
-- name: history(ticker, start, end)
-- and market.history(symbol=...) stays as it was

-- right: breaks-callers
-- name: history(symbol, start, end)

-- refused: breaks-old-queries
ALTER TABLE tickers RENAME COLUMN cusip TO cusip_code;

-- right: breaks-old-queries
ALTER TABLE tickers ADD COLUMN cusip_code text;

-- refused: changed-migration
-- 0001_initial.sql, with a line more than main has

-- right: changed-migration
-- 0003_sector.sql, which is new
ALTER TABLE tickers ADD COLUMN sector text;

-- refused: column-added
-- record_class: Source(source: str, days: int)

-- right: column-added
-- record_class: Source(source: str)
-- and another query for the days

-- refused: contract
-- name: history()
SELECT 1 AS x;

-- right: contract
-- name: history()
-- record_class: One(x: int)
-- What it answers. Index: none.
SELECT 1 AS x;

-- refused: duplicate-query
-- name: all()
SELECT t.symbol AS symbol FROM tickers AS t ORDER BY t.symbol;
-- name: every()
SELECT t.symbol AS symbol FROM tickers AS t ORDER BY t.symbol;

-- right: duplicate-query
-- name: all()
SELECT t.symbol AS symbol FROM tickers AS t ORDER BY t.symbol;

-- refused: failing-migration
ALTER TABLE market_data ADD CONSTRAINT dear CHECK (close > 1e6);

-- right: failing-migration
ALTER TABLE market_data ADD CONSTRAINT dear CHECK (close > 0) NOT VALID;

-- refused: fails-on-sample
SELECT CAST(:rows AS bigint) / (CAST(:rows AS bigint) - CAST(:rows AS bigint)) AS x;

-- right: fails-on-sample
SELECT CAST(:rows AS bigint) / NULLIF(CAST(:part AS bigint), 0) AS x;

-- refused: full-scan
WHERE CAST(m.ticker_id AS text) = CAST(:id AS text)

-- right: full-scan
WHERE m.ticker_id = CAST(:id AS bigint)

-- refused: index-not-used
WHERE m.ticker_id + 0 = CAST(:id AS bigint)

-- right: index-not-used
WHERE m.ticker_id = CAST(:id AS bigint)

-- refused: layout
select m.close  AS close from market_data m

-- right: layout
SELECT m.close AS close
FROM market_data AS m

-- refused: lock-timeout
SET LOCAL lock_timeout = 0;

-- right: lock-timeout
SET LOCAL lock_timeout = '5s';

-- refused: many-rows-written
UPDATE market_data SET volume = 0 WHERE volume IS NULL;

-- right: many-rows-written
-- outside of a migration, until no row is left
UPDATE market_data SET volume = 0
WHERE volume IS NULL AND (ticker_id, date) IN (
    SELECT m.ticker_id, m.date FROM market_data AS m WHERE m.volume IS NULL LIMIT 5000
);

-- refused: more-rows-read
WHERE m.ticker_id = CAST(:id AS bigint) OFFSET CAST(:rows AS bigint)

-- right: more-rows-read
WHERE m.ticker_id = CAST(:id AS bigint) AND m.date > CAST(:last_date AS date)

-- refused: needs-new-schema
SELECT t.sector AS sector FROM tickers AS t -- released with the migration that adds it

-- right: needs-new-schema
SELECT t.sector AS sector FROM tickers AS t -- released after it

-- refused: new-sort
ORDER BY m.date + 0

-- right: new-sort
ORDER BY m.date

-- refused: not-null-without-default
ALTER TABLE market_data ADD COLUMN split bigint NOT NULL;

-- right: not-null-without-default
ALTER TABLE market_data ADD COLUMN split bigint NOT NULL DEFAULT 1;

-- refused: order-changed
ORDER BY m.date DESC -- where it was m.date

-- right: order-changed
ORDER BY m.date

-- refused: rows-changed
INNER JOIN institutional_holdings AS h ON h.ticker_id = t.ticker_id -- where it was LEFT JOIN

-- right: rows-changed
LEFT JOIN institutional_holdings AS h ON h.ticker_id = t.ticker_id

-- refused: rows-differ
-- in sqlite/
WHERE m.date >= CAST(:start AS date)
-- in postgresql/
WHERE m.date > CAST(:start AS date)

-- right: rows-differ
-- in both
WHERE m.date >= CAST(:start AS date)

-- refused: runs-away
FROM market_data AS m
CROSS JOIN market_data AS n

-- right: runs-away
FROM market_data AS m
INNER JOIN market_data AS n USING (ticker_id, date)

-- refused: table-rewrite
ALTER TABLE market_data ALTER COLUMN ticker_id TYPE bigint;

-- right: table-rewrite
ALTER TABLE market_data ADD COLUMN ticker_key bigint;

-- refused: uncalled-query
-- name: oldest(symbol)
-- and no Python that names it

-- right: uncalled-query
-- name: oldest(symbol)
-- and db.queries.movers.oldest(symbol="AAPL") in Python

-- refused: undo
ALTER TABLE tickers DROP COLUMN sector; -- where an index was added too

-- right: undo
DROP INDEX tickers_name;
ALTER TABLE tickers DROP COLUMN sector;

-- refused: undocumented-index
CREATE INDEX tickers_name ON tickers (company_name);

-- right: undocumented-index
-- By name: search.by_name.
CREATE INDEX tickers_name ON tickers (company_name);

-- refused: unlike-schema
SELECT t.sector AS sector FROM tickers AS t -- without a migration that adds it

-- right: unlike-schema
SELECT t.company_name AS company_name FROM tickers AS t

-- refused: unused-index
-- the last query by cusip goes, and tickers_cusip stays

-- right: unused-index
DROP INDEX tickers_cusip; -- in a migration that goes with it

-- refused: validated-constraint
ALTER TABLE market_data ADD CONSTRAINT market_data_cheap CHECK (close < 1e12);

-- right: validated-constraint
ALTER TABLE market_data ADD CONSTRAINT market_data_cheap CHECK (close < 1e12) NOT VALID;
