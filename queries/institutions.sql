-- Reading institutions, and what of their writing is alike on both engines.

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

-- name: keys()$
-- record_class: Keys(keys: int)
-- How many keys the rows have that an upsert set aside, for what a load counts.
-- Index: none, it reads all of what was set aside.
SELECT COUNT(*) AS keys
FROM (
    SELECT DISTINCT x.cik AS cik
    FROM institutions_stage AS x
) AS s;

-- name: there()$
-- record_class: There(keys: int)
-- How many of these keys are in the table already, before they are merged, for what a load counts.
-- Index: institutions_cik_key.
SELECT COUNT(*) AS keys
FROM (
    SELECT DISTINCT x.cik AS cik
    FROM institutions_stage AS x
) AS s
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
        LAG(k.place, 1, CAST(-1 AS bigint)) OVER (ORDER BY k.place) AS ahead
    FROM (
        SELECT MAX(x.place) AS place
        FROM institutions_stage AS x
        GROUP BY x.cik
    ) AS k
) AS g
WHERE g.place - g.ahead > 1
ORDER BY g.place
LIMIT 20;
