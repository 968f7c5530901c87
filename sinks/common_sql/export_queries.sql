-- What is exported: a row per row of the stable views, in the order of their keys. Those with $from_at
-- and $to_at are exported by day of event_at. Texts only with $texts.

-- name: changed_days
-- Days of event_at of which anything may read otherwise since $since (NULL: all days): rows written,
-- links, people's words on mentions and on incidents, heads of repeats.
SELECT DISTINCT date_trunc('day', m.event_at) AS day FROM fct_mention m
WHERE $since::timestamp IS NULL OR m.updated_at > $since::timestamp
    OR m.id IN (SELECT mention_id FROM fct_link WHERE updated_at > $since::timestamp)
    OR m.id IN (SELECT subject FROM fct_decision WHERE updated_at > $since::timestamp)
    OR m.id IN (SELECT l.mention_id FROM fct_link l JOIN fct_decision d ON d.subject = l.incident_id
        WHERE d.updated_at > $since::timestamp)
    OR m.repeat_group IN (SELECT repeat_group FROM fct_mention WHERE updated_at > $since::timestamp)
ORDER BY 1;

-- name: export_feedback
-- The view feedback.
SELECT f.id, f.source, f.kind, f.author_key, CASE WHEN $texts::boolean THEN f.text END AS text,
    f.said_at, f.event_at, f.seen_at, f.updated_at, f.track, f.intent, f.intent_p, f.topic,
    f.severity, f.sentiment, f.is_informative, f.is_noise, f.component, f.place, f.app_version,
    f.language, f.repeat_kind, f.repeat_of, f.repeat_group, f.incident_id, f.link_state, f.link_p,
    f.link_by, f.model_version, f.is_removed, f.is_report, f.witness, f.version
FROM feedback f
WHERE f.event_at >= $from_at::timestamp AND f.event_at < $to_at::timestamp
ORDER BY f.event_at, f.id;

-- name: export_mention_tracks
-- The view mention_tracks.
SELECT t.id, t.track FROM mention_tracks t JOIN fct_mention m ON m.id = t.id
WHERE m.event_at >= $from_at::timestamp AND m.event_at < $to_at::timestamp
ORDER BY m.event_at, t.id, t.track;

-- name: export_incident_feedback
-- The view incident_feedback; its reasons quote texts.
SELECT f.id, f.incident_id, f.link_state, f.link_p, f.link_by,
    CASE WHEN $texts::boolean THEN CAST(f.evidence AS text) END AS evidence, f.decided_at
FROM incident_feedback f JOIN fct_mention m ON m.id = f.id
WHERE m.event_at >= $from_at::timestamp AND m.event_at < $to_at::timestamp
ORDER BY m.event_at, f.id, f.incident_id;

-- name: export_incidents
-- The view incidents.
SELECT incident_id, title, status, impact, track, started_at, opened_at, resolved_at, is_proposed,
    official_id, lead_seconds, witnesses, mentions, first_report_at, version, updated_at, topic
FROM incidents ORDER BY opened_at, incident_id;

-- name: export_crowd
-- The view crowd.
SELECT incident_id, hour, stance, witnesses, recovered, still_broken, normal FROM crowd
ORDER BY incident_id, hour;

-- name: export_mentions_hourly
-- The view mentions_hourly.
SELECT track, hour, intent, topic, mentions, witnesses FROM mentions_hourly ORDER BY 2, 1, 3, 4;

-- name: export_coverage
-- The view coverage.
SELECT source, track, from_at, to_at, is_gap, cause FROM coverage ORDER BY 3, 1, 2, 5;

-- name: export_removals
-- The view removals.
SELECT id, kind, asked_at, done_at, scope FROM removals ORDER BY asked_at, id, kind;

-- name: export_rumours
-- The view rumours.
SELECT incident_id, track, claim, mentions, witnesses, first_seen_at, last_seen_at, first_id
FROM rumours ORDER BY 6, 8, 3, 1, 2;

-- name: export_spend
-- The view spend.
SELECT source, day, reads, cost FROM spend ORDER BY day, source;

-- name: export_erasures
-- The view erasures.
SELECT erasure_id, asked_at, done_at, asked_by, reason, requests, mentions,
    array_to_string(places, ', ') AS places
FROM erasures
ORDER BY asked_at, erasure_id;
