-- What naming anew reads back (groundswell relabel).

-- name: mentions_held
-- Whole mentions, oldest first, that a model older than $before named (but not the model $besides),
-- said from $since on. Pages by time: $after_at and $after are time and id of the last mention of the page before. Without what was
-- erased; what is only hidden may be shown again, so it keeps up.
SELECT m.id, m.source, m.kind, d.text, m.lang, d.said_place, d.hashtags, m.rating, m.engagement,
    m.said_at, m.event_at, m.seen_at, m.tracks, m.version, m.model, m.repeat_kind, m.repeat_of,
    m.repeat_group, m.intent, m.topic, m.severity, m.sentiment, m.informative, m.noise, m.language,
    m.component, m.place, m.app_version, m.app_version_p, d.author_id, d.handle, d.url, d.reply_to,
    d.repost_of, d.quote_of, d.thread, d.mentions, d.links
FROM (
    SELECT * FROM fct_mention
    WHERE NOT is_erased AND model < $before::text
        AND ($besides::text IS NULL OR model <> $besides::text)
        AND ($since::timestamp IS NULL OR event_at >= $since::timestamp)
        AND ($after_at::timestamp IS NULL OR event_at > $after_at::timestamp
            OR (event_at = $after_at::timestamp AND id > $after::text))
    ORDER BY event_at, id
    LIMIT (coalesce($limit::bigint, 1000))
) m
@private_of(m, d)
ORDER BY m.event_at, m.id;

-- name: newest_model
-- The newest name of a model whose labels are held, NULL without any.
SELECT max(model) AS model FROM fct_mention;
