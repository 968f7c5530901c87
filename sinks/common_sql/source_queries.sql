-- What sources ask of the warehouse, and who is asked to forget.

-- name: erased_of
-- Which of the keyed hashes $ids are known to be erased, as mentions or authors (scope), and up to
-- when.
SELECT subject, scope, asked_at FROM fct_removal
WHERE kind = 'erased' AND subject IN (SELECT unnest($ids::text[]));

-- name: handles_of
-- The handles under which the mention $id, or the author $id (both with their source), is kept.
SELECT handle FROM mention_private WHERE mention_id = $id::text AND handle IS NOT NULL
UNION
SELECT handle FROM mention_private WHERE author_id = $id::text AND handle IS NOT NULL
ORDER BY handle;

-- name: held_posts
-- Ids of the mentions of $source that happened at or after $since and are still here, in the order
-- of their ids after $after, so many at most.
SELECT id FROM fct_mention
WHERE source = $source::text AND event_at >= $since::timestamp AND id > $after::text
    AND NOT is_erased
ORDER BY id LIMIT (coalesce($limit::bigint, 100));

-- name: held_first
-- Those of them that people see: linked to an incident by us or by somebody, or from $shown on,
-- as the live page shows them.
SELECT id FROM fct_mention
WHERE source = $source::text AND event_at >= $since::timestamp AND id > $after::text
    AND NOT is_erased
    AND (event_at >= $shown::timestamp
        OR id IN (SELECT mention_id FROM fct_link WHERE state <> 'unlinked')
        OR id IN (SELECT subject FROM fct_decision WHERE verb = 'link'))
ORDER BY id LIMIT (coalesce($limit::bigint, 100));

-- name: held_kinds
-- Of which platforms and kinds anything is held that has words.
SELECT DISTINCT source, kind FROM fct_mention WHERE NOT is_erased ORDER BY source, kind;

-- name: expired_posts
-- Ids of the mentions of $source and $kind that happened before $before and are still here, so many
-- at most.
SELECT id FROM fct_mention
WHERE source = $source::text AND kind = $kind::text AND event_at < $before::timestamp
    AND NOT is_erased
ORDER BY id LIMIT (coalesce($limit::bigint, 100));
