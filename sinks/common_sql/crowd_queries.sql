-- What the incident page and its API ask about the crowd.

-- name: incident_crowd
-- The view crowd for the incident $id, in the order of time, with counts over all of it.
WITH it AS MATERIALIZED (
    SELECT * FROM incident_now WHERE incident_id = $id::text
), said AS MATERIALIZED (
    SELECT * FROM @said_of_it() s
), whole AS (
    SELECT count(DISTINCT witness) FILTER (WHERE says = 'broken' AND phase = 'after')
            AS broken_since,
        count(DISTINCT witness) FILTER (WHERE says = 'works' AND phase = 'after')
            AS recovered_since,
        count(DISTINCT witness) FILTER (WHERE says = 'works') AS recovered_in_all,
        count(DISTINCT witness) FILTER (WHERE says = 'broken') AS witnesses_in_all
    FROM said WHERE phase <> 'before'
)
SELECT c.*, w.broken_since, w.recovered_since, w.recovered_in_all, w.witnesses_in_all
FROM @crowd_of(it, said) c CROSS JOIN whole w ORDER BY c.hour;

-- name: incident_since
-- Posts that report the incident $id still broken after its end, earliest first: what is chosen from
-- to be read aloud. At most $limit (200).
WITH earliest AS MATERIALIZED (
    -- The words of these few are looked up, not of all.
    SELECT s.id, s.event_at, s.component, s.place, m.informative, s.witness
    FROM @said_of_it() s
    JOIN fct_mention m ON m.id = s.id
    WHERE s.phase = 'after' AND s.says = 'broken' AND NOT m.is_hidden AND NOT m.is_erased
        AND EXISTS (SELECT 1 FROM dim_incident WHERE incident_id = $id::text)
    ORDER BY s.event_at, s.id
    LIMIT (coalesce($limit::bigint, 200))
)
SELECT e.id, w.text, e.event_at, TRUE AS is_report, 'original' AS repeat_kind, e.component, e.place,
    e.informative, e.witness AS author_key
FROM earliest e
@private_of(e, w)
ORDER BY e.event_at, e.id;

-- name: incident_campaigns
-- What the watch set aside as a brigade's among the posts of the incident $id, and among posts of its
-- tracks that belong to no incident, from an hour before it began to a day after its end: posts and
-- accounts by kind, the most first.
WITH it AS MATERIALIZED (
    SELECT started_at, resolved_at, tracks AS its_tracks FROM incident_now
    WHERE incident_id = $id::text
), own_mentions AS MATERIALIZED (
    SELECT m.* FROM it i JOIN fct_mention m ON m.event_at >= i.started_at - INTERVAL '1 hour'
        AND (i.resolved_at IS NULL OR m.event_at <= i.resolved_at + INTERVAL '1 day')
    WHERE (i.its_tracks = @no_words OR @overlaps(m.tracks, i.its_tracks))
        AND m.id IN (SELECT mention_id FROM fct_campaign)
), own_links AS MATERIALIZED (
    SELECT * FROM fct_link WHERE mention_id IN (SELECT id FROM own_mentions)
), words AS MATERIALIZED (
    SELECT * FROM @link_now_of(own_mentions, own_links, fct_decision) l
), best AS MATERIALIZED (
    SELECT * FROM @best_link_of(words, incident_now) b
), aside AS (
    SELECT m.campaign AS kind, m.witness, m.event_at
    FROM @mention_now_of(own_mentions, own_mentions) m
    LEFT JOIN best l ON l.mention_id = m.id
    WHERE m.campaign IS NOT NULL AND (l.incident_id IS NULL OR l.incident_id = $id::text)
)
SELECT kind, count(*) AS posts, count(DISTINCT witness) AS accounts, min(event_at) AS first_at,
    max(event_at) AS last_at
FROM aside GROUP BY kind ORDER BY posts DESC, kind;

-- name: is_there
-- Which of incident and post has the id $id: a row each, by kind. Removed posts are not there.
SELECT 'incident' AS kind FROM dim_incident WHERE incident_id = $id::text
UNION ALL
SELECT 'post' FROM fct_mention WHERE id = $id::text AND NOT is_hidden AND NOT is_erased;

-- name: incident_rumours
-- Rumours in posts of the incident $id, and in posts of its tracks that belong to no incident, from
-- an hour before it began to a day after its end.
WITH it AS MATERIALIZED (
    SELECT started_at, resolved_at, tracks AS its_tracks FROM incident_now
    WHERE incident_id = $id::text
), own_mentions AS MATERIALIZED (
    SELECT m.* FROM it i JOIN fct_mention m ON m.event_at >= i.started_at - INTERVAL '1 hour'
        AND (i.resolved_at IS NULL OR m.event_at <= i.resolved_at + INTERVAL '1 day')
    WHERE (i.its_tracks = @no_words OR @overlaps(m.tracks, i.its_tracks))
        AND m.claims IS NOT NULL
), own_links AS MATERIALIZED (
    SELECT * FROM fct_link WHERE mention_id IN (SELECT id FROM own_mentions)
), words AS MATERIALIZED (
    SELECT * FROM @link_now_of(own_mentions, own_links, fct_decision) l
), best AS MATERIALIZED (
    SELECT * FROM @best_link_of(words, incident_now) b
), own_mentions_now AS MATERIALIZED (
    SELECT * FROM @mention_now_of(own_mentions, own_mentions) m
)
SELECT claim, CAST(sum(mentions) AS bigint) AS mentions, CAST(sum(witnesses) AS bigint) AS witnesses,
    min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at
FROM @rumour_of(own_mentions_now, best) r
WHERE r.incident_id IS NULL OR r.incident_id = $id::text
GROUP BY claim ORDER BY 3 DESC, 1;

-- name: witnesses_hourly
-- Witnesses of reports by hour, track, topic and place from $from_at up to $to_at (excluded), by the
-- machine's labels: what the watch takes for usual when it starts.
SELECT track, topic, place, date_trunc('hour', event_at) AS hour,
    count(DISTINCT coalesce(author_key, id)) AS witnesses
FROM (
    SELECT id, author_key, event_at, topic, place,
        @each_or_none(tracks) AS track
    FROM fct_mention
    WHERE event_at >= $from_at::timestamp AND event_at < $to_at::timestamp AND intent = 'report'
        AND coalesce(noise, 'no') <> 'yes' AND repeat_kind IN ('original', 'near')
        AND NOT EXISTS (SELECT 1 FROM fct_campaign k
            WHERE k.mention_id = fct_mention.id AND k.mention_version = fct_mention.version)
) m
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
