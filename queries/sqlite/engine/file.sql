-- What SQLite tells of a file: its pages, its statistics, and what is wrong with it.

-- name: pages()^
-- record_class: Pages(page_size: int, pages: int, free: int, auto_vacuum: int)
-- How many pages the file has, how many of them are free, and whether it can give some back by itself (2 is
-- incrementally), for maintenance. Index: none, it reads the header.
SELECT
    p.page_size AS page_size,
    c.page_count AS pages,
    f.freelist_count AS free,
    a.auto_vacuum AS auto_vacuum
FROM pragma_page_size AS p
CROSS JOIN pragma_page_count AS c
CROSS JOIN pragma_freelist_count AS f
CROSS JOIN pragma_auto_vacuum AS a;

-- name: measurable()$
-- record_class: Measurable(measurable: int)
-- 1 where this SQLite was built with dbstat, which measures tables and indexes; 0 where not. For
-- maintenance. Index: none, it reads no table.
SELECT COUNT(*) AS measurable
FROM pragma_module_list AS m
WHERE m.name = 'dbstat';

-- name: relations()
-- record_class: Relation(name: str, owner: str, kind: str, rows: int | None, bytes: int, free: int | None)
-- Every table and index: what it holds, takes, and leaves empty in its pages. The rows of a table without
-- rowid are an index, and so lie in inner pages too. For sizes and maintenance.
-- Needs: dbstat. Index: none, it reads the file whole.
SELECT
    d.name AS name,
    COALESCE(m.tbl_name, d.name) AS owner,
    COALESCE(m.type, 'table') AS kind,
    CAST(
        SUM(
            CASE WHEN d.pagetype = 'leaf' OR m.type = 'index' OR t.wr = 1 THEN d.ncell ELSE 0 END
        ) AS integer
    ) AS rows,
    CAST(SUM(d.pgsize) AS integer) AS bytes,
    CAST(SUM(d.unused) AS integer) AS free
FROM dbstat AS d
LEFT JOIN sqlite_schema AS m ON m.name = d.name
LEFT JOIN pragma_table_list AS t ON t.schema = 'main' AND t.name = d.name
GROUP BY d.name, m.tbl_name, m.type
ORDER BY owner ASC, kind DESC, name ASC;

-- name: tables()
-- record_class: Tables(name: str)
-- The names of the tables, where dbstat cannot measure them, for maintenance. Index: none, the catalogue is
-- small.
SELECT m.name AS name
FROM sqlite_schema AS m
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'
ORDER BY m.name;

-- name: analyzed()$
-- record_class: Analyzed(analyzed: int)
-- 1 where ANALYZE was run, 0 where never. For maintenance. Index: none, the catalogue is small.
SELECT COUNT(*) AS analyzed
FROM sqlite_schema AS m
WHERE m.name = 'sqlite_stat1';

-- name: statistics()
-- record_class: Statistics(name: str, rows: int)
-- How many rows each table had when ANALYZE looked at it last, for maintenance.
-- Needs: sqlite_stat1. Index: none, the catalogue is small.
SELECT
    s.tbl AS name,
    MAX(CAST(s.stat AS integer)) AS rows
FROM sqlite_stat1 AS s
GROUP BY s.tbl
ORDER BY s.tbl;

-- name: damage()
-- record_class: Damage(message: str)
-- What is wrong with the pages, rows and indexes of the file, in SQLite's words; for health and maintenance.
-- Index: none, it reads the file whole.
SELECT c.integrity_check AS message
FROM pragma_integrity_check AS c
WHERE c.integrity_check <> 'ok';

-- name: orphans()
-- record_class: Orphans(name: str, parent: str, rows: int)
-- Rows that refer to a row which is not there, by table, for health. Index: the keys of the tables referred
-- to.
SELECT
    f."table" AS name,
    f.parent AS parent,
    COUNT(*) AS rows
FROM pragma_foreign_key_check AS f
GROUP BY f."table", f.parent
ORDER BY f."table", f.parent;

-- name: duplicates()
-- record_class: Duplicates(name: str, other: str)
-- Indexes whose columns begin another index of the same table, which so serves what they do; one that is
-- there to refuse a second row is none of them. For health. Index: none, the catalogue is small.
WITH keys AS (
    SELECT
        m.name AS owner,
        i.name AS name,
        i."unique" AS sole,
        GROUP_CONCAT(x.name || ' ' || x.coll || ' ' || x."desc", ',') || ',' AS columns
    FROM sqlite_schema AS m
    INNER JOIN PRAGMA_INDEX_LIST(m.name) AS i ON i.partial = 0
    INNER JOIN PRAGMA_INDEX_XINFO(i.name) AS x ON x.key = 1
    WHERE m.type = 'table'
    GROUP BY m.name, i.name, i."unique"
)

SELECT
    k.name AS name,
    o.name AS other
FROM keys AS k
INNER JOIN keys AS o ON o.owner = k.owner AND o.name <> k.name
WHERE
    k.sole = 0
    AND SUBSTR(o.columns, 1, LENGTH(k.columns)) = k.columns
    AND (o.columns <> k.columns OR o.sole = 1 OR o.name < k.name)
ORDER BY k.name, o.name;

-- name: stored()
-- record_class: Stored(name: str, quoted: str, bookkeeping: int)
-- The tables that hold rows, and as SQL names them, by name: a proof of a backup compares those that are not the
-- package's too, and a copy leaves them out. Bookkeeping are the records of migrations.
-- Index: none, the catalogue is small.
SELECT
    m.name AS name,
    '"' || REPLACE(m.name, '"', '""') || '"' AS quoted,
    CASE WHEN m.name IN ('schema_migrations', 'schema_steps') THEN 1 ELSE 0 END AS bookkeeping
FROM sqlite_master AS m
WHERE
    m.type = 'table'
    AND m.rootpage > 0
    AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'
ORDER BY m.name;
