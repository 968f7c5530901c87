-- What has to be asked differently here; the other queries stand in common_sql.

-- name: mentions_for_incidents
-- What late linking scores for some incidents together: mentions of $tracks (an empty list: of all)
-- with event_at in [$from_at, $to_at], and whatever has a link of the machine to one of $incidents
-- made when less was known than its number in $versions. Pages by time: $after_at and $after are
-- time and id of the last mention of the page before. The labels are the machine's own, so that the
-- answer is the worker's; link_* are all its links, side by side, NULL without any.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest($incidents::text[], $versions::bigint[]) AS a(incident_id, version)
), older AS MATERIALIZED (
    SELECT l.mention_id, l.mention_version
    FROM fct_link l JOIN asked a ON a.incident_id = l.incident_id
    WHERE l.incident_version < a.version
), picked AS (
    SELECT id, version, event_at FROM fct_mention
    WHERE NOT is_erased AND event_at >= $from_at::timestamp AND event_at <= $to_at::timestamp
        AND (cardinality($tracks::text[]) = 0 OR tracks && $tracks::text[])
    UNION
    SELECT m.id, m.version, m.event_at FROM older o
    JOIN fct_mention m ON m.id = o.mention_id AND m.version = o.mention_version
    WHERE NOT m.is_erased
), page AS MATERIALIZED (
    SELECT * FROM picked
    WHERE $after_at::timestamp IS NULL OR event_at > $after_at::timestamp
        OR (event_at = $after_at::timestamp AND id > $after::text)
    ORDER BY event_at, id
    LIMIT (coalesce($limit::bigint, 2000))
), links AS (
    SELECT o.mention_id, array_agg(o.incident_id) AS link_incidents,
        array_agg(o.state) AS link_states, array_agg(o.p) AS link_ps
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
@private_of(m, w)
LEFT JOIN links l ON l.mention_id = m.id
ORDER BY m.event_at, m.id;

-- name: standing
-- How the warehouse stands, cheap enough for every minute: mentions (beyond 100,000 as the server
-- estimates them), when the newest was written and received, open incidents, open proposals, and its
-- size in bytes.
SELECT m.*, n.*, i.*, pg_database_size(current_database()) AS bytes
FROM (
    SELECT CASE WHEN reltuples < 100000 THEN (SELECT count(*) FROM fct_mention)
        ELSE reltuples::bigint END AS mentions
    FROM pg_class WHERE oid = 'fct_mention'::regclass
) m, (
    SELECT max(updated_at) AS written_at, max(seen_at) AS seen_at
    FROM (SELECT updated_at, seen_at FROM fct_mention ORDER BY arrival DESC LIMIT 1000) newest
) n, (
    SELECT count(*) FILTER (WHERE status <> 'proposed') AS incidents_open,
        count(*) FILTER (WHERE status = 'proposed') AS proposals_open
    FROM incident_now
    WHERE status NOT IN ('resolved', 'postmortem', 'dismissed')
        AND NOT (is_proposed AND official_id IS NOT NULL)
) i;

-- name: is_known
-- Instead of looking for a mention in every part: where its day stands.
SELECT 1 AS one WHERE EXISTS (SELECT 1 FROM fct_mention WHERE id = $id::text AND NOT is_erased)
    OR EXISTS (SELECT 1 FROM mention_private WHERE author_id = $id::text);

-- name: sources_and_tracks
-- Instead of reading all mentions: an id begins with its source, so its index tells them one after the
-- other; tracks and intents as they were rolled up, and those of what was written since.
WITH RECURSIVE source AS (
    SELECT split_part(min(id), ':', 1) AS name FROM fct_mention
    UNION ALL
    -- The ids after all of this source: ';' comes next after ':'.
    SELECT (SELECT split_part(min(m.id), ':', 1) FROM fct_mention m WHERE m.id > s.name || ';')
    FROM source s WHERE s.name IS NOT NULL
), told AS MATERIALIZED (
    SELECT DISTINCT track, intent FROM agg_mentions_hourly
    UNION
    SELECT @each_or_none(tracks), intent FROM fct_mention
    WHERE arrival > (SELECT arrival FROM rollup)
)
SELECT 'source' AS kind, name FROM source WHERE name IS NOT NULL
UNION ALL
SELECT DISTINCT 'track', track FROM told WHERE track IS NOT NULL
UNION ALL
SELECT DISTINCT 'intent', intent FROM told WHERE intent IS NOT NULL
ORDER BY 1, 2;
