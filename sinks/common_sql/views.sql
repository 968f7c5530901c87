-- The views. feedback, mention_tracks, incident_feedback, incidents, coverage, mentions_hourly and
-- removals are stable: columns may be added (at the end), never renamed or taken away. The others
-- serve them. A view may stand before another that it reads: they are made in the order needed.

-- name: person_label
-- What people said about a mention, by head: the last word, by (decided at, decision id).
CREATE VIEW person_label AS
SELECT subject AS id,
    @last_of(name, decided_at, decision_id, head = 'intent') AS intent,
    @last_of(name, decided_at, decision_id, head = 'topic') AS topic,
    @last_of(name, decided_at, decision_id, head = 'severity') AS severity,
    @last_of(name, decided_at, decision_id, head = 'sentiment') AS sentiment,
    @last_of(name, decided_at, decision_id, head = 'informative') AS informative,
    @last_of(name, decided_at, decision_id, head = 'noise') AS noise,
    @last_of(name, decided_at, decision_id, head = 'language') AS language,
    @last_of(name, decided_at, decision_id, head = 'component') AS component,
    @last_of(name, decided_at, decision_id, head = 'place') AS place,
    @last_of(name, decided_at, decision_id, head = 'version') AS app_version,
    max(updated_at) AS updated_at
FROM (
    SELECT subject, split_part(value, '=', 1) AS head,
        substring(value FROM position('=' IN value) + 1) AS name,
        decided_at, decision_id, updated_at
    FROM fct_decision WHERE verb = 'relabel'
) said
GROUP BY subject;

-- name: repeated_group
-- The groups that have more than their namesake.
CREATE VIEW repeated_group AS
SELECT DISTINCT repeat_group FROM fct_mention WHERE id <> repeat_group;

-- name: mention_now
-- All mentions as they are to be read now.
CREATE VIEW mention_now AS
SELECT * FROM @mention_now_of(fct_mention, repeated_group) m

-- name: incident_word
-- A person's last word on each incident: accept, dismiss or merge.
CREATE VIEW incident_word AS
SELECT DISTINCT ON (subject) subject AS incident_id, verb, value,
    max(updated_at) OVER (PARTITION BY subject) AS updated_at
FROM fct_decision WHERE verb IN ('accept', 'dismiss', 'merge')
ORDER BY subject, decided_at DESC, decision_id DESC;

-- name: incident_alias
-- Where merged incidents ended up, however many merges away. A circle of merges leads nowhere.
CREATE VIEW incident_alias AS
WITH RECURSIVE merge AS (
    SELECT incident_id, value AS into_id FROM incident_word WHERE verb = 'merge'
), step AS (
    SELECT incident_id, into_id, 1 AS depth FROM merge
    UNION ALL
    SELECT s.incident_id, m.into_id, s.depth + 1
    FROM step s JOIN merge m ON m.incident_id = s.into_id WHERE s.depth < 16
)
SELECT incident_id, into_id FROM step
WHERE into_id NOT IN (SELECT incident_id FROM merge);

-- name: link_now
-- The words that count on all mentions and incidents.
CREATE VIEW link_now AS
SELECT * FROM @link_now_of(fct_mention, fct_link, fct_decision) l

-- name: incident_feedback
-- A row per mention and incident it is linked to or suggested for. link_p is 0 to 1; evidence is a
-- JSON list of {kind, value, weight}; decided_at is a person's time, NULL where the machine linked.
-- Removed mentions are left out: whether one was linked before it went is a matter of chance.
CREATE VIEW incident_feedback AS
SELECT mention_id AS id, incident_id, link_state, link_p, link_by, evidence, decided_at
FROM link_now l WHERE link_state IN ('linked', 'suggested') AND NOT EXISTS (
    SELECT 1 FROM fct_mention m WHERE m.id = l.mention_id AND (m.is_hidden OR m.is_erased));

-- name: incident_now
-- An incident with people's words folded in.
CREATE VIEW incident_now AS
SELECT i.incident_id, i.version, i.title,
    CASE
        WHEN w.verb = 'dismiss' THEN 'dismissed'
        WHEN i.status = 'proposed' AND w.verb = 'merge' THEN coalesce(o.status, 'investigating')
        WHEN i.status = 'proposed' AND w.verb = 'accept' THEN 'investigating'
        ELSE i.status
    END AS status,
    i.impact, @first_word(i.tracks) AS track, i.tracks, i.components, i.regions,
    i.started_at, i.opened_at, i.resolved_at, i.is_proposed,
    CASE WHEN coalesce(w.verb, '') <> 'dismiss'
        THEN coalesce(a.into_id, b.into_id, i.official_id) END AS official_id,
    i.url, i.updates, i.history, greatest(i.updated_at, w.updated_at) AS updated_at,
    @json_text(i.record, 'topic') AS topic,
    CASE WHEN i.is_proposed THEN coalesce(CAST(@json_text(i.record, 'witnesses') AS bigint), 0) ELSE 0 END
        AS told_witnesses,
    i.claims
FROM dim_incident i
LEFT JOIN incident_word w ON w.incident_id = i.incident_id
LEFT JOIN incident_alias a ON a.incident_id = i.incident_id
LEFT JOIN incident_alias b ON b.incident_id = i.official_id
LEFT JOIN dim_incident o ON o.incident_id = a.into_id;

-- name: best_link
-- The one incident to name with each mention.
CREATE VIEW best_link AS
SELECT * FROM @best_link_of(link_now, incident_now) b

-- name: feedback
-- A row per mention: what was said, what we made of it, and the incident it is about. The columns
-- *_p are 0 to 1. Times are UTC. text is NULL once the mention is removed. is_report: it counts as a
-- witness's word; campaign: why the watch set it aside (variants, hashtag, new_accounts).
CREATE VIEW feedback AS
SELECT m.id, source, kind, author_key, w.text, said_at, event_at, seen_at,
    greatest(m.updated_at, l.updated_at) AS updated_at, track, intent, intent_p, topic, severity,
    sentiment, informative = 'yes' AS is_informative, noise = 'yes' AS is_noise, component, place,
    app_version, language, repeat_kind, repeat_of, repeat_group, l.incident_id,
    l.link_state, l.link_p, l.link_by, model_version, is_removed,
    topic_p, severity_p, sentiment_p, informative_p, noise_p, component_p, place_p, app_version_p,
    language_p, intent_sure, is_report, witness, m.version, campaign
FROM mention_now m
LEFT JOIN best_link l ON l.mention_id = m.id
@private_of(m, w) AND NOT m.is_removed;

-- name: mention_tracks
-- A row per mention and track it matches.
CREATE VIEW mention_tracks AS
SELECT id, unnest(tracks) AS track FROM fct_mention;

-- name: incident_lead
-- How many seconds a proposal stood before the official incident that it became was opened.
CREATE VIEW incident_lead AS
SELECT o.incident_id,
    @seconds(o.opened_at, min(p.opened_at)) AS lead_seconds
FROM incident_now p JOIN dim_incident o ON o.incident_id = p.official_id
WHERE p.is_proposed AND NOT o.is_proposed
GROUP BY o.incident_id, o.opened_at;

-- name: incidents
-- A row per incident, official or proposed. lead_seconds: our proposal before the official opening,
-- negative if after, on both rows. Witnesses are distinct authors of linked reports after repeats; of
-- a proposal at least those whose reports it was made from.
CREATE VIEW incidents AS
SELECT i.incident_id, title, status, impact, track, started_at, opened_at, resolved_at, is_proposed,
    official_id, d.lead_seconds, greatest(c.witnesses, told_witnesses) AS witnesses,
    coalesce(c.mentions, 0) AS mentions, tracks, components, regions, url,
    CASE WHEN i.is_proposed THEN greatest(c.first_report_at, i.started_at)
        ELSE c.first_report_at END AS first_report_at, version,
    updated_at, topic
FROM incident_now i
LEFT JOIN incident_count c ON c.incident_id = i.incident_id
LEFT JOIN incident_lead d ON d.incident_id = coalesce(i.official_id, i.incident_id);

-- name: coverage
-- Spans in which a source was read for a track (NULL: for all), and gaps with their cause.
CREATE VIEW coverage AS
SELECT source, nullif(track, '') AS track, from_at, to_at, is_gap, cause FROM fct_coverage;

-- name: spend
-- What reading paid sources has cost, by day (UTC), in the currency of the settings.
CREATE VIEW spend AS SELECT source, day, reads, cost FROM fct_spend;

-- name: removals
-- What was to be hidden, shown again or erased. id is the mention's; a keyed hash for an author, and
-- for a mention that is not here.
CREATE VIEW removals AS
SELECT coalesce(id, subject) AS id, kind, asked_at, done_at, scope FROM fct_removal;

-- name: erasures
-- Receipts of erasures that people asked for: when, why and by whom, in their own words; not of what.
CREATE VIEW erasures AS
SELECT erasure_id, asked_at, done_at, asked_by, reason, requests, mentions, places FROM fct_erasure;
