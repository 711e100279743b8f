-- The writing of institutions on SQLite. Repositories call these through Backend.upsert.

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
IS NOT excluded.name;

-- name: stage()!
-- Makes the table in which rows are settled whose keys come more than once; outside the file.
-- Index: none, it creates a table.
CREATE TABLE staging.institutions_stage (
    place INTEGER NOT NULL,
    cik INTEGER NOT NULL,
    name TEXT,
    PRIMARY KEY (cik)
) STRICT, WITHOUT ROWID;

-- name: fill(place, cik, name)*!
-- Sets rows aside in the order they came; of one key the last stays.
-- Index: the key of the table it fills.
INSERT OR REPLACE INTO staging.institutions_stage (
    place, cik, name
)
VALUES (
    :place, :cik, :name
);

-- name: merge()!
-- Writes what was set aside; counts the rows that were new or different.
-- Index: institutions_cik_key.
INSERT INTO institutions (
    cik, name
)
SELECT
    s.cik,
    s.name
FROM staging.institutions_stage AS s
WHERE TRUE
ORDER BY s.cik
ON CONFLICT (cik) DO UPDATE SET
    name = excluded.name
WHERE institutions.name
IS NOT excluded.name;

-- name: unstage()!
-- Drops the table that stage() made.
-- Index: none, it drops a table.
DROP TABLE staging.institutions_stage;

-- name: identify(ciks)
-- record_class: Identity(cik: int, institution_id: int)
-- The keys of the institutions named, for the upsert of holdings. CIKs that are not there are not in
-- the answer. Index: institutions_cik_key.
SELECT
    i.cik AS cik,
    i.institution_id AS institution_id
FROM institutions AS i
WHERE i.cik IN (SELECT wanted.value AS cik FROM json_each(:ciks) AS wanted)
ORDER BY i.cik;
