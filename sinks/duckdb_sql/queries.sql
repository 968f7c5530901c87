-- What has to be asked differently here; the other queries stand in common_sql.

-- name: mentions_for_incidents
-- What late linking scores for some incidents together: mentions of $tracks (an empty list: of all)
-- with event_at in [$from_at, $to_at], and whatever has a link of the machine to one of $incidents
-- made when less was known than its number in $versions. Pages by time: $after_at and $after are
-- time and id of the last mention of the page before. The labels are the machine's own, so that the
-- answer is the worker's; link_* are all its links, side by side, NULL without any.
WITH asked AS MATERIALIZED (
    SELECT unnest($incidents::VARCHAR[]) AS incident_id, unnest($versions::BIGINT[]) AS version
), page AS MATERIALIZED (
    -- One pass that keeps the first few; to collect what fits would take memory without bound.
    SELECT id, version FROM fct_mention
    WHERE NOT is_erased AND event_at >= coalesce($after_at::TIMESTAMP, '-infinity'::TIMESTAMP)
        AND ($after_at::TIMESTAMP IS NULL OR event_at > $after_at::TIMESTAMP OR id > $after::VARCHAR)
        AND ((event_at >= $from_at::TIMESTAMP AND event_at <= $to_at::TIMESTAMP
                AND (len($tracks::VARCHAR[]) = 0 OR list_has_any(tracks, $tracks::VARCHAR[])))
            OR id IN (SELECT l.mention_id FROM fct_link l JOIN asked a
                ON a.incident_id = l.incident_id AND l.incident_version < a.version))
    ORDER BY event_at, id
    LIMIT (coalesce($limit::BIGINT, 2000))
), links AS (
    SELECT o.mention_id, list(o.incident_id) AS link_incidents, list(o.state) AS link_states,
        list(o.p) AS link_ps
    FROM fct_link o
    JOIN page p ON p.id = o.mention_id AND p.version = o.mention_version
    GROUP BY o.mention_id
)
SELECT m.id, m.version, m.source, m.kind, w.text, m.lang, w.said_place, m.said_at, m.event_at,
    m.seen_at, m.tracks, w.hashtags, m.model, m.intent, m.topic, m.severity, m.sentiment,
    m.informative, m.noise, m.language, m.component, m.place, m.app_version, l.link_incidents,
    l.link_states, l.link_ps
FROM page p
JOIN fct_mention m ON m.id = p.id
LEFT JOIN mention_private w ON w.mention_id = m.id
LEFT JOIN links l ON l.mention_id = m.id
ORDER BY m.event_at, m.id;

-- name: standing
-- How the warehouse stands, cheap enough for every minute: mentions, when the newest was written and
-- received, open incidents, open proposals. Its size is that of its files: asking DuckDB for it would
-- touch the copy that a snapshot is just being made of.
SELECT m.*, n.*, i.*, 0::bigint AS bytes
FROM (
    SELECT count(*) AS mentions FROM fct_mention
) m, (
    SELECT max(updated_at) AS written_at, max(seen_at) AS seen_at
    FROM (SELECT updated_at, seen_at FROM fct_mention ORDER BY arrival DESC LIMIT 1000)
) n, (
    SELECT count(*) FILTER (status <> 'proposed') AS incidents_open,
        count(*) FILTER (status = 'proposed') AS proposals_open
    FROM incident_now
    WHERE status NOT IN ('resolved', 'postmortem', 'dismissed')
        AND NOT (is_proposed AND official_id IS NOT NULL)
) i;
