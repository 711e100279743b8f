-- What the server tells of the transaction that asks.

-- name: changes(relation)$
-- record_class: Changes(changes: int | None)
-- How many rows of a table the transaction has changed so far, for the tally of a load, which SQLite
-- counts as it writes. NULL where the server was told not to count, or the table is in parts.
-- Index: none, the server keeps the count by the table's number.
SELECT pg_stat_get_xact_tuples_updated(c.oid) AS changes
FROM pg_class AS c
WHERE
    c.oid = CAST(CAST(:relation AS text) AS regclass)
    AND c.relkind = 'r'
    AND current_setting('track_counts') = 'on'
UNION ALL
SELECT NULL AS changes
LIMIT 1;
