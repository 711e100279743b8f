-- What the current schema is made of, as the catalogue says it. Names in definitions have no schema where
-- they are found by the search path, so that those of two schemas can be compared. What belongs to an
-- extension and the record of migrations are left out.

-- name: relations()
-- record_class: Relation(name: str, kind: str, options: str | None, definition: str | None)
-- Tables and views, for introspection.describe(). Index: none, the catalogue is small.
SELECT
    c.relname AS name,
    CASE c.relkind
        WHEN 'r' THEN 'table'
        WHEN 'p' THEN 'partitioned table'
        WHEN 'v' THEN 'view'
        ELSE 'materialized view'
    END AS kind,
    NULLIF(
        CONCAT_WS(
            ', ',
            CASE WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(c.oid) END,
            CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED' END,
            CASE WHEN c.relrowsecurity THEN 'ROW LEVEL SECURITY' END
        ),
        ''
    ) AS options,
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid, TRUE) END AS definition
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE
    n.nspname = current_schema()
    AND c.relkind IN ('r', 'p', 'v', 'm')
    AND c.relname NOT IN ('schema_migrations', 'schema_steps')
    AND NOT EXISTS (
        SELECT 1
        FROM pg_depend AS d
        WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY c.relname ASC;

-- name: columns()
-- record_class: FoundColumn(relation: str, name: str, type: str, nullable: int, filling: str | None, identity: str | None, generated: int, collation: str | None)
-- Columns of tables and views in their order, for introspection.describe(). A column that is generated is
-- filled by its expression, another by its default. Index: none, the catalogue is small.
SELECT
    c.relname AS relation,
    a.attname AS name,
    format_type(a.atttypid, a.atttypmod) AS type,
    CASE WHEN a.attnotnull THEN 0 ELSE 1 END AS nullable,
    pg_get_expr(f.adbin, f.adrelid) AS filling,
    CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END AS identity,
    CASE WHEN a.attgenerated = '' THEN 0 ELSE 1 END AS generated,
    CASE WHEN a.attcollation <> t.typcollation THEN l.collname END AS collation
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_attribute AS a ON a.attrelid = c.oid
INNER JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
WHERE
    n.nspname = current_schema()
    AND c.relkind IN ('r', 'p', 'v', 'm')
    AND a.attnum > 0
    AND NOT a.attisdropped
ORDER BY c.relname ASC, a.attnum ASC;

-- name: constraints()
-- record_class: FoundConstraint(relation: str, name: str, kind: str, definition: str)
-- Constraints by table and name, for introspection.describe(); one whose triggers are switched off is
-- DISABLED. That a column is NOT NULL stands with the column; only newer servers keep a constraint of it.
-- Index: none, the catalogue is small.
SELECT
    c.relname AS relation,
    k.conname AS name,
    CASE k.contype
        WHEN 'p' THEN 'primary key'
        WHEN 'u' THEN 'unique'
        WHEN 'f' THEN 'foreign key'
        WHEN 'c' THEN 'check'
        ELSE 'exclusion'
    END AS kind,
    pg_get_constraintdef(k.oid, TRUE)
    || CASE
        WHEN EXISTS (
            SELECT 1
            FROM pg_trigger AS g
            WHERE g.tgconstraint = k.oid AND g.tgenabled IN ('D', 'R')
        ) THEN ' DISABLED'
        ELSE ''
    END AS definition
FROM pg_constraint AS k
INNER JOIN pg_class AS c ON c.oid = k.conrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND k.contype IN ('p', 'u', 'f', 'c', 'x')
ORDER BY c.relname ASC, k.conname ASC;

-- name: indexes()
-- record_class: FoundIndex(relation: str, name: str, definition: str, uniqueness: int, method: str, predicate: str | None, valid: int)
-- Indexes that are no constraint's, by table and name, for introspection.describe(). One whose build
-- failed is not valid. Index: none, the catalogue is small.
SELECT
    c.relname AS relation,
    i.relname AS name,
    pg_get_indexdef(x.indexrelid, 0, TRUE) AS definition,
    CASE WHEN x.indisunique THEN 1 ELSE 0 END AS uniqueness,
    m.amname AS method,
    pg_get_expr(x.indpred, x.indrelid, TRUE) AS predicate,
    CASE WHEN x.indisvalid THEN 1 ELSE 0 END AS valid
FROM pg_index AS x
INNER JOIN pg_class AS i ON i.oid = x.indexrelid
INNER JOIN pg_class AS c ON c.oid = x.indrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_am AS m ON m.oid = i.relam
WHERE
    n.nspname = current_schema()
    AND NOT EXISTS (
        SELECT 1
        FROM pg_constraint AS k
        WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')
    )
ORDER BY c.relname ASC, i.relname ASC;

-- name: index_columns()
-- record_class: FoundIndexColumn(name: str, expression: str, included: int)
-- The columns of each index in their order, keys and those included, for introspection.describe().
-- Index: none, the catalogue is small.
SELECT
    i.relname AS name,
    pg_get_indexdef(x.indexrelid, p.place, TRUE)
    || CASE x.indoption[p.place - 1]
        WHEN 1 THEN ' DESC NULLS LAST'
        WHEN 2 THEN ' NULLS FIRST'
        WHEN 3 THEN ' DESC'
        ELSE ''
    END AS expression,
    CASE WHEN p.place > x.indnkeyatts THEN 1 ELSE 0 END AS included
FROM pg_index AS x
INNER JOIN pg_class AS i ON i.oid = x.indexrelid
INNER JOIN pg_namespace AS n ON n.oid = i.relnamespace
CROSS JOIN LATERAL generate_series(1, CAST(x.indnatts AS integer)) AS p (place)
WHERE n.nspname = current_schema()
ORDER BY i.relname ASC, p.place ASC;

-- name: triggers()
-- record_class: FoundTrigger(relation: str, name: str, definition: str)
-- Triggers and rules by table and name, for introspection.describe(). What makes a view of a relation is
-- no rule of it. Index: none, the catalogue is small.
SELECT
    c.relname AS relation,
    g.tgname AS name,
    pg_get_triggerdef(g.oid, TRUE) || CASE WHEN g.tgenabled = 'D' THEN ' DISABLED' ELSE '' END AS definition
FROM pg_trigger AS g
INNER JOIN pg_class AS c ON c.oid = g.tgrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND NOT g.tgisinternal
UNION ALL
SELECT
    c.relname AS relation,
    r.rulename AS name,
    pg_get_ruledef(r.oid, TRUE) AS definition
FROM pg_rewrite AS r
INNER JOIN pg_class AS c ON c.oid = r.ev_class
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND r.rulename <> '_RETURN'
ORDER BY relation ASC, name ASC;
