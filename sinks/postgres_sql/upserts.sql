-- Writers come one after the other, and words stand by day; the other writes stand in common_sql.

-- name: lock
-- Makes this the one writer until the commit; gives the last arrival and whether anything was removed.
UPDATE state SET revision = revision + 1
RETURNING arrival, EXISTS (SELECT 1 FROM fct_removal) AS has_removals;

-- name: arrived
-- Notes the last arrival number given.
UPDATE state SET arrival = $arrival::bigint;

-- name: mention_private
-- Instead of one table: the part of the day under which the mention was first written.
INSERT INTO mention_private (mention_id, day, version, model, text, said_place, hashtags,
    label_evidence, author_id, handle, url, reply_to, repost_of, quote_of, thread, mentions, links)
SELECT n.mention_id, m.day, n.version, n.model, n.text, n.said_place, n.hashtags, n.label_evidence,
    n.author_id, n.handle, n.url, n.reply_to, n.repost_of, n.quote_of, n.thread, n.mentions, n.links
FROM new_mention_private n JOIN fct_mention m ON m.id = n.mention_id
ON CONFLICT (mention_id, day) DO UPDATE SET
    version = excluded.version, model = excluded.model, text = excluded.text,
    said_place = excluded.said_place, hashtags = excluded.hashtags,
    label_evidence = excluded.label_evidence, author_id = excluded.author_id,
    handle = excluded.handle, url = excluded.url, reply_to = excluded.reply_to,
    repost_of = excluded.repost_of, quote_of = excluded.quote_of, thread = excluded.thread,
    mentions = excluded.mentions, links = excluded.links
WHERE (excluded.version, excluded.model) > (mention_private.version, mention_private.model);

-- name: erase_private
-- Instead of all days: those of these mentions. Notes which parts hold their bytes still.
WITH gone AS (
    DELETE FROM mention_private
    WHERE mention_id = ANY ($id::text[])
        AND day = ANY (ARRAY(SELECT DISTINCT day FROM fct_mention WHERE id = ANY ($id::text[])))
    RETURNING tableoid
)
INSERT INTO due_part
SELECT c.relname, now() FROM pg_class c WHERE c.oid IN (SELECT tableoid FROM gone)
ON CONFLICT (part) DO NOTHING;

-- name: erase_evidence
-- Instead of emptying what is empty, notes that the bytes are still there.
WITH gone AS (
    UPDATE fct_link SET evidence = NULL
    WHERE mention_id = ANY ($id::text[]) AND evidence IS NOT NULL
    RETURNING tableoid
)
INSERT INTO due_part
SELECT c.relname, now() FROM pg_class c WHERE c.oid IN (SELECT tableoid FROM gone)
ON CONFLICT (part) DO NOTHING;
