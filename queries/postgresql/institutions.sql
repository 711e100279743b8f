-- Queries about institutions in the form that only PostgreSQL takes.

-- name: fill*!
-- Sets rows aside in the order they came, numbered by place.
-- Index: none, the table has none.
COPY institutions_stage (
    place, cik, name
)
FROM STDIN WITH BINARY;

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
