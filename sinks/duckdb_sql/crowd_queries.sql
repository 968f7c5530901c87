-- What the incident page and its API ask about the crowd.

-- name: incident_crowd
-- The view crowd for the incident $id, in the order of time, with counts over all of it.
WITH it AS MATERIALIZED (
    SELECT * FROM incident_now WHERE incident_id = $id::VARCHAR
), own_links AS MATERIALIZED (
    SELECT * FROM fct_link WHERE incident_id = $id::VARCHAR
        OR incident_id IN (SELECT incident_id FROM incident_alias WHERE into_id = $id::VARCHAR)
), own_decisions AS MATERIALIZED (
    SELECT * FROM fct_decision WHERE verb IN ('link', 'unlink') AND (value = $id::VARCHAR
        OR value IN (SELECT incident_id FROM incident_alias WHERE into_id = $id::VARCHAR))
), own_mentions AS MATERIALIZED (
    SELECT m.* FROM fct_mention m WHERE id IN (
        SELECT mention_id FROM own_links UNION SELECT subject FROM own_decisions)
    UNION
    SELECT m.* FROM fct_mention m JOIN it i
        ON (m.event_at > i.resolved_at AND m.event_at <= i.resolved_at + INTERVAL 1 DAY)
        OR (m.event_at >= i.started_at - INTERVAL 25 HOUR
            AND m.event_at < i.started_at - INTERVAL 1 HOUR)
    WHERE NOT i.is_proposed AND (len(i.tracks) = 0 OR list_has_any(m.tracks, i.tracks))
), words AS MATERIALIZED (
    FROM link_now_of('own_mentions', 'own_links', 'own_decisions')
    WHERE incident_id = $id::VARCHAR
), own_mentions_now AS MATERIALIZED (
    FROM mention_now_of('own_mentions', 'own_mentions')
), said AS MATERIALIZED (
    FROM crowd_said_of('it', 'words', 'own_mentions_now')
), whole AS (
    SELECT count(DISTINCT witness) FILTER (says = 'broken' AND phase = 'after') AS broken_since,
        count(DISTINCT witness) FILTER (says = 'works' AND phase = 'after') AS recovered_since,
        count(DISTINCT witness) FILTER (says = 'works') AS recovered_in_all,
        count(DISTINCT witness) FILTER (says = 'broken') AS witnesses_in_all
    FROM said WHERE phase <> 'before'
)
SELECT c.*, w.broken_since, w.recovered_since, w.recovered_in_all, w.witnesses_in_all
FROM crowd_of('it', 'said') c CROSS JOIN whole w ORDER BY c.hour;

-- name: incident_rumours
-- Rumours in posts of the incident $id, and in posts of its tracks that belong to no incident, from
-- an hour before it began to a day after its end.
WITH it AS MATERIALIZED (
    SELECT * FROM incident_now WHERE incident_id = $id::VARCHAR
), own_mentions AS MATERIALIZED (
    SELECT m.* FROM fct_mention m JOIN it i ON m.event_at >= i.started_at - INTERVAL 1 HOUR
        AND (i.resolved_at IS NULL OR m.event_at <= i.resolved_at + INTERVAL 1 DAY)
    WHERE (len(i.tracks) = 0 OR list_has_any(m.tracks, i.tracks))
        AND contains(m.label_evidence::VARCHAR, '"claim":')
), words AS MATERIALIZED (
    FROM link_now_of('own_mentions', 'fct_link', 'fct_decision')
), own_mentions_now AS MATERIALIZED (
    FROM mention_now_of('own_mentions', 'own_mentions')
)
SELECT claim, sum(mentions)::BIGINT AS mentions, sum(witnesses)::BIGINT AS witnesses,
    min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at
FROM rumour_of('own_mentions_now', 'words') r
WHERE r.incident_id IS NULL OR r.incident_id = $id::VARCHAR
GROUP BY claim ORDER BY witnesses DESC, claim;

-- name: witnesses_hourly
-- Witnesses of reports by hour, track, topic and place from $from_at up to $to_at (excluded), by the
-- machine's labels: what the watch takes for usual when it starts.
SELECT t.track, topic, place, date_trunc('hour', event_at) AS hour,
    count(DISTINCT coalesce(author_key, id)) AS witnesses
FROM fct_mention m,
    (SELECT unnest(CASE WHEN len(m.tracks) = 0 THEN [NULL] ELSE m.tracks END) AS track) t
WHERE event_at >= $from_at::TIMESTAMP AND event_at < $to_at::TIMESTAMP AND intent = 'report'
    AND coalesce(noise, 'no') <> 'yes' AND repeat_kind IN ('original', 'near')
GROUP BY ALL ORDER BY ALL;
