-- The parts of mention_private and fct_link (see sinks/postgres_parts.py).

-- name: parts
-- Every part: the table it belongs to, its bounds, and how many rows it has, about.
SELECT c.relname::text AS name, p.relname::text AS whole, pg_get_expr(c.relpartbound, c.oid) AS bounds,
    greatest(c.reltuples, 0)::bigint AS rows
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_class p ON p.oid = i.inhparent
WHERE p.oid IN ('mention_private'::regclass, 'fct_link'::regclass)
ORDER BY 1;

-- name: wordy_columns
-- The columns of which the server keeps no examples.
SELECT attname::text AS name FROM pg_attribute
WHERE attrelid = $whole::text::regclass AND attnum > 0 AND NOT attisdropped AND attstattarget = 0
ORDER BY attnum;

-- name: days_wanted
-- The days under which the words of a batch stand, or will.
SELECT DISTINCT m.day FROM new_mention_private n JOIN fct_mention m ON m.id = n.mention_id;

-- name: due
-- Parts with bytes of what was erased.
SELECT part FROM due_part ORDER BY part;

-- name: written_anew
-- What was due is done.
DELETE FROM due_part WHERE part = ANY ($parts::text[]);

-- name: hold
-- Keeps writers waiting until the commit.
SELECT revision FROM state FOR UPDATE;
