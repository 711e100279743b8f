-- What the database is made of. SQLite keeps the text of each definition, and says of constraints neither
-- the names nor the conditions, so those are read from that text. The record of migrations is left out.

-- name: definitions()
-- record_class: Definition(kind: str, name: str, relation: str, definition: str, options: str | None)
-- Tables, views, indexes and triggers by name, for introspection.describe(). What SQLite makes by itself
-- has no definition. Index: none, the catalogue is small.
SELECT
    m.type AS kind,
    m.name AS name,
    m.tbl_name AS relation,
    m.sql AS definition,
    CASE
        WHEN l.strict = 1 AND l.wr = 1 THEN 'STRICT, WITHOUT ROWID'
        WHEN l.strict = 1 THEN 'STRICT'
        WHEN l.wr = 1 THEN 'WITHOUT ROWID'
    END AS options
FROM sqlite_master AS m
LEFT JOIN pragma_table_list AS l ON l.schema = 'main' AND l.name = m.name
WHERE
    m.sql IS NOT NULL
    AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'
    AND m.tbl_name NOT IN ('schema_migrations', 'schema_steps')
ORDER BY m.name ASC;

-- name: table_columns()
-- record_class: TableColumn(relation: str, name: str, type: str, nullable: int, filling: str | None, computed: int)
-- Columns of tables and views in their order, for introspection.describe(). Index: none, the catalogue is
-- small.
SELECT
    m.name AS relation,
    x.name AS name,
    x.type AS type,
    CASE WHEN x."notnull" = 1 THEN 0 ELSE 1 END AS nullable,
    x.dflt_value AS filling,
    CASE WHEN x.hidden IN (2, 3) THEN 1 ELSE 0 END AS computed
FROM sqlite_master AS m
CROSS JOIN pragma_table_xinfo(m.name) AS x
WHERE m.type IN ('table', 'view') AND x.hidden <> 1
ORDER BY m.name ASC, x.cid ASC;
