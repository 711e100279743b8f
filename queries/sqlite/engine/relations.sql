-- The tables and indexes that a file has, and what was set aside beside them.

-- name: all()
-- record_class: Relation(name: str, of_table: str, definition: str | None, columns: str | None)
-- Every table and index with its definition, an index with its columns too, for the names in a plan.
-- Index: none, the catalogue is small.
SELECT
    r.name AS name,
    r.of_table AS of_table,
    r.definition AS definition,
    (
        SELECT GROUP_CONCAT(i.name, ', ')
        FROM pragma_index_info(r.name) AS i
    ) AS columns
FROM (
    SELECT
        m.name AS name,
        m.tbl_name AS of_table,
        m.sql AS definition
    FROM sqlite_master AS m
    WHERE m.type IN ('table', 'index')
    UNION ALL
    SELECT
        t.name AS name,
        t.tbl_name AS of_table,
        t.sql AS definition
    FROM sqlite_temp_master AS t
    WHERE t.type IN ('table', 'index')
) AS r
ORDER BY r.name NULLS FIRST;
