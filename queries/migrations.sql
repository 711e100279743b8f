-- What was applied from schema/.

-- name: applied()
-- record_class: Applied(version: int, name: str, checksum: str)
-- Every migration applied, by number, for Database.migrate(). Index: schema_migrations_pkey.
SELECT
    m.version AS version,
    m.name AS name,
    m.checksum AS checksum
FROM schema_migrations AS m
ORDER BY m.version;

-- name: record(version, name, checksum)!
-- Notes a migration as applied, in the migration's own transaction. Index: schema_migrations_pkey.
INSERT INTO schema_migrations (version, name, checksum)
VALUES (CAST(:version AS bigint), CAST(:name AS text), CAST(:checksum AS text));

-- name: forget(version)!
-- Notes a migration as undone, in the undo's own transaction. Index: schema_migrations_pkey.
DELETE FROM schema_migrations
WHERE version = CAST(:version AS bigint);

-- name: steps()
-- record_class: Step(sequence: str, version: int, name: str, checksum: str, upon: int, state: str)
-- The migrations of applications, by sequence and number, and what was begun outside of a transaction and
-- is not finished; upon is the package's migration at that time. For Database.migrate().
-- Needs: schema_steps. Index: schema_steps_pkey.
SELECT
    s.sequence AS sequence,
    s.version AS version,
    s.name AS name,
    s.checksum AS checksum,
    s.upon AS upon,
    s.state AS state
FROM schema_steps AS s
ORDER BY s.sequence ASC, s.version ASC;

-- name: note_step(sequence, version, name, checksum, upon, state)!
-- Notes an application's migration as applied, or any as begun: applying or undoing, for
-- Database.migrate(). Needs: schema_steps. Index: schema_steps_pkey.
INSERT INTO schema_steps (sequence, version, name, checksum, upon, state)
VALUES (
    CAST(:sequence AS text),
    CAST(:version AS bigint),
    CAST(:name AS text),
    CAST(:checksum AS text),
    CAST(:upon AS bigint),
    CAST(:state AS text)
)
ON CONFLICT (sequence, version) DO UPDATE SET
    name = excluded.name,
    checksum = excluded.checksum,
    upon = excluded.upon,
    state = excluded.state;

-- name: drop_step(sequence, version)!
-- Forgets what was noted of a migration, for Database.migrate(). Needs: schema_steps.
-- Index: schema_steps_pkey.
DELETE FROM schema_steps
WHERE
    sequence = CAST(:sequence AS text)
    AND version = CAST(:version AS bigint);
