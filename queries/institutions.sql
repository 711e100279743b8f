-- Reading institutions.

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
