-- What fills the tables of a copy that readers do not see yet: those of the schema smdi_copy, which is then
-- the only one that a name is looked up in. copying has one row, what the copy was begun with.

-- name: tickers*!
-- Writes rows as they are stored. Index: none yet.
COPY tickers (
    ticker_id, symbol, company_name, cusip, created_at
)
FROM STDIN WITH BINARY;

-- name: institutions*!
-- Writes rows as they are stored. Index: none yet.
COPY institutions (
    institution_id, cik, name, created_at
)
FROM STDIN WITH BINARY;

-- name: market*!
-- Writes rows as they are stored. Index: none yet.
COPY market_data (
    ticker_id, date, open, high, low, close, volume
)
FROM STDIN WITH BINARY;

-- name: holdings*!
-- Writes rows as they are stored. Index: none yet.
COPY institutional_holdings (
    ticker_id, quarter_end, institution_id, filing_date, shares_held, market_value, ownership_percent
)
FROM STDIN WITH BINARY;

-- name: sentiment*!
-- Writes rows as they are stored. Index: none yet.
COPY retail_sentiment (
    ticker_id, source, date, interest, score
)
FROM STDIN WITH BINARY;

-- name: there()$
-- record_class: There(started: int)
-- 1 where a copy is under way, 0 where none is. Index: none, the catalogue looks the name up.
SELECT COUNT(to_regclass('smdi_copy.copy_state')) AS started;

-- name: keys()
-- record_class: Definition(relation: str, name: str, sql: str)
-- The keys and indexes of the tables that readers see, keys before what refers to them, for what a copy
-- builds when its rows are there. Index: none, it reads the catalogue.
SELECT
    d.relation AS relation,
    d.name AS name,
    d.sql AS sql
FROM (
    SELECT
        CASE WHEN c.contype = 'f' THEN 3 ELSE 1 END AS turn,
        CAST(r.relname AS text) AS relation,
        CAST(c.conname AS text) AS name,
        pg_get_constraintdef(c.oid) AS sql
    FROM pg_constraint AS c
    INNER JOIN pg_class AS r ON r.oid = c.conrelid
    WHERE c.contype IN ('p', 'u', 'x', 'f') AND r.relnamespace = CAST(current_schema() AS regnamespace)
    UNION ALL
    SELECT
        2 AS turn,
        CAST(r.relname AS text) AS relation,
        CAST(n.relname AS text) AS name,
        pg_get_indexdef(i.indexrelid, 0, TRUE) AS sql
    FROM pg_index AS i
    INNER JOIN pg_class AS r ON r.oid = i.indrelid
    INNER JOIN pg_class AS n ON n.oid = i.indexrelid
    WHERE
        r.relnamespace = CAST(current_schema() AS regnamespace)
        AND NOT EXISTS (
            SELECT 1
            FROM pg_constraint AS k
            WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
        )
) AS d
ORDER BY d.turn NULLS FIRST, d.relation NULLS FIRST, d.name NULLS FIRST;

-- name: attached(relations)
-- record_class: Attached(what: str)
-- What hangs on tables and would be lost with them, for a copy that takes their place: views, foreign keys
-- of other tables, triggers, policies, publications and inheritance. Index: none, it reads the catalogue.
WITH own AS (
    SELECT CAST(CAST(x.name AS regclass) AS oid) AS id
    FROM unnest(CAST(:relations AS text[])) AS x (name)
)

SELECT DISTINCT 'the view ' || CAST(v.relname AS text) AS what
FROM pg_depend AS d
INNER JOIN pg_rewrite AS w ON w.oid = d.objid
INNER JOIN pg_class AS v ON v.oid = w.ev_class
WHERE d.classid = CAST('pg_rewrite' AS regclass) AND d.refobjid IN (SELECT o.id FROM own AS o)
UNION
SELECT 'the foreign key ' || CAST(c.conname AS text) || ' of ' || CAST(r.relname AS text) AS what
FROM pg_constraint AS c
INNER JOIN pg_class AS r ON r.oid = c.conrelid
WHERE
    c.contype = 'f'
    AND c.confrelid IN (SELECT o.id FROM own AS o)
    AND c.conrelid NOT IN (SELECT o.id FROM own AS o)
UNION
SELECT 'the trigger ' || CAST(t.tgname AS text) AS what
FROM pg_trigger AS t
WHERE NOT t.tgisinternal AND t.tgrelid IN (SELECT o.id FROM own AS o)
UNION
SELECT 'the policy ' || CAST(p.polname AS text) AS what
FROM pg_policy AS p
WHERE p.polrelid IN (SELECT o.id FROM own AS o)
UNION
SELECT 'the publication ' || CAST(n.pubname AS text) AS what
FROM pg_publication_rel AS p
INNER JOIN pg_publication AS n ON n.oid = p.prpubid
WHERE p.prrelid IN (SELECT o.id FROM own AS o)
UNION
SELECT 'the inheritance of ' || CAST(r.relname AS text) AS what
FROM pg_inherits AS h
INNER JOIN pg_class AS r ON r.oid = h.inhrelid
WHERE h.inhparent IN (SELECT o.id FROM own AS o) OR h.inhrelid IN (SELECT o.id FROM own AS o)
ORDER BY what NULLS FIRST;

-- name: lacking(relations)
-- record_class: Lacking(what: str)
-- The rights that a copy needs and the role does not have. Index: none, it reads the catalogue.
SELECT 'CREATE on the database' AS what
WHERE NOT has_database_privilege(current_database(), 'CREATE')
UNION ALL
SELECT 'the ownership of ' || CAST(r.relname AS text) AS what
FROM pg_class AS r
INNER JOIN unnest(CAST(:relations AS text[])) AS x (name)
    ON r.oid = CAST(CAST(x.name AS regclass) AS oid)
WHERE NOT pg_has_role(r.relowner, 'USAGE')
ORDER BY what NULLS FIRST;

-- name: rights(relations)
-- record_class: Right(sql: str)
-- The statements that give tables the owner, the rights and the settings that others have, for a copy that
-- takes their place. Index: none, it reads the catalogue.
WITH own AS (
    SELECT
        r.oid AS id,
        r.relname AS relation,
        r.relowner AS owner,
        r.relacl AS acl,
        r.reloptions AS settings
    FROM pg_class AS r
    INNER JOIN unnest(CAST(:relations AS text[])) AS x (name)
        ON r.oid = CAST(CAST(x.name AS regclass) AS oid)
)

SELECT format('ALTER TABLE %I OWNER TO %I', o.relation, pg_get_userbyid(o.owner)) AS sql
FROM own AS o
WHERE pg_get_userbyid(o.owner) <> CURRENT_USER
UNION ALL
SELECT format('ALTER TABLE %I SET (%s)', o.relation, array_to_string(o.settings, ', ')) AS sql
FROM own AS o
WHERE o.settings IS NOT NULL
UNION ALL
SELECT
    format(
        'GRANT %s ON %I TO %s%s',
        a.privilege_type,
        o.relation,
        CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
        CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    ) AS sql
FROM own AS o
CROSS JOIN LATERAL aclexplode(o.acl) AS a
WHERE a.grantee <> o.owner
UNION ALL
SELECT
    format(
        'GRANT %s (%I) ON %I TO %s',
        a.privilege_type,
        c.attname,
        o.relation,
        CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
    ) AS sql
FROM own AS o
INNER JOIN pg_attribute AS c ON c.attrelid = o.id AND c.attacl IS NOT NULL AND NOT c.attisdropped
CROSS JOIN LATERAL aclexplode(c.attacl) AS a
ORDER BY sql NULLS FIRST;

-- name: follow()$
-- record_class: Followed(last: int | None)
-- Sets the sequences that give keys past those that came, for a copy whose rows are there.
-- Index: tickers_pkey, institutions_pkey.
SELECT
    setval(
        pg_get_serial_sequence('smdi_copy.tickers', 'ticker_id'),
        (SELECT GREATEST(MAX(t.ticker_id), 1) FROM tickers AS t),
        COALESCE((SELECT MAX(t.ticker_id) >= 1 FROM tickers AS t), FALSE)
    )
    + setval(
        pg_get_serial_sequence('smdi_copy.institutions', 'institution_id'),
        (SELECT GREATEST(MAX(i.institution_id), 1) FROM institutions AS i),
        COALESCE((SELECT MAX(i.institution_id) >= 1 FROM institutions AS i), FALSE)
    ) AS last;
