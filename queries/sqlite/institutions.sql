-- Queries about institutions in the form that only SQLite takes.

-- name: fill(place, cik, name)*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
INSERT INTO institutions_stage (
    place, cik, name
)
VALUES (
    :place, :cik, :name
);

-- name: identify(ciks)
-- record_class: Identity(cik: int, institution_id: int)
-- The keys of the institutions named, for the upsert of holdings. CIKs that are not there are not in
-- the answer. Index: institutions_cik_key.
SELECT
    i.cik AS cik,
    i.institution_id AS institution_id
FROM institutions AS i
WHERE i.cik IN (SELECT wanted.value FROM json_each(:ciks) AS wanted)
ORDER BY i.cik;
