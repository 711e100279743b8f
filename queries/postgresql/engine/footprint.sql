-- What the transaction that asks has done to the tables of the current schema.

-- name: tables()
-- record_class: TableState(name: str, file: int, rows: int, indexed: int, scans: int, written: int, locks: str | None)
-- Each table with the number of the file that its rows are in, which changes when it is written anew, the
-- rows that it had when it was last counted, and the bytes of its indexes; how often the transaction has read it
-- whole, how many rows it has written, and the locks that it holds on it, the strongest first: for smdi review.
-- Index: none, the catalogue is small.
SELECT
    c.relname AS name,
    CAST(pg_relation_filenode(c.oid) AS bigint) AS file,
    CAST(CASE WHEN c.reltuples > 0 THEN c.reltuples ELSE 0 END AS bigint) AS rows,
    CAST(COALESCE((
        SELECT SUM(pg_relation_size(i.indexrelid))
        FROM pg_index AS i
        WHERE i.indrelid = c.oid
    ), 0) AS bigint) AS indexed,
    COALESCE(pg_stat_get_xact_numscans(c.oid), 0) AS scans,
    COALESCE(
        pg_stat_get_xact_tuples_inserted(c.oid)
        + pg_stat_get_xact_tuples_updated(c.oid)
        + pg_stat_get_xact_tuples_deleted(c.oid),
        0
    ) AS written,
    (
        SELECT
            STRING_AGG(
                l.mode,
                ' '
                ORDER BY
                    CASE l.mode
                        WHEN 'AccessExclusiveLock' THEN 1
                        WHEN 'ExclusiveLock' THEN 2
                        WHEN 'ShareRowExclusiveLock' THEN 3
                        WHEN 'ShareLock' THEN 4
                        WHEN 'ShareUpdateExclusiveLock' THEN 5
                        WHEN 'RowExclusiveLock' THEN 6
                        WHEN 'RowShareLock' THEN 7
                        ELSE 8
                    END ASC
            )
        FROM pg_locks AS l
        WHERE l.pid = pg_backend_pid() AND l.relation = c.oid AND l.granted
    ) AS locks
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind = 'r'
ORDER BY c.relname ASC;
