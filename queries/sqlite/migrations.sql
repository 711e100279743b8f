-- The record of what was applied from schema/sqlite.

-- name: prepare()!
-- Makes the record's table where there is none yet, for migrations.migrate().
-- Index: none, it creates a table.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER NOT NULL CONSTRAINT schema_migrations_pkey PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at INTEGER NOT NULL
    DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
) STRICT;

-- name: lock()$
-- record_class: Locked(locked: int)
-- Keeps other migrations waiting until the transaction ends, for migrations.migrate(). BEGIN IMMEDIATE
-- has done so already. Index: none, it reads no table.
SELECT 1 AS locked;

-- name: started()$
-- record_class: Started(started: int)
-- 1 where the record's table is there, 0 where it is not, for migrations.migrate() and version().
-- Index: none, the catalogue is small.
SELECT COUNT(*) AS started
FROM sqlite_master AS m
WHERE m.type = 'table' AND m.name = 'schema_migrations';

-- name: strangers()$
-- record_class: Strangers(names: str)
-- The first tables and views of a file that has no record of migrations, and so is another program's, as
-- one text, for migrations.migrate() and the first write. Index: none, the catalogue is small.
SELECT COALESCE(GROUP_CONCAT(t.name, ', '), '') AS names
FROM (
    SELECT m.name AS name
    FROM sqlite_master AS m
    WHERE
        m.type IN ('table', 'view')
        AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'
        AND NOT EXISTS (
            SELECT 1
            FROM sqlite_master AS r
            WHERE r.name = 'schema_migrations'
        )
    ORDER BY m.name NULLS FIRST
    LIMIT 5
) AS t;
