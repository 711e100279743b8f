-- What a backup asks of a file.

-- name: tables()
-- record_class: Table(quoted: str)
-- The tables of a file as SQL names them, without the record of migrations, by name: before a restore
-- each is looked at for rows. Reading them takes the snapshot that a backup copies.
-- Index: none, the catalogue is small.
SELECT '"' || REPLACE(m.name, '"', '""') || '"' AS quoted
FROM sqlite_master AS m
WHERE
    m.type = 'table'
    AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'
    AND m.name NOT LIKE '%schema\_migrations' ESCAPE '\'
ORDER BY m.name;
