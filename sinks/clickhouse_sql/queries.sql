-- What has to be asked differently here; the other queries stand in common_sql.

-- name: mentions_for_incidents
-- What late linking scores for some incidents together: mentions of $tracks (an empty list: of all)
-- with event_at in [$from_at, $to_at], and whatever has a link of the machine to one of $incidents
-- made when less was known than its number in $versions. Pages by time: $after_at and $after are
-- time and id of the last mention of the page before. The labels are the machine's own, so that the
-- answer is the worker's; link_* are all its links, side by side, none without any.
WITH page AS MATERIALIZED (
    SELECT id, version FROM fct_mention
    WHERE NOT is_erased
        AND ($after_at::timestamp IS NULL OR event_at > $after_at::timestamp
            OR (event_at = $after_at::timestamp AND id > $after::text))
        AND ((event_at >= $from_at::timestamp AND event_at <= $to_at::timestamp
                AND (empty($tracks::text[]) OR @overlaps(tracks, $tracks::text[])))
            OR id IN (SELECT mention_id FROM fct_link
                WHERE incident_id IN (SELECT arrayJoin($incidents::text[]))
                    AND incident_version
                        < transform(incident_id, $incidents::text[], $versions::bigint[], 0)))
    ORDER BY event_at, id
    LIMIT (coalesce($limit::bigint, 2000))
), links AS (
    SELECT o.mention_id, groupArray(o.incident_id) AS link_incidents,
        groupArray(o.state) AS link_states, groupArray(o.p) AS link_ps
    FROM fct_link o JOIN page p ON p.id = o.mention_id AND p.version = o.mention_version
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
-- received, open incidents, open proposals, and its size in bytes.
SELECT m.*, n.*, i.*, b.*
FROM (
    SELECT count(*) AS mentions FROM fct_mention
) m, (
    SELECT max(updated_at) AS written_at, max(seen_at) AS seen_at
    FROM (SELECT updated_at, seen_at FROM fct_mention ORDER BY arrival DESC LIMIT 1000) newest
) n, (
    SELECT count(*) FILTER (WHERE status <> 'proposed') AS incidents_open,
        count(*) FILTER (WHERE status = 'proposed') AS proposals_open
    FROM incident_now
    WHERE status NOT IN ('resolved', 'postmortem', 'dismissed')
        AND NOT (is_proposed AND official_id IS NOT NULL)
) i, (
    SELECT coalesce(sum(total_bytes), 0) AS bytes FROM system.tables
    WHERE database = currentDatabase()
) b;

-- name: mention
-- Instead of the common one: lists of JSON objects in order are made otherwise.
WITH it AS MATERIALIZED (
    SELECT * FROM fct_mention WHERE id = $id::text
), incident AS MATERIALIZED (
    SELECT incident_id, title, status, official_id FROM incident_now
), words AS MATERIALIZED (
    SELECT * FROM @link_now_of(it, fct_link, fct_decision) l
)
SELECT m.*, d.text, d.said_place, d.hashtags, d.label_evidence, d.handle, d.author_id, d.url,
    d.reply_to, d.repost_of, d.quote_of, d.thread,
    l.incident_id, n.title AS incident_title, l.link_state, l.link_p, l.link_by,
    nullIf((SELECT concat('[', arrayStringConcat(groupArray(told), ','), ']') FROM (
        SELECT @json_object('incident', w.incident_id, 'title', s.title, 'status', s.status,
            'state', w.link_state, 'p', w.link_p, 'by', w.link_by, 'evidence', w.evidence) AS told
        FROM words w LEFT JOIN incident s ON s.incident_id = w.incident_id
        ORDER BY w.link_state, w.link_p DESC, w.incident_id
    ) x), '[]') AS links,
    nullIf((SELECT concat('[', arrayStringConcat(groupArray(told), ','), ']') FROM (
        SELECT @json_object('id', c.decision_id, 'verb', c.verb, 'value', c.value,
            'by', c.decided_by, 'at', @rfc3339(c.decided_at)) AS told
        FROM fct_decision c WHERE c.subject = $id::text
        ORDER BY c.decided_at DESC, c.decision_id DESC
    ) x), '[]') AS decisions
FROM @mention_now_of(it, it) m
LEFT JOIN (
    SELECT mention_id, text, said_place, hashtags, label_evidence, handle, author_id, url, reply_to,
        repost_of, quote_of, thread
    FROM mention_private WHERE mention_id = $id::text
) d ON d.mention_id = m.id AND NOT m.is_removed
LEFT JOIN (
    SELECT mention_id, incident_id, link_state, link_p, link_by FROM @best_link_of(words, incident) b
) l ON l.mention_id = m.id
LEFT JOIN incident n ON n.incident_id = l.incident_id;
