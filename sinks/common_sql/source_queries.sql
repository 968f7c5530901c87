-- What sources ask of the warehouse.

-- name: held_posts
-- Ids of the mentions of $source that happened at or after $since and are still here, in the order
-- of their ids after $after, so many at most.
SELECT id FROM fct_mention
WHERE source = $source::text AND event_at >= $since::timestamp AND id > $after::text
    AND NOT is_erased
ORDER BY id LIMIT (coalesce($limit::bigint, 100));
