-- What is looked up by the index, instead of joins that would read the whole table: $held stands for
-- the keys as constants. See duckdb_write.py.

-- name: fct_mention_replaced
-- Of mentions that may be there already the rows to insert: those that are not, and those that replace
-- what is held.
SELECT b.* REPLACE (
        CASE WHEN @is_newer_mention(b, m) THEN greatest(b.valid_from, m.valid_from)
            ELSE coalesce(m.valid_from, b.valid_from) END AS valid_from),
    CASE WHEN m.id IS NOT NULL THEN @left_at(b, m) END AS left_at,
    CASE WHEN m.id IS NOT NULL THEN @left_groups(b, m) END AS left_groups,
    m.id IS NOT NULL AS is_held, coalesce(@is_newer_mention(b, m), FALSE) AS is_newer
FROM batch b LEFT JOIN (
    SELECT id, version, model, seen_at, event_at, valid_from, repeat_group, left_at, left_groups
    FROM fct_mention WHERE id IN ($held)
) m ON m.id = b.id
WHERE m.id IS NULL OR @is_newer_mention(b, m)
    OR (b.version = m.version AND b.model = m.model AND b.seen_at < m.seen_at);

-- name: fct_mention_put
-- All rows to insert.
INSERT INTO fct_mention BY NAME SELECT *, repeat_group <> id AS is_repeat FROM batch;

-- name: fct_mention_past
-- Instead of reading the whole table: what they supersede, before they do.
INSERT INTO fct_mention_version BY NAME
SELECT m.* EXCLUDE (valid_from, arrival), m.valid_from, b.valid_from AS valid_to, b.arrival
FROM (
    SELECT id, version, model, @believed(), valid_from, arrival
    FROM fct_mention WHERE id IN ($held)
) m JOIN batch b ON b.id = m.id
WHERE @is_newer_mention(b, m);

-- name: fct_mention_gone
-- Makes room for them.
DELETE FROM fct_mention WHERE id IN ($held);

-- name: mention_private_gone
-- Makes room for newer words.
DELETE FROM mention_private WHERE mention_id IN ($held);

-- name: erased_among
-- Instead of the common one.
SELECT id FROM fct_mention WHERE id IN ($held) AND is_erased;
