-- What PostgreSQL tells of a database: its tables, indexes, sessions and statements.
-- "The tables" are those of the schemas on the search path; names are quoted where SQL wants that.

-- name: database_bytes()$
-- record_class: DatabaseBytes(bytes: int)
-- What the database takes on disk, for sizes. Index: none, it reads no table.
SELECT pg_database_size(CURRENT_DATABASE()) AS bytes;

-- name: relations()
-- record_class: Relation(name: str, owner: str, kind: str, rows: int | None, bytes: int, free: int | None)
-- Every table and index: about how many rows, what it takes, and about how much of that is empty or dead: what
-- there is beyond rows of the average width, packed as a rewrite would pack them. Where nothing was analyzed,
-- or the index is no B-tree or of expressions, that is not known. For sizes and maintenance.
-- Index: none, the catalogue is small.
WITH tables AS (
    SELECT
        c.oid AS oid,
        c.relname AS relname,
        n.nspname AS nspname,
        CASE
            WHEN
                c.reltuples < 0
                OR COALESCE(s.last_analyze, s.last_autoanalyze, s.last_vacuum, s.last_autovacuum) IS NOT NULL
                THEN CAST(COALESCE(s.n_live_tup, 0) AS double precision)
            ELSE CAST(c.reltuples AS double precision)
        END AS row_count
    FROM pg_class AS c
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
    WHERE c.relkind IN ('r', 'm') AND n.nspname = ANY(CURRENT_SCHEMAS(FALSE))
),

widths AS (
    SELECT
        t.oid AS oid,
        a.attnum AS attnum,
        s.avg_width * (1.0 - s.null_frac) AS width
    FROM tables AS t
    INNER JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_stats AS s
        ON s.schemaname = t.nspname AND s.tablename = t.relname AND s.attname = a.attname AND NOT s.inherited
),

entries AS (
    SELECT
        t.oid AS oid,
        t.oid AS owner,
        'table' AS kind,
        t.row_count AS row_count,
        pg_table_size(t.oid) AS bytes,
        -- A row: 24 bytes of header, 4 of pointer, and columns on their boundaries.
        (
            SELECT 28 + 8 * CEIL(SUM(w.width) / 8)
            FROM widths AS w
            WHERE w.oid = t.oid
            HAVING COUNT(w.width) = COUNT(*)
        ) AS row_bytes,
        1.0 AS packed
    FROM tables AS t
    UNION ALL
    SELECT
        i.indexrelid AS oid,
        t.oid AS owner,
        'index' AS kind,
        CASE
            WHEN i.indpred IS NULL THEN t.row_count
            ELSE CAST(x.reltuples AS double precision)
        END AS row_count,
        pg_relation_size(i.indexrelid) AS bytes,
        -- An entry: 8 bytes of header, 4 of pointer, and columns on their boundaries.
        CASE
            WHEN a.amname = 'btree'
                THEN (
                    SELECT 12 + 8 * CEIL(SUM(w.width) / 8)
                    FROM UNNEST(CAST(i.indkey AS int2[])) AS k (attnum)
                    LEFT JOIN widths AS w ON w.oid = t.oid AND w.attnum = k.attnum
                    HAVING COUNT(w.width) = COUNT(*)
                )
        END AS row_bytes,
        -- As full as B-trees are made, and the pages above the leaves.
        0.89 AS packed
    FROM tables AS t
    INNER JOIN pg_index AS i ON i.indrelid = t.oid
    INNER JOIN pg_class AS x ON x.oid = i.indexrelid
    INNER JOIN pg_am AS a ON a.oid = x.relam
)

SELECT
    CAST(CAST(e.oid AS regclass) AS text) AS name,
    CAST(CAST(e.owner AS regclass) AS text) AS owner,
    e.kind AS kind,
    CASE WHEN e.row_count >= 0 THEN CAST(e.row_count AS bigint) END AS rows,
    e.bytes AS bytes,
    CAST(GREATEST(0, e.bytes - 16384 - e.row_count * e.row_bytes / e.packed) AS bigint) AS free
FROM entries AS e
ORDER BY owner ASC, kind DESC, name ASC;

-- name: tables()
-- record_class: Tables(name: str, rows: int, dead: int, changed: int, analyzed: int, pages: int, visible: int)
-- What became of each table since it was looked after last: rows that are there, dead rows, rows changed since
-- the last ANALYZE, whether there was one, pages, and those of them that index-only scans need not visit. For
-- maintenance and health. Index: none, the catalogue is small.
SELECT
    CAST(CAST(c.oid AS regclass) AS text) AS name,
    CASE
        WHEN
            c.reltuples < 0
            OR COALESCE(s.last_analyze, s.last_autoanalyze, s.last_vacuum, s.last_autovacuum) IS NOT NULL
            THEN COALESCE(s.n_live_tup, 0)
        ELSE CAST(c.reltuples AS bigint)
    END AS rows,
    COALESCE(s.n_dead_tup, 0) AS dead,
    COALESCE(s.n_mod_since_analyze, 0) AS changed,
    CASE WHEN c.reltuples >= 0 THEN 1 ELSE 0 END AS analyzed,
    pg_relation_size(c.oid) / CAST(current_setting('block_size') AS bigint) AS pages,
    c.relallvisible AS visible
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'm') AND n.nspname = ANY(CURRENT_SCHEMAS(FALSE))
ORDER BY name;

-- name: invalid_indexes()
-- record_class: InvalidIndexes(name: str, owner: str, leftover: int)
-- Indexes that no query uses, for they were not finished, and nobody is building them now; a leftover is what
-- REINDEX CONCURRENTLY was making. For maintenance and health. Index: none, the catalogue is small.
SELECT
    CAST(CAST(i.indexrelid AS regclass) AS text) AS name,
    CAST(CAST(i.indrelid AS regclass) AS text) AS owner,
    CASE WHEN c.relname ~ '_cc(new|old)[0-9]*$' THEN 1 ELSE 0 END AS leftover
FROM pg_index AS i
INNER JOIN pg_class AS c ON c.oid = i.indexrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE
    NOT i.indisvalid
    AND c.relkind = 'i'
    AND n.nspname = ANY(CURRENT_SCHEMAS(FALSE))
    AND NOT EXISTS (
        SELECT 1
        FROM pg_stat_progress_create_index AS p
        WHERE p.datname = CURRENT_DATABASE() AND p.index_relid = i.indexrelid
    )
ORDER BY name;

-- name: partial_indexes(table)
-- record_class: PartialIndexes(name: str)
-- The indexes over a part of a table, for maintenance. Index: none, the catalogue is small.
SELECT CAST(CAST(i.indexrelid AS regclass) AS text) AS name
FROM pg_index AS i
WHERE i.indpred IS NOT NULL AND i.indrelid = TO_REGCLASS(CAST(:table AS text))
ORDER BY name;

-- name: newest_bar()$
-- record_class: NewestBar(date: date | None)
-- The day of the newest bar, for maintenance. Index: market_data_pkey, a probe for each ticker.
SELECT MAX(l.date) AS date
FROM tickers AS t
CROSS JOIN LATERAL (
    SELECT MAX(m.date) AS date
    FROM market_data AS m
    WHERE m.ticker_id = t.ticker_id
) AS l;

-- name: unvalidated()
-- record_class: Unvalidated(name: str, owner: str)
-- Constraints that the rows there were never held to, for health. Index: none, the catalogue is small.
SELECT
    QUOTE_IDENT(k.conname) AS name,
    CAST(CAST(k.conrelid AS regclass) AS text) AS owner
FROM pg_constraint AS k
INNER JOIN pg_namespace AS n ON n.oid = k.connamespace
WHERE NOT k.convalidated AND k.conrelid <> 0 AND n.nspname = ANY(CURRENT_SCHEMAS(FALSE))
ORDER BY owner, name;

-- name: unenforced()
-- record_class: Unenforced(name: str, owner: str)
-- Foreign keys whose triggers somebody switched off, for health. Index: none, the catalogue is small.
SELECT
    QUOTE_IDENT(k.conname) AS name,
    CAST(CAST(t.tgrelid AS regclass) AS text) AS owner
FROM pg_trigger AS t
INNER JOIN pg_constraint AS k ON k.oid = t.tgconstraint
INNER JOIN pg_namespace AS n ON n.oid = k.connamespace
WHERE t.tgenabled IN ('D', 'R') AND k.contype = 'f' AND n.nspname = ANY(CURRENT_SCHEMAS(FALSE))
GROUP BY k.conname, t.tgrelid
ORDER BY owner, name;

-- name: duplicates()
-- record_class: Duplicates(name: str, other: str)
-- Indexes whose columns begin another index of the same table, of the same kind, which so serves what they do;
-- one that is there to refuse a second row, or lets scans do without the table, is none of them. For health.
-- Index: none, the catalogue is small.
WITH keys AS (
    SELECT
        i.indexrelid AS oid,
        i.indrelid AS owner,
        c.relam AS method,
        i.indisunique AS sole,
        i.indnkeyatts < i.indnatts AS covering,
        CAST(i.indkey AS text) || ' ' AS columns,
        CAST(i.indclass AS text) || ' ' AS classes,
        CAST(i.indcollation AS text) || ' ' AS collations,
        CAST(i.indoption AS text) || ' ' AS directions
    FROM pg_index AS i
    INNER JOIN pg_class AS c ON c.oid = i.indexrelid
    INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE
        i.indisvalid
        AND i.indexprs IS NULL
        AND i.indpred IS NULL
        AND n.nspname = ANY(CURRENT_SCHEMAS(FALSE))
)

SELECT
    CAST(CAST(k.oid AS regclass) AS text) AS name,
    MIN(CAST(CAST(o.oid AS regclass) AS text)) AS other
FROM keys AS k
INNER JOIN pg_am AS a ON a.oid = k.method
INNER JOIN keys AS o
    ON
    o.owner = k.owner
    AND o.method = k.method
    AND o.oid <> k.oid
    AND STARTS_WITH(o.columns, k.columns)
    AND STARTS_WITH(o.classes, k.classes)
    AND STARTS_WITH(o.collations, k.collations)
    AND STARTS_WITH(o.directions, k.directions)
WHERE
    NOT k.sole
    AND NOT k.covering
    AND (a.amname = 'btree' OR o.columns = k.columns)
    AND (o.columns <> k.columns OR o.sole OR o.covering OR o.oid < k.oid)
GROUP BY k.oid
ORDER BY name;

-- name: unused(days, bytes)
-- record_class: Unused(name: str, bytes: int, days: int)
-- Indexes that were read by no query since the server began to count, and that refuse no second row; only where
-- it has counted for so many days, and of those that take so much. For health.
-- Index: none, the catalogue is small.
SELECT
    CAST(CAST(s.indexrelid AS regclass) AS text) AS name,
    pg_relation_size(s.indexrelid) AS bytes,
    CAST(EXTRACT(DAY FROM now() - COALESCE(d.stats_reset, pg_postmaster_start_time())) AS bigint) AS days
FROM pg_stat_all_indexes AS s
INNER JOIN pg_index AS i ON i.indexrelid = s.indexrelid
INNER JOIN pg_stat_database AS d ON d.datname = CURRENT_DATABASE()
WHERE
    s.schemaname = ANY(CURRENT_SCHEMAS(FALSE))
    AND s.idx_scan = 0
    AND NOT i.indisunique
    AND pg_relation_size(s.indexrelid) >= CAST(:bytes AS bigint)
    AND COALESCE(d.stats_reset, pg_postmaster_start_time())
    <= now() - MAKE_INTERVAL(days => CAST(:days AS integer))
ORDER BY bytes DESC, name ASC;

-- name: unindexed(rows)
-- record_class: Unindexed(name: str, scans: int, rows: int)
-- Tables of so many rows that are read whole more often than by an index, and how often; for health.
-- Index: none, the catalogue is small.
SELECT
    CAST(CAST(s.relid AS regclass) AS text) AS name,
    s.seq_scan AS scans,
    s.n_live_tup AS rows
FROM pg_stat_all_tables AS s
WHERE
    s.schemaname = ANY(CURRENT_SCHEMAS(FALSE))
    AND s.n_live_tup >= CAST(:rows AS bigint)
    AND s.seq_scan > 100
    AND s.seq_scan > COALESCE(s.idx_scan, 0)
ORDER BY name;

-- name: unindexed_keys(rows)
-- record_class: UnindexedKeys(name: str, owner: str, parent: str)
-- Foreign keys of tables of so many rows that no index begins with, where rows of the table they refer to are
-- deleted: each of those reads the whole table. For health. Index: none, the catalogue is small.
SELECT
    QUOTE_IDENT(k.conname) AS name,
    CAST(CAST(k.conrelid AS regclass) AS text) AS owner,
    CAST(CAST(k.confrelid AS regclass) AS text) AS parent
FROM pg_constraint AS k
INNER JOIN pg_stat_all_tables AS s ON s.relid = k.conrelid
INNER JOIN pg_stat_all_tables AS p ON p.relid = k.confrelid
WHERE
    k.contype = 'f'
    AND s.schemaname = ANY(CURRENT_SCHEMAS(FALSE))
    AND s.n_live_tup >= CAST(:rows AS bigint)
    AND p.n_tup_del > 0
    AND NOT EXISTS (
        SELECT 1
        FROM pg_index AS i
        WHERE
            i.indrelid = k.conrelid
            AND i.indisvalid
            AND i.indpred IS NULL
            AND i.indkey[0] = ANY(k.conkey)
    )
ORDER BY owner, name;

-- name: long_transactions(seconds, idle_seconds)
-- record_class: LongTransactions(pid: int, name: str, state: str, seconds: int)
-- Sessions of this database whose transaction has been open for so long, or has done nothing for so long; what
-- died since cannot be cleared away. For health. Index: none, there are few sessions.
SELECT
    a.pid AS pid,
    COALESCE(CAST(a.usename AS text), '') || COALESCE(' ' || NULLIF(a.application_name, ''), '') AS name,
    COALESCE(a.state, '') AS state,
    CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP() - a.xact_start) AS bigint) AS seconds
FROM pg_stat_activity AS a
WHERE
    a.datname = CURRENT_DATABASE()
    AND a.pid <> pg_backend_pid()
    AND a.backend_type = 'client backend'
    AND (
        a.xact_start < CLOCK_TIMESTAMP() - MAKE_INTERVAL(secs => CAST(:seconds AS double precision))
        OR (
            a.state LIKE 'idle in transaction%'
            AND a.state_change
            < CLOCK_TIMESTAMP() - MAKE_INTERVAL(secs => CAST(:idle_seconds AS double precision))
        )
    )
ORDER BY a.xact_start NULLS LAST, a.pid;

-- name: prepared_transactions()
-- record_class: PreparedTransactions(name: str, seconds: int)
-- Transactions that were prepared and neither committed nor rolled back since, for health.
-- Index: none, there are few.
SELECT
    p.gid AS name,
    CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP() - p.prepared) AS bigint) AS seconds
FROM pg_prepared_xacts AS p
WHERE p.database = CURRENT_DATABASE()
ORDER BY p.prepared, p.gid;

-- name: connections()^
-- record_class: Connections(used: int, allowed: int, own: int)
-- Connections of clients, how many roles that are no superusers may have, and how many of them are of this
-- package; for health. Index: none, there are few sessions.
SELECT
    COUNT(*) AS used,
    CAST(
        CAST(current_setting('max_connections') AS integer)
        - CAST(current_setting('superuser_reserved_connections') AS integer)
        - CAST(COALESCE(current_setting('reserved_connections', TRUE), '0') AS integer) AS bigint
    ) AS allowed,
    COUNT(*) FILTER (WHERE a.application_name = 'smart-money-repo') AS own
FROM pg_stat_activity AS a
WHERE a.backend_type = 'client backend';

-- name: database_state()^
-- record_class: DatabaseState(age: int, checksum_failures: int | None)
-- How many transactions ago the oldest row was written that is not frozen, and how many pages were found to
-- differ from their checksums; NULL where the cluster has none. For health. Index: none, there is one row.
SELECT
    CAST(AGE(d.datfrozenxid) AS bigint) AS age,
    s.checksum_failures AS checksum_failures
FROM pg_database AS d
INNER JOIN pg_stat_database AS s ON s.datid = d.oid
WHERE d.datname = CURRENT_DATABASE();

-- name: checkable()
-- record_class: Checkable(name: str, kind: str, checker: str)
-- What amcheck can look at, and the schema that amcheck is in, quoted; nothing where it is not installed. For
-- health. Index: none, the catalogue is small.
SELECT
    CAST(CAST(c.oid AS regclass) AS text) AS name,
    CASE WHEN c.relkind = 'i' THEN 'index' ELSE 'table' END AS kind,
    QUOTE_IDENT(x.nspname) AS checker
FROM pg_extension AS e
INNER JOIN pg_namespace AS x ON x.oid = e.extnamespace
CROSS JOIN pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
LEFT JOIN pg_am AS a ON a.oid = c.relam
WHERE
    e.extname = 'amcheck'
    AND n.nspname = ANY(CURRENT_SCHEMAS(FALSE))
    AND (c.relkind = 'r' OR (c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid))
    AND c.relpersistence = 'p'
ORDER BY kind DESC, name ASC;

-- name: statements_installed()$
-- record_class: StatementsInstalled(installed: int)
-- 1 where pg_stat_statements is installed and found by its name, 0 where not; for health.
-- Index: none, the catalogue looks the name up.
SELECT COUNT(to_regclass('pg_stat_statements')) AS installed;

-- name: slowest(count)
-- record_class: Slowest(name: str, calls: int, mean: float, longest: float, total: float)
-- The named queries that read and took the most time in all: calls, milliseconds in the mean, at most and in all. For
-- health. Needs: pg_stat_statements. Index: none, there are few thousand statements.
SELECT
    f.name AS name,
    CAST(SUM(f.calls) AS bigint) AS calls,
    SUM(f.total_exec_time) / SUM(f.calls) AS mean,
    MAX(f.max_exec_time) AS longest,
    SUM(f.total_exec_time) AS total
FROM (
    SELECT
        SUBSTRING(s.query FROM '/\* (\w+\.\w+) \*/') AS name,
        s.calls AS calls,
        s.total_exec_time AS total_exec_time,
        s.max_exec_time AS max_exec_time
    FROM pg_stat_statements AS s
    INNER JOIN pg_database AS d ON d.oid = s.dbid
    WHERE d.datname = CURRENT_DATABASE() AND s.query ~* '^\s*(select|with)\s'
) AS f
WHERE f.name IS NOT NULL
GROUP BY f.name
ORDER BY total DESC, f.name ASC
LIMIT CAST(:count AS bigint);

-- name: keeps_dead_rows(seconds)^
-- record_class: KeepsDeadRows(pid: int, name: str, seconds: int)
-- The session of this database that has looked at its rows for the longest, if for so long; what died since
-- stays until it ends. For maintenance. Index: none, there are few sessions.
SELECT
    a.pid AS pid,
    COALESCE(CAST(a.usename AS text), '') || COALESCE(' ' || NULLIF(a.application_name, ''), '') AS name,
    CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP() - a.xact_start) AS bigint) AS seconds
FROM pg_stat_activity AS a
WHERE
    a.datname = CURRENT_DATABASE()
    AND a.pid <> pg_backend_pid()
    AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
    AND a.xact_start < CLOCK_TIMESTAMP() - MAKE_INTERVAL(secs => CAST(:seconds AS double precision))
ORDER BY a.xact_start, a.pid
LIMIT 1;

-- name: others(relations)
-- record_class: Other(quoted: str, bookkeeping: int)
-- The tables of every schema that hold rows, as SQL names them, but for those of the current schema that are
-- named, by name: what a proof of a backup compares too, and a copy leaves out. Bookkeeping are the records of
-- migrations, and an unfinished copy. Index: none, the catalogue is small.
SELECT
    FORMAT('%I.%I', n.nspname, c.relname) AS quoted,
    CASE
        WHEN n.nspname = 'smdi_copy' OR c.relname IN ('schema_migrations', 'schema_steps') THEN 1
        ELSE 0
    END AS bookkeeping
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE
    c.relkind = 'r'
    AND c.relpersistence <> 't'
    AND n.nspname NOT LIKE 'pg\_%'
    AND n.nspname <> 'information_schema'
    AND NOT (n.nspname = CURRENT_SCHEMA() AND c.relname = ANY(CAST(:relations AS text[])))
    AND NOT EXISTS (
        SELECT 1
        FROM pg_depend AS d
        WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname ASC, c.relname ASC;
