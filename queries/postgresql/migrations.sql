-- The record of what was applied from schema/postgresql.

-- name: prepare()!
-- Makes the record's table where there is none yet, for migrations.migrate().
-- Index: none, it creates a table.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version bigint CONSTRAINT schema_migrations_pkey PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    checksum text COLLATE "C" NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: lock()$
-- record_class: Locked(locked: int)
-- Keeps other migrations waiting until the transaction ends, for migrations.migrate(). The number is
-- this package's own, and means nothing but that. Index: none, it reads no table.
SELECT 1 AS locked
FROM pg_advisory_xact_lock(5786219400);

-- name: started()$
-- record_class: Started(started: int)
-- 1 where the record's table is there, 0 where it is not, for migrations.migrate() and version().
-- Index: none, the catalogue looks the name up.
SELECT COUNT(to_regclass('schema_migrations')) AS started;

-- name: strangers()$
-- record_class: Strangers(names: str)
-- None: programs share a database of a server as a matter of course, each with tables of its own, while
-- a file of SQLite is one program's. A table that has a name this package wants fails the migration.
-- For migrations.migrate() and the first write. Index: none, it reads no table.
SELECT CAST('' AS text) AS names;
