-- The record of what was applied from schema/sqlite.

-- name: prepare()!
-- Makes the record's table where there is none yet, for Database.migrate().
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
-- 1: BEGIN IMMEDIATE keeps other migrations waiting until the transaction ends. For Database.migrate().
-- Index: none, it reads no table.
SELECT 1 AS locked;

-- name: patience(milliseconds)$
-- record_class: Patience(set_to: str)
-- Nothing is set: who writes has waited for the one lock there is, and readers wait for nobody. For
-- Database.migrate(). Index: none, it reads no table.
SELECT CAST(CAST(:milliseconds AS bigint) AS text) AS set_to;

-- name: prepare_steps()!
-- Makes the record of applications' migrations and of unfinished ones where there is none yet, for
-- Database.migrate(). Index: none, it creates a table.
CREATE TABLE IF NOT EXISTS schema_steps (
    sequence TEXT NOT NULL,
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    upon INTEGER NOT NULL,
    state TEXT NOT NULL,
    CONSTRAINT schema_steps_pkey PRIMARY KEY (sequence, version),
    CONSTRAINT schema_steps_state_check CHECK (state IN ('applied', 'applying', 'undoing'))
) STRICT;

-- name: started()$
-- record_class: Started(started: int)
-- How many of the record's two tables are there, for Database.migrate() and version().
-- Index: none, the catalogue is small.
SELECT COUNT(*) AS started
FROM sqlite_master AS m
INNER JOIN sqlite_master AS r ON r.type = 'table' AND r.name = 'schema_migrations'
WHERE m.type = 'table' AND m.name IN ('schema_migrations', 'schema_steps');

-- name: strangers()$
-- record_class: Strangers(names: str)
-- The first tables and views of a file that has no record of migrations, and so is another program's, as
-- one text, for Database.migrate() and the first write. Index: none, the catalogue is small.
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
