-- What analysts join to the facts: dimensions, the official word by itself, people's decisions, and how
-- complete each hour is. All of these but those named coverage_* are stable: columns may be added, never
-- renamed or taken away.

-- name: decisions
-- What people settled. id is the mention's for relabel, link and unlink; incident_id the incident that
-- it is about; head and name what was said for relabel; into_id where a merged incident went.
CREATE VIEW decisions AS
SELECT decision_id, verb,
    CASE WHEN verb IN ('relabel', 'link', 'unlink') THEN subject END AS id,
    CASE WHEN verb IN ('link', 'unlink') THEN value
        WHEN verb IN ('accept', 'dismiss', 'merge') THEN subject END AS incident_id,
    CASE WHEN verb = 'relabel' THEN split_part(value, '=', 1) END AS head,
    CASE WHEN verb = 'relabel' THEN substring(value FROM position('=' IN value) + 1) END AS name,
    CASE WHEN verb = 'merge' THEN value END AS into_id,
    decided_by, decided_at
FROM fct_decision;

-- name: fct_incident_update
-- A row per word of the official channel on an incident. id is made of the incident's and the tool's
-- own, or of the time where the tool has none, and stays when others come.
CREATE VIEW fct_incident_update AS
SELECT CASE WHEN twin = 1 THEN told_id ELSE concat(told_id, '.', CAST(twin AS text)) END AS id,
    incident_id, status, body, display_at, number
FROM (
    SELECT concat(incident_id, '#', coalesce(own_id, CAST(display_at AS text))) AS told_id,
        incident_id, status, body, display_at,
        row_number() OVER (PARTITION BY incident_id ORDER BY display_at, own_id, status, body) AS number,
        row_number() OVER (PARTITION BY incident_id, coalesce(own_id, CAST(display_at AS text))
            ORDER BY display_at, status, body) AS twin
    FROM (
        SELECT incident_id, @json_text(told, 'id') AS own_id,
            nullif(@json_text(told, 'status'), '') AS status, @json_text(told, 'body') AS body,
            CAST(@json_text(told, 'display_at') AS timestamp) AS display_at
        FROM (
            SELECT incident_id, @json_items(updates) AS told FROM dim_incident WHERE NOT is_proposed
        ) u
    ) t
) n;

-- name: fct_proposal
-- A row per proposal of ours with what became of it. outcome: official (an official incident took it
-- over), merged, accepted, dismissed (by people), over (nobody settled it and it ended), open.
CREATE VIEW fct_proposal AS
SELECT i.incident_id, i.track, i.topic, i.title, i.started_at, i.opened_at AS proposed_at,
    CASE
        WHEN w.verb = 'dismiss' THEN 'dismissed'
        WHEN w.verb = 'merge' THEN 'merged'
        WHEN i.official_id IS NOT NULL THEN 'official'
        WHEN w.verb = 'accept' THEN 'accepted'
        WHEN i.status IN ('resolved', 'postmortem') THEN 'over'
        ELSE 'open'
    END AS outcome,
    i.official_id, d.lead_seconds, i.resolved_at, p.decided_at, p.decided_by,
    i.told_witnesses AS witnesses_then
FROM incident_now i
LEFT JOIN incident_word w ON w.incident_id = i.incident_id
LEFT JOIN (
    SELECT subject, verb, value, decided_at, decided_by,
        row_number() OVER (PARTITION BY subject ORDER BY decided_at DESC, decision_id DESC) AS latest
    FROM fct_decision WHERE verb IN ('accept', 'dismiss', 'merge')
) p ON p.subject = i.incident_id AND p.latest = 1
LEFT JOIN incident_lead d ON d.incident_id = i.official_id
WHERE i.is_proposed;

-- name: dim_author
-- A row per author who is known, by keyed hash only: nobody can tell the account from it, and an
-- erased author stands under another one.
CREATE VIEW dim_author AS
SELECT author_key, min(source) AS source, min(event_at) AS first_seen_at,
    max(event_at) AS last_seen_at, count(*) AS mentions,
    count(*) FILTER (WHERE is_hidden OR is_erased) AS removed
FROM fct_mention WHERE author_key IS NOT NULL GROUP BY author_key;

-- name: dim_source
-- A row per platform with mentions and per source that was read, tools of incidents among them.
CREATE VIEW dim_source AS
SELECT s.source, coalesce(m.mentions, 0) AS mentions, coalesce(m.authors, 0) AS authors,
    m.first_seen_at, m.last_seen_at, c.read_from_at, c.read_to_at, c.blind_to_at
FROM (SELECT source FROM fct_mention UNION SELECT source FROM fct_coverage) s
LEFT JOIN (
    SELECT source, count(*) AS mentions, count(DISTINCT author_key) AS authors,
        min(event_at) AS first_seen_at, max(event_at) AS last_seen_at
    FROM fct_mention GROUP BY source
) m ON m.source = s.source
LEFT JOIN (
    SELECT source, min(from_at) FILTER (WHERE NOT is_gap) AS read_from_at,
        max(to_at) FILTER (WHERE NOT is_gap) AS read_to_at,
        max(to_at) FILTER (WHERE is_gap) AS blind_to_at
    FROM fct_coverage GROUP BY source
) c ON c.source = s.source;

-- name: dim_track
-- A row per track that a mention matches or an incident is about.
CREATE VIEW dim_track AS
SELECT t.track, coalesce(m.mentions, 0) AS mentions, m.first_seen_at, m.last_seen_at,
    coalesce(i.incidents, 0) AS incidents, coalesce(i.proposals, 0) AS proposals
FROM (
    SELECT track FROM mention_tracks UNION SELECT unnest(tracks) AS track FROM dim_incident
    UNION SELECT track FROM fct_coverage WHERE track <> ''
) t
LEFT JOIN (
    SELECT track, count(*) AS mentions, min(event_at) AS first_seen_at,
        max(event_at) AS last_seen_at
    FROM (SELECT unnest(tracks) AS track, event_at FROM fct_mention) each_one
    GROUP BY track
) m ON m.track = t.track
LEFT JOIN (
    SELECT track, count(*) FILTER (WHERE NOT is_proposed) AS incidents,
        count(*) FILTER (WHERE is_proposed) AS proposals
    FROM (SELECT unnest(tracks) AS track, is_proposed FROM dim_incident) each_one
    GROUP BY track
) i ON i.track = t.track;

-- name: dim_component
-- A row per part of a service that mentions or incidents name, as they name it.
CREATE VIEW dim_component AS
SELECT component, CAST(sum(mentions) AS bigint) AS mentions, CAST(sum(incidents) AS bigint) AS incidents,
    sum(incidents) > 0 AS is_official
FROM (
    SELECT component, count(*) AS mentions, 0 AS incidents FROM mention_now
    WHERE component IS NOT NULL GROUP BY component
    UNION ALL
    SELECT component, 0, count(*)
    FROM (SELECT unnest(components) AS component FROM dim_incident WHERE NOT is_proposed) i
    GROUP BY component
) c
GROUP BY component;

-- name: dim_region
-- A row per place that mentions name, and per region that incidents name, as they name it.
CREATE VIEW dim_region AS
SELECT region, CAST(sum(mentions) AS bigint) AS mentions, CAST(sum(incidents) AS bigint) AS incidents,
    sum(incidents) > 0 AS is_official
FROM (
    SELECT place AS region, count(*) AS mentions, 0 AS incidents FROM mention_now
    WHERE place IS NOT NULL GROUP BY place
    UNION ALL
    SELECT region, 0, count(*)
    FROM (SELECT unnest(regions) AS region FROM dim_incident WHERE NOT is_proposed) i
    GROUP BY region
) r
GROUP BY region;

-- name: dim_date
-- A row per day (UTC) from the first of which anything is held to the last; weeks are ISO's.
CREATE VIEW dim_date AS
SELECT CAST(day AS date) AS date_day, @part(year, day) AS year, @part(quarter, day) AS quarter,
    @part(month, day) AS month, @part(week, day) AS week, @part(day, day) AS day_of_month,
    @part(isodow, day) AS day_of_week, @part(isodow, day) >= 6 AS is_weekend
FROM (
    SELECT @series(first_at, last_at, day) AS day
    FROM (
        SELECT min(first_at) AS first_at, max(last_at) AS last_at
        FROM (
            SELECT min(event_at) AS first_at, max(event_at) AS last_at FROM fct_mention
            UNION ALL
            SELECT least(min(started_at), min(opened_at)),
                greatest(max(opened_at), max(started_at), max(resolved_at))
            FROM dim_incident
            UNION ALL
            SELECT min(from_at), max(to_at) FROM fct_coverage
        ) ends
    ) span
    WHERE first_at IS NOT NULL
) days;

-- name: coverage_gap
-- Gaps by source and track. One of a whole source ('') is one of each track that it was read by, too, if
-- it began while that was read.
CREATE VIEW coverage_gap AS
SELECT * FROM @coverage_gap_of(fct_coverage, fct_coverage) g;

-- name: coverage_span
-- Coverage by source and track ('' for all), with spans that meet or overlap made one: what was told
-- at all (kind told), and what was blind (kind blind).
CREATE VIEW coverage_span AS
SELECT * FROM @coverage_span_of(fct_coverage, coverage_gap) s;

-- name: coverage_piece
-- The spans cut by the hour (told and blind in ms, whole numbers so that their sums are the same in any
-- order), the causes of gaps beside them, and a piece of no length for each hour from the first to the
-- last of a source and track, so that none is missing.
CREATE VIEW coverage_piece AS
SELECT source, track, hour, CAST(NULL AS text) AS cause,
    CASE WHEN kind = 'told' THEN CAST(1000 * @seconds(least(to_at, hour + INTERVAL '1 hour'),
        greatest(from_at, hour)) AS bigint) ELSE 0 END AS told,
    CASE WHEN kind = 'blind' THEN CAST(1000 * @seconds(least(to_at, hour + INTERVAL '1 hour'),
        greatest(from_at, hour)) AS bigint) ELSE 0 END AS blind
FROM (
    SELECT kind, source, track, from_at, to_at,
        @series(from_at, to_at - INTERVAL '1 microsecond', hour) AS hour
    FROM coverage_span
) cut
UNION ALL
SELECT source, track, @series(from_at, to_at - INTERVAL '1 microsecond', hour) AS hour, cause, 0, 0
FROM coverage_gap
UNION ALL
SELECT source, track, @series(from_at, to_at - INTERVAL '1 microsecond', hour) AS hour, NULL, 0, 0
FROM (
    SELECT source, track, min(from_at) AS from_at, max(to_at) AS to_at FROM coverage_span
    GROUP BY source, track
) whole;

-- name: completeness
-- How complete what is held of each hour is: a row per source, track (NULL: all that it reads) and
-- hour, from the first that was read to the last. What is neither read nor blind nobody told yet.
-- share: of the hour, 0 to 1; causes: of the gaps, in one text. Joins by hour to mentions_hourly; an
-- hour without a row was not read at all.
CREATE VIEW completeness AS
SELECT source, track, hour, CAST(told - blind AS double precision) / 1000 AS seconds_read,
    CAST(blind AS double precision) / 1000 AS seconds_blind, causes,
    blind = 0 AND told >= 3599990 AS is_complete,
    CAST(told - blind AS double precision) / 3600000 AS share
FROM (
    SELECT source, nullif(track, '') AS track, hour, sum(told) AS told, sum(blind) AS blind,
        @joined_set(cause, cause IS NOT NULL) AS causes
    FROM coverage_piece
    GROUP BY source, track, hour
) h
