-- The journal of a copy under way, which lies beside the rows that it tells of: in the schema smdi_copy on
-- PostgreSQL, in a file of its own on SQLite.

-- name: begun()^
-- record_class: Begun(header: str, token: str, built: int)
-- What the copy was begun with, whose it is, and whether its indexes are built, for copy().
-- Order: total because there is one row. Needs: copy_state. Index: none, it has one row.
SELECT
    c.header AS header,
    c.token AS token,
    c.built AS built
FROM copy_state AS c;

-- name: begin(header, token, built)!
-- Notes what a copy is begun with. Needs: copy_state. Index: none, it has one row.
INSERT INTO copy_state (header, token, built)
VALUES (CAST(:header AS text), CAST(:token AS text), CAST(:built AS bigint));

-- name: change(token, built)!
-- Takes a copy over, and notes whether its indexes are built. Needs: copy_state. Index: none, it has one row.
UPDATE copy_state
SET
    token = CAST(:token AS text),
    built = CAST(:built AS bigint);

-- name: hold(token)!
-- Keeps others from taking the copy over while a chunk is written; counts no row once somebody has.
-- Needs: copy_state. Index: none, it has one row.
UPDATE copy_state
SET token = CAST(:token AS text)
WHERE token = CAST(:token AS text);

-- name: chunks()
-- record_class: Journaled(name: str, chunk: int, number: int, sha256: str)
-- The chunks that have arrived, with their digests in the source. Order: total because
-- name and chunk are the key. Needs: copy_journal. Index: copy_journal_pkey.
SELECT
    j.name AS name,
    j.chunk AS chunk,
    j.number AS number,
    j.sha256 AS sha256
FROM copy_journal AS j
ORDER BY j.name NULLS FIRST, j.chunk NULLS FIRST;

-- name: arrived(name, chunk, number, sha256)*!
-- Notes chunks in the transaction in which their rows arrive. Needs: copy_journal.
-- Index: copy_journal_pkey.
INSERT INTO copy_journal (name, chunk, number, sha256)
VALUES (
    CAST(:name AS text),
    CAST(:chunk AS bigint),
    CAST(:number AS bigint),
    CAST(:sha256 AS text)
);

-- name: clear(name)!
-- Forgets the chunks of a table, in the transaction in which its rows go. Needs: copy_journal.
-- Index: copy_journal_pkey.
DELETE FROM copy_journal
WHERE name = CAST(:name AS text);
