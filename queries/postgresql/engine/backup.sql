-- What a backup asks of a server.

-- name: snapshot()$
-- record_class: Snapshot(snapshot: str)
-- The name under which pg_dump sees what this transaction sees, which may idle as long as that takes.
-- Index: none, it reads no table.
SELECT pg_export_snapshot() AS snapshot
FROM SET_CONFIG('idle_in_transaction_session_timeout', '0', TRUE);

-- name: search_path()$
-- record_class: SearchPath(search_path: str)
-- The schemas in which names are looked up, as SQL names them, in their order.
-- Index: none, it reads no table.
SELECT COALESCE(STRING_AGG(QUOTE_IDENT(s.name), ', ' ORDER BY s.place), '''''') AS search_path
FROM UNNEST(CURRENT_SCHEMAS(FALSE)) WITH ORDINALITY AS s (name, place);

-- name: relations()
-- record_class: Relation(quoted: str, kind: str, bookkeeping: int)
-- The tables (kind TABLE) of a database, and what else holds or shows rows, as SQL names them, by name;
-- what belongs to an extension comes and goes with that. Bookkeeping is the record of migrations.
-- A restore locks them, looks for rows, and drops them. Index: none, the catalogue is small.
SELECT
    FORMAT('%I.%I', n.nspname, c.relname) AS quoted,
    CASE
        WHEN c.relkind IN ('r', 'p') THEN 'TABLE'
        WHEN c.relkind = 'f' THEN 'FOREIGN TABLE'
        WHEN c.relkind = 'm' THEN 'MATERIALIZED VIEW'
        WHEN c.relkind = 'v' THEN 'VIEW'
        ELSE 'SEQUENCE'
    END AS kind,
    CASE WHEN c.relname LIKE '%schema\_migrations' THEN 1 ELSE 0 END AS bookkeeping
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE
    c.relkind IN ('r', 'p', 'f', 'm', 'v', 'S')
    AND c.relpersistence <> 't'
    AND n.nspname NOT LIKE 'pg\_%'
    AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT 1
        FROM pg_depend AS d
        WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname ASC, c.relname ASC;

-- name: fixed_extensions()
-- record_class: Extension(name: str)
-- The extensions that a restore leaves as they are: those that are there, and those that this role may
-- not make, by name. Index: none, the server reads its list of files.
SELECT DISTINCT CAST(v.name AS text) AS name
FROM pg_available_extension_versions AS v
CROSS JOIN pg_roles AS r
WHERE
    r.rolname = CURRENT_USER
    AND (v.installed OR (v.superuser AND NOT v.trusted AND NOT r.rolsuper))
ORDER BY name;

-- name: left_behind(before)
-- record_class: Left(quoted: str)
-- Scratch databases of this role from before a time, by name: of runs that were killed. Their names hold
-- the second they were made in. Index: none, a server has few databases.
SELECT FORMAT('%I', d.datname) AS quoted
FROM pg_database AS d
INNER JOIN pg_roles AS r ON r.oid = d.datdba
WHERE
    r.rolname = CURRENT_USER
    AND d.datname ~ '^smdi_scratch_[0-9]+_[0-9a-f]+$'
    AND CAST(SPLIT_PART(d.datname, '_', 3) AS bigint) < CAST(:before AS bigint)
ORDER BY d.datname;

-- name: written_alike()$
-- record_class: Setting(settings: str)
-- Has this transaction write values as text in one way, whatever the database, the role and the server say.
-- Index: none, it reads no table.
SELECT
    SET_CONFIG('datestyle', 'ISO, YMD', TRUE)
    || SET_CONFIG('intervalstyle', 'postgres', TRUE)
    || SET_CONFIG('timezone', 'UTC', TRUE)
    || SET_CONFIG('extra_float_digits', '1', TRUE)
    || SET_CONFIG('bytea_output', 'hex', TRUE)
    || SET_CONFIG('xmlbinary', 'base64', TRUE)
    || SET_CONFIG('lc_monetary', 'C', TRUE) AS settings;
