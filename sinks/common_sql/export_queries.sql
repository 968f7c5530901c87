-- What is exported: a row per row of the stable views, in the order of their keys. Those with $from_at
-- and $to_at are exported by day of event_at. Texts only with $texts. All columns of the views, in their
-- order; lists as one text, for CSV has none.

-- name: export_mark
-- How far the warehouse has come: the highest arrival number, and the newest time of a write up to it.
SELECT CAST(coalesce(max(arrival), 0) AS bigint) AS watermark, max(updated_at) AS written_at
FROM (
    SELECT max(arrival) AS arrival, max(updated_at) AS updated_at FROM fct_mention
    UNION ALL SELECT max(arrival), max(updated_at) FROM fct_link
    UNION ALL SELECT max(arrival), max(updated_at) FROM fct_campaign
    UNION ALL SELECT max(arrival), max(updated_at) FROM fct_decision
    UNION ALL SELECT max(arrival), max(updated_at) FROM dim_incident
) written;

-- name: export_again
-- A row if numbers up to $watermark were given anew after $written_at, the newest time of a write when
-- that was the highest number: then the warehouse was put back from a backup meanwhile.
SELECT 1 AS one WHERE
    EXISTS (SELECT 1 FROM fct_mention
        WHERE arrival <= $watermark::bigint AND updated_at > $written_at::timestamp)
    OR EXISTS (SELECT 1 FROM fct_link
        WHERE arrival <= $watermark::bigint AND updated_at > $written_at::timestamp)
    OR EXISTS (SELECT 1 FROM fct_campaign
        WHERE arrival <= $watermark::bigint AND updated_at > $written_at::timestamp)
    OR EXISTS (SELECT 1 FROM fct_decision
        WHERE arrival <= $watermark::bigint AND updated_at > $written_at::timestamp)
    OR EXISTS (SELECT 1 FROM dim_incident
        WHERE arrival <= $watermark::bigint AND updated_at > $written_at::timestamp);

-- name: export_schema
-- The number of the last migration.
SELECT value AS version FROM meta WHERE key = 'schema';

-- name: export_tombstones
-- Mentions that were hidden or erased after the arrival number $since and are so now.
SELECT id, CASE WHEN is_erased THEN 'erased' ELSE 'hidden' END AS kind, event_at,
    updated_at AS removed_at
FROM fct_mention WHERE (is_hidden OR is_erased) AND arrival > $since::bigint
ORDER BY id;

-- name: export_days
-- How complete each day is: a row per source, track (NULL: for all) and day.
SELECT day AS date_day, source, nullif(track, '') AS track,
    CAST(sum(told) - sum(blind) AS double precision) / 1000 AS seconds_read,
    CAST(sum(blind) AS double precision) / 1000 AS seconds_blind,
    @joined_set(cause, cause IS NOT NULL) AS causes
FROM (
    SELECT date_trunc('day', hour) AS day, source, track, told, blind, cause FROM coverage_piece
) p
GROUP BY day, source, track ORDER BY day, source, track;

-- name: changed_days
-- Days of event_at of which anything may read otherwise since the arrival number $since (NULL: all
-- days): mentions, links, brigades, people's words on mentions, what became of incidents that they are
-- linked to, heads of repeats; and those that a mention was moved from, which may be empty by now. When
-- an incident's word changes, so may where merged ones end up.
WITH fresh AS MATERIALIZED (
    SELECT id, repeat_group, left_at, left_groups FROM fct_mention
    WHERE arrival > coalesce($since::bigint, -1)
), told AS (
    SELECT incident_id FROM dim_incident WHERE arrival > $since::bigint
    UNION
    SELECT subject FROM fct_decision
    WHERE arrival > $since::bigint AND verb IN ('accept', 'dismiss', 'merge')
    UNION
    SELECT unnest(left_names) FROM fct_decision WHERE arrival > $since::bigint
), incident AS (
    SELECT incident_id FROM told
    UNION
    SELECT incident_id FROM dim_incident WHERE official_id IN (SELECT incident_id FROM told)
    UNION
    SELECT subject FROM fct_decision WHERE verb = 'merge' AND EXISTS (SELECT 1 FROM told)
), touched AS (
    SELECT id FROM fresh
    UNION
    SELECT mention_id FROM fct_link
    WHERE arrival > $since::bigint OR incident_id IN (SELECT incident_id FROM incident)
    UNION
    SELECT mention_id FROM fct_campaign WHERE arrival > $since::bigint
    UNION
    SELECT subject FROM fct_decision
    WHERE arrival > $since::bigint OR value IN (SELECT incident_id FROM incident)
    UNION
    SELECT unnest(left_names) FROM fct_decision WHERE arrival > $since::bigint
), headed AS (
    SELECT repeat_group FROM fresh UNION SELECT unnest(left_groups) FROM fresh
)
SELECT date_trunc('day', m.event_at) AS day FROM fct_mention m
WHERE m.id IN (SELECT id FROM touched) OR m.repeat_group IN (SELECT repeat_group FROM headed)
UNION
SELECT date_trunc('day', event_at) FROM (SELECT unnest(left_at) AS event_at FROM fresh) moved
ORDER BY 1;

-- name: removed_days
-- Days of event_at that mentions have or had that were hidden or erased after the arrival number $since.
SELECT date_trunc('day', event_at) AS day FROM fct_mention
WHERE (is_hidden OR is_erased) AND arrival > $since::bigint
UNION
SELECT date_trunc('day', event_at) FROM (
    SELECT unnest(left_at) AS event_at FROM fct_mention
    WHERE (is_hidden OR is_erased) AND arrival > $since::bigint
) moved
ORDER BY 1;

-- name: export_feedback
-- The view feedback.
SELECT f.id, f.source, f.kind, f.author_key, CASE WHEN $texts::boolean THEN f.text END AS text,
    f.said_at, f.event_at, f.seen_at, f.updated_at, f.track, f.intent, f.intent_p, f.topic,
    f.severity, f.sentiment, f.is_informative, f.is_noise, f.component, f.place, f.app_version,
    f.language, f.repeat_kind, f.repeat_of, f.repeat_group, f.incident_id, f.link_state, f.link_p,
    f.link_by, f.model_version, f.is_removed, f.topic_p, f.severity_p, f.sentiment_p,
    f.informative_p, f.noise_p, f.component_p, f.place_p, f.app_version_p, f.language_p,
    f.intent_sure, f.is_report, f.witness, f.version, f.campaign
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

-- name: export_mention_history
-- The view mention_history, by the day on which the mention stands now.
SELECT id, version, model_version, nullif(array_to_string(tracks, ', '), '') AS tracks, repeat_kind,
    repeat_group,
    intent, intent_p, intent_sure,
    topic, topic_p, topic_sure,
    severity, severity_p, severity_sure,
    sentiment, sentiment_p, sentiment_sure,
    informative, informative_p, informative_sure,
    noise, noise_p, noise_sure,
    language, language_p, language_sure,
    component, component_p, component_sure,
    place, place_p, place_sure,
    app_version, app_version_p, app_version_sure,
    nullif(array_to_string(claims, ', '), '') AS claims, place_in, valid_from, valid_to
FROM mention_history
WHERE id IN (SELECT id FROM fct_mention
    WHERE event_at >= $from_at::timestamp AND event_at < $to_at::timestamp)
ORDER BY id, valid_from, valid_to, version, model_version;

-- name: export_link_history
-- The view link_history, likewise.
SELECT id, incident_id, link_state, link_p, link_by, decided_by, version, model_version,
    incident_version, valid_from, valid_to
FROM link_history
WHERE id IN (SELECT id FROM fct_mention
    WHERE event_at >= $from_at::timestamp AND event_at < $to_at::timestamp)
ORDER BY id, incident_id, valid_from, valid_to, link_by, decided_by;

-- name: export_incident_history
-- The view incident_history.
SELECT incident_id, status, told_status, verb, into_id, decided_by, valid_from, valid_to
FROM incident_history ORDER BY incident_id, valid_from, valid_to;

-- name: export_incident_as_known
-- The view incident_as_known.
SELECT incident_id, version, title, status, told_status, impact, official_id, is_proposed, verb,
    into_id, decided_by, valid_from, valid_to
FROM incident_as_known ORDER BY incident_id, valid_from, valid_to;

-- name: export_incidents
-- The view incidents.
SELECT incident_id, title, status, impact, track, started_at, opened_at, resolved_at, is_proposed,
    official_id, lead_seconds, witnesses, mentions,
    nullif(array_to_string(tracks, ', '), '') AS tracks,
    nullif(array_to_string(components, ', '), '') AS components,
    nullif(array_to_string(regions, ', '), '') AS regions,
    url, first_report_at, version, updated_at, topic
FROM incidents ORDER BY opened_at, incident_id;

-- name: export_crowd
-- The view crowd.
SELECT incident_id, hour, stance, witnesses, recovered, still_broken, normal,
    nullif(array_to_string(unnamed_regions, ', '), '') AS unnamed_regions,
    nullif(array_to_string(unnamed_components, ', '), '') AS unnamed_components,
    nullif(array_to_string(other_tracks, ', '), '') AS other_tracks,
    nullif(array_to_string(other_official, ', '), '') AS other_official
FROM crowd
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
-- The view erasures; who asked and why are people's words.
SELECT erasure_id, asked_at, done_at, CASE WHEN $texts::boolean THEN asked_by END AS asked_by,
    CASE WHEN $texts::boolean THEN reason END AS reason, requests, mentions,
    array_to_string(places, ', ') AS places
FROM erasures
ORDER BY asked_at, erasure_id;

-- name: export_completeness
-- The view completeness.
SELECT source, track, hour, seconds_read, seconds_blind, causes, is_complete, share
FROM completeness ORDER BY hour, source, track;

-- name: export_decisions
-- The view decisions.
SELECT decision_id, verb, id, incident_id, head, name, into_id, decided_by, decided_at
FROM decisions ORDER BY decided_at, decision_id;

-- name: export_fct_incident_update
-- The view fct_incident_update.
SELECT id, incident_id, status, body, display_at, number
FROM fct_incident_update ORDER BY incident_id, number;

-- name: export_fct_proposal
-- The view fct_proposal.
SELECT incident_id, track, topic, title, started_at, proposed_at, outcome, official_id, lead_seconds,
    resolved_at, decided_at, decided_by, witnesses_then
FROM fct_proposal ORDER BY proposed_at, incident_id;

-- name: export_dim_author
-- The view dim_author.
SELECT author_key, source, first_seen_at, last_seen_at, mentions, removed
FROM dim_author ORDER BY author_key;

-- name: export_dim_source
-- The view dim_source.
SELECT source, mentions, authors, first_seen_at, last_seen_at, read_from_at, read_to_at, blind_to_at
FROM dim_source ORDER BY source;

-- name: export_dim_track
-- The view dim_track.
SELECT track, mentions, first_seen_at, last_seen_at, incidents, proposals
FROM dim_track ORDER BY track;

-- name: export_dim_component
-- The view dim_component.
SELECT component, mentions, incidents, is_official FROM dim_component ORDER BY component;

-- name: export_dim_region
-- The view dim_region.
SELECT region, mentions, incidents, is_official FROM dim_region ORDER BY region;

-- name: export_dim_date
-- The view dim_date.
SELECT date_day, year, quarter, month, week, day_of_month, day_of_week, is_weekend
FROM dim_date ORDER BY date_day;
