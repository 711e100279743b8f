-- What a check list for production asks of a PostgreSQL server.

-- name: state()^
-- record_class: DeploymentState(version: int, release: str, superuser: int, makes_roles: int, encoding: str, collation: str, isolation: str)
-- The server's version, whether the role may do anything or make roles, the encoding and collation of the
-- database, and how far a transaction is kept from others unless it says so. For doctor. Index: none.
SELECT
    CAST(CURRENT_SETTING('server_version_num') AS integer) AS version,
    CURRENT_SETTING('server_version') AS release,
    CASE WHEN r.rolsuper THEN 1 ELSE 0 END AS superuser,
    CASE WHEN r.rolcreaterole THEN 1 ELSE 0 END AS makes_roles,
    CURRENT_SETTING('server_encoding') AS encoding,
    CAST(d.datcollate AS text) AS collation,
    CURRENT_SETTING('default_transaction_isolation') AS isolation
FROM pg_roles AS r
CROSS JOIN pg_database AS d
WHERE r.rolname = CURRENT_USER AND d.datname = CURRENT_DATABASE();

-- name: settings(names)
-- record_class: Setting(name: str, value: str, unit: str)
-- Settings as a session finds them that sets nothing, each with the unit that its number is in. For doctor.
-- Index: none, the settings are few.
SELECT
    s.name AS name,
    s.reset_val AS value,
    COALESCE(s.unit, '') AS unit
FROM pg_settings AS s
WHERE s.name = ANY(CAST(:names AS text[]))
ORDER BY s.name;

-- name: writing_readers()
-- record_class: WritingReaders(name: str, grantee: str)
-- Tables that everybody, or a member of smdi_reader, may write to. For doctor. Index: none, the catalogue is
-- small.
SELECT
    CAST(CAST(c.oid AS regclass) AS text) AS name,
    CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE PG_GET_USERBYID(a.grantee) END AS grantee
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN ACLEXPLODE(c.relacl) AS a
WHERE
    n.nspname = ANY(CURRENT_SCHEMAS(FALSE))
    AND c.relkind IN ('r', 'p')
    AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
    AND (a.grantee = 0 OR a.grantee = CAST(TO_REGROLE('smdi_reader') AS oid))
GROUP BY c.oid, a.grantee
ORDER BY name, grantee;

-- name: open_schemas()
-- record_class: OpenSchemas(name: str)
-- Schemas on the search path in which everybody may make tables. For doctor. Index: none, there are few.
SELECT QUOTE_IDENT(n.nspname) AS name
FROM pg_namespace AS n
CROSS JOIN ACLEXPLODE(n.nspacl) AS a
WHERE n.nspname = ANY(CURRENT_SCHEMAS(FALSE)) AND a.grantee = 0 AND a.privilege_type = 'CREATE'
ORDER BY name;
