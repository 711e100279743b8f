-- The record of what was applied from schema/postgresql.

-- name: prepare()!
-- Makes the record's table where there is none yet, for Database.migrate().
-- Index: none, it creates a table.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version bigint CONSTRAINT schema_migrations_pkey PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    checksum text COLLATE "C" NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: lock()$
-- record_class: Locked(locked: int)
-- 1 where other migrations now wait until the transaction ends, 0 where another's keeps this one waiting,
-- for Database.migrate(). It does not wait by itself: a statement that waits holds a snapshot, and an
-- index that is built CONCURRENTLY would wait for that. The number is this package's own, and means
-- nothing but that. Index: none, it reads no table.
SELECT CASE WHEN pg_try_advisory_xact_lock(5786219400) THEN 1 ELSE 0 END AS locked;

-- name: patience(milliseconds)$
-- record_class: Patience(set_to: str)
-- For the transaction: how long a statement may wait for a lock, for readers queue up behind an ALTER that
-- waits; and to idle as long as an index is built beside it. For Database.migrate().
-- Index: none, it reads no table.
SELECT
    set_config('lock_timeout', CAST(CAST(:milliseconds AS bigint) AS text), TRUE)
    || set_config('idle_in_transaction_session_timeout', '0', TRUE) AS set_to;

-- name: prepare_steps()!
-- Makes the record of applications' migrations and of unfinished ones where there is none yet, for
-- Database.migrate(). Index: none, it creates a table.
CREATE TABLE IF NOT EXISTS schema_steps (
    sequence text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    name text COLLATE "C" NOT NULL,
    checksum text COLLATE "C" NOT NULL,
    upon bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    CONSTRAINT schema_steps_pkey PRIMARY KEY (sequence, version),
    CONSTRAINT schema_steps_state_check CHECK (state IN ('applied', 'applying', 'undoing'))
);

-- name: started()$
-- record_class: Started(started: int)
-- How many of the record's two tables are there, for Database.migrate() and version().
-- Index: none, the catalogue looks the names up.
SELECT
    COUNT(to_regclass('schema_migrations'))
    + COUNT(CASE WHEN to_regclass('schema_migrations') IS NOT NULL THEN to_regclass('schema_steps') END)
        AS started;

-- name: strangers()$
-- record_class: Strangers(names: str)
-- None: programs share a database of a server as a matter of course, each with tables of its own, while
-- a file of SQLite is one program's. A table that has a name this package wants fails the migration.
-- For Database.migrate() and the first write. Index: none, it reads no table.
SELECT CAST('' AS text) AS names;
