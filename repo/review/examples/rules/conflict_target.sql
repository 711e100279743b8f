-- conflict-target: the bad ones break this rule, the good ones break none.

-- name: bad_1(a)!
-- Index: none.
INSERT INTO app (a)
VALUES (CAST(:a AS text))
ON CONFLICT DO NOTHING;

-- name: good_1(a)!
-- Index: none.
INSERT INTO app (a)
VALUES (CAST(:a AS text))
ON CONFLICT (a) DO NOTHING;
