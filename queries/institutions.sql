-- Reading and writing institutions, as far as it is alike on both engines.

-- name: get(cik)^
-- record_class: Institution
-- One institution by its CIK, for institutions.get(). Index: institutions_cik_key.
SELECT
    i.cik AS cik,
    i.name AS name
FROM institutions AS i
WHERE i.cik = CAST(:cik AS bigint);

-- name: all()
-- record_class: Institution
-- Every institution by CIK, for institutions.all(). Index: institutions_cik_key.
SELECT
    i.cik AS cik,
    i.name AS name
FROM institutions AS i
ORDER BY i.cik;

-- name: upsert(cik, name)*!
-- Writes institutions, each key at most once; counts the rows that were new or different.
-- Index: institutions_cik_key.
INSERT INTO institutions (
    cik, name
)
VALUES (
    :cik, :name
)
ON CONFLICT (cik) DO UPDATE SET
    name = excluded.name
WHERE institutions.name
IS DISTINCT FROM excluded.name;

-- name: add(cik, name)*!
-- Writes institutions that are not there, each key at most once, and leaves alone those that are; counts
-- what was written: what a load counts as new on SQLite. Index: institutions_cik_key.
INSERT INTO institutions (
    cik, name
)
VALUES (
    :cik, :name
)
ON CONFLICT (cik) DO NOTHING;

-- name: stage()!
-- Makes the table in which rows are set aside that come in bulk or whose keys may come twice.
-- Index: none, it creates a table.
CREATE TEMPORARY TABLE institutions_stage AS
SELECT
    CAST(0 AS bigint) AS place,
    m.cik AS cik,
    m.name AS name
FROM institutions AS m
WHERE FALSE;

-- name: settle()!
-- Takes out of what was set aside every row whose key comes again further on; counts them.
-- Index: none, it reads all of what was set aside.
DELETE FROM institutions_stage
WHERE EXISTS (
    SELECT 1
    FROM (
        SELECT
            x.cik AS cik,
            MAX(x.place) AS place
        FROM institutions_stage AS x
        GROUP BY x.cik
        HAVING COUNT(*) > 1
    ) AS k
    WHERE
        k.cik = institutions_stage.cik
        AND k.place > institutions_stage.place
);

-- name: there()$
-- record_class: There(keys: int)
-- How many keys of what was set aside, where each is there once, are in the table already, for what a load
-- counts. Index: institutions_cik_key.
SELECT COUNT(*) AS keys
FROM institutions_stage AS s
INNER JOIN institutions AS m
    ON m.cik = s.cik;

-- name: superseded()
-- record_class: Superseded(first_place: int, last_place: int)
-- The first rows set aside that give way to others of their keys, as ranges of places, for a load in which
-- no key may come twice. The last row of a key stays, and so do the places between two that do not.
-- Index: none, it reads all of what was set aside.
SELECT
    g.ahead + 1 AS first_place,
    g.place - 1 AS last_place
FROM (
    SELECT
        k.place AS place,
        LAG(k.place, 1, CAST(-1 AS bigint)) OVER (ORDER BY k.place NULLS FIRST) AS ahead
    FROM (
        SELECT MAX(x.place) AS place
        FROM institutions_stage AS x
        GROUP BY x.cik
    ) AS k
) AS g
WHERE g.place - g.ahead > 1
ORDER BY g.place NULLS FIRST
LIMIT 20;

-- name: merge()!
-- Writes what was set aside, where each key is there once; counts the rows that were new or
-- different. What is there already is left out by a join: on PostgreSQL a conflict would lock it,
-- and a lock is a write. The rows go in by key, so that two merges at once wait for each other and
-- do not deadlock. Index: institutions_cik_key.
INSERT INTO institutions (
    cik, name
)
SELECT
    s.cik,
    s.name
FROM institutions_stage AS s
LEFT JOIN institutions AS m
    ON m.cik = s.cik
WHERE
    m.cik IS NULL
    OR m.name
    IS DISTINCT FROM s.name
ORDER BY s.cik
ON CONFLICT (cik) DO UPDATE SET
    name = excluded.name
WHERE institutions.name
IS DISTINCT FROM excluded.name;

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE institutions_stage;
