-- What was applied from schema/.

-- name: applied()
-- record_class: Applied(version: int, name: str, checksum: str)
-- Every migration applied, by number, for migrations.migrate(). Index: schema_migrations_pkey.
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
