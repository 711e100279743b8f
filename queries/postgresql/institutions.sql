-- The writing of institutions on PostgreSQL. Repositories call these through Backend.upsert.

-- name: upsert(cik, name)*!
-- Writes a few institutions, each key at most once; counts the rows that were new or different.
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

-- name: stage()!
-- Makes the table that many rows are copied into; temporary tables write no WAL.
-- Index: none, it creates a table.
CREATE TEMPORARY TABLE institutions_stage (
    place bigint NOT NULL,
    cik bigint,
    name text COLLATE "C"
) ON COMMIT DROP;

-- name: fill(place, cik, name)*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
COPY institutions_stage (
    place, cik, name
)
FROM STDIN WITH BINARY;

-- name: merge()!
-- Writes what was set aside, of each key the last; counts the rows that were new or different. What is
-- there already is left out by a join: a conflict would lock it, and a lock is a write. The rows go in
-- by key, so that two merges at once wait for each other and do not deadlock.
-- Index: institutions_cik_key.
INSERT INTO institutions (
    cik, name
)
SELECT
    s.cik,
    s.name
FROM (
    SELECT DISTINCT ON (cik)
        cik,
        name
    FROM institutions_stage
    ORDER BY cik ASC, place DESC
) AS s
LEFT JOIN institutions AS m ON m.cik = s.cik
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

-- name: identify(ciks)
-- record_class: Identity(cik: int, institution_id: int)
-- The keys of the institutions named, for the upsert of holdings. CIKs that are not there are not in
-- the answer. Index: institutions_cik_key.
SELECT
    i.cik AS cik,
    i.institution_id AS institution_id
FROM institutions AS i
WHERE i.cik = ANY(CAST(:ciks AS bigint[]))
ORDER BY i.cik;
