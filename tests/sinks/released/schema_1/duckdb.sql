-- The tables. Times are TIMESTAMP in UTC, without a zone, so that no session's zone can bend them.
-- Tables are ours and may change; the names in views.sql are stable.

-- name: meta
-- Whose file this is and in which form.
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

-- name: fct_mention
-- A row per mention: its newest version with the machine's labels. A person's words stand in fct_decision.
CREATE TABLE fct_mention (
    id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    author_key VARCHAR,          -- keyed hash of the author's id; a token once the author is erased
    text VARCHAR,                -- NULL once erased
    lang VARCHAR,                -- as the platform says; the label is language
    said_place VARCHAR,          -- as the platform says; the label is place
    hashtags VARCHAR[],
    rating DOUBLE,
    engagement JSON,
    said_at TIMESTAMP NOT NULL,
    event_at TIMESTAMP NOT NULL,
    seen_at TIMESTAMP NOT NULL,
    tracks VARCHAR[] NOT NULL,
    version BIGINT NOT NULL,
    model VARCHAR NOT NULL,
    repeat_kind VARCHAR NOT NULL,  -- as claimed on arrival; views name the group's head anew
    repeat_of VARCHAR,
    repeat_group VARCHAR NOT NULL,
    intent VARCHAR, intent_p DOUBLE, intent_sure BOOLEAN,
    topic VARCHAR, topic_p DOUBLE, topic_sure BOOLEAN,
    severity VARCHAR, severity_p DOUBLE, severity_sure BOOLEAN,
    sentiment VARCHAR, sentiment_p DOUBLE, sentiment_sure BOOLEAN,
    informative VARCHAR, informative_p DOUBLE, informative_sure BOOLEAN,
    noise VARCHAR, noise_p DOUBLE, noise_sure BOOLEAN,
    language VARCHAR, language_p DOUBLE, language_sure BOOLEAN,
    component VARCHAR, component_p DOUBLE, component_sure BOOLEAN,
    place VARCHAR, place_p DOUBLE, place_sure BOOLEAN,
    app_version VARCHAR, app_version_p DOUBLE, app_version_sure BOOLEAN,
    label_evidence JSON,         -- by head; NULL once erased
    is_hidden BOOLEAN NOT NULL,
    is_erased BOOLEAN NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    arrival BIGINT NOT NULL      -- grows with every row written; a changed row gets a new one
);

-- name: mention_identity
-- Who and where on the platform: the one table with author ids, handles and addresses. Erasable.
CREATE TABLE mention_identity (
    mention_id VARCHAR PRIMARY KEY,
    version BIGINT NOT NULL,
    author_id VARCHAR,
    handle VARCHAR,
    url VARCHAR,
    reply_to VARCHAR,
    repost_of VARCHAR,
    quote_of VARCHAR,
    thread VARCHAR,
    mentions VARCHAR[],
    links VARCHAR[]
);

-- name: fct_link
-- The machine's last word on a mention and an incident, also that there is no link any more.
CREATE TABLE fct_link (
    mention_id VARCHAR NOT NULL,
    incident_id VARCHAR NOT NULL,
    mention_version BIGINT NOT NULL,
    model VARCHAR NOT NULL,
    incident_version BIGINT NOT NULL,
    state VARCHAR NOT NULL,      -- linked, suggested, unlinked
    p DOUBLE NOT NULL,
    made_by VARCHAR NOT NULL,    -- auto, late
    evidence JSON,               -- NULL once the mention is erased
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (mention_id, incident_id)
);

-- name: dim_incident
-- A row per incident: its newest record, official or proposed by us.
CREATE TABLE dim_incident (
    incident_id VARCHAR PRIMARY KEY,
    version BIGINT NOT NULL,
    title VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    impact VARCHAR NOT NULL,
    components VARCHAR[] NOT NULL,
    regions VARCHAR[] NOT NULL,
    tracks VARCHAR[] NOT NULL,
    url VARCHAR,
    started_at TIMESTAMP NOT NULL,
    opened_at TIMESTAMP NOT NULL,
    resolved_at TIMESTAMP,
    recorded_at TIMESTAMP NOT NULL,
    official_id VARCHAR,
    is_proposed BOOLEAN NOT NULL,
    updates JSON NOT NULL,
    history JSON NOT NULL,
    record JSON NOT NULL,        -- the whole record, from which the book can be made again
    updated_at TIMESTAMP NOT NULL
);

-- name: fct_decision
-- What people settled, each decision once. May stand here before its subject does.
CREATE TABLE fct_decision (
    decision_id VARCHAR PRIMARY KEY,
    subject VARCHAR NOT NULL,
    verb VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    decided_by VARCHAR NOT NULL,
    decided_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

-- name: fct_removal
-- What must not be shown or not come back. The subject is a keyed hash: these are the block rows too.
CREATE TABLE fct_removal (
    subject VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,      -- mention, author
    kind VARCHAR NOT NULL,       -- hidden, shown, erased
    asked_at TIMESTAMP NOT NULL, -- the newest one
    done_at TIMESTAMP NOT NULL,
    id VARCHAR,                  -- the mention's id, once there is such a mention
    PRIMARY KEY (subject, scope, kind)
);

-- name: fct_coverage
-- From when to when a source was read, and gaps; a span that grows keeps its furthest end.
CREATE TABLE fct_coverage (
    source VARCHAR NOT NULL,
    track VARCHAR NOT NULL,      -- '' for all tracks
    from_at TIMESTAMP NOT NULL,
    is_gap BOOLEAN NOT NULL,
    to_at TIMESTAMP NOT NULL,
    cause VARCHAR,
    PRIMARY KEY (source, track, from_at, is_gap)
);

-- The views. feedback, mention_tracks, incident_feedback, incidents, coverage, mentions_hourly and
-- removals are stable: columns may be added, never renamed or taken away. The others serve them.
-- What folds words together is a macro over the name of a relation, so that the page's queries apply
-- the same rules to a few rows instead of filtering the result for all.

-- name: person_label
-- What people said about a mention, by head: the last word, by (decided at, decision id).
CREATE VIEW person_label AS
SELECT subject AS id,
    arg_max(name, said) FILTER (head = 'intent') AS intent,
    arg_max(name, said) FILTER (head = 'topic') AS topic,
    arg_max(name, said) FILTER (head = 'severity') AS severity,
    arg_max(name, said) FILTER (head = 'sentiment') AS sentiment,
    arg_max(name, said) FILTER (head = 'informative') AS informative,
    arg_max(name, said) FILTER (head = 'noise') AS noise,
    arg_max(name, said) FILTER (head = 'language') AS language,
    arg_max(name, said) FILTER (head = 'component') AS component,
    arg_max(name, said) FILTER (head = 'place') AS place,
    arg_max(name, said) FILTER (head = 'version') AS app_version,
    max(updated_at) AS updated_at
FROM (
    SELECT subject, split_part(value, '=', 1) AS head, value[instr(value, '=') + 1:] AS name,
        ROW(decided_at, decision_id) AS said, updated_at
    FROM fct_decision WHERE verb = 'relabel'
)
GROUP BY subject;

-- name: repeated_group
-- The groups that have more than their namesake.
CREATE VIEW repeated_group AS
SELECT DISTINCT repeat_group FROM fct_mention WHERE id <> repeat_group;

-- name: repeat_head_of
-- The earliest mention of each of these groups, whatever arrived first.
CREATE MACRO repeat_head_of(some_groups) AS TABLE
SELECT repeat_group, arg_min(id, ROW(event_at, id)) AS head_id,
    arg_min(repeat_kind, ROW(event_at, id)) AS head_kind
FROM fct_mention
WHERE repeat_group IN (SELECT repeat_group FROM query_table(some_groups))
GROUP BY repeat_group;

-- name: mention_now_of
-- Mentions as they are to be read now: people's words over the machine's, repeats after their head,
-- no text once removed. A witness is an author, or an unknown author's post that is no repost.
CREATE MACRO mention_now_of(some_mentions, some_groups) AS TABLE
SELECT f.*,
    CASE WHEN author_key IS NOT NULL THEN author_key WHEN kind <> 'repost' THEN id END AS witness,
    coalesce(intent = 'report' AND coalesce(noise, 'no') <> 'yes'
        AND repeat_kind IN ('original', 'near'), FALSE) AS is_report
FROM (
    SELECT m.id, m.source, m.kind, m.author_key,
        CASE WHEN m.is_hidden OR m.is_erased THEN NULL ELSE m.text END AS text,
        m.lang, m.said_place, m.said_at, m.event_at, m.seen_at,
        greatest(m.updated_at, p.updated_at) AS updated_at, m.tracks, m.tracks[1] AS track,
        coalesce(p.intent, m.intent) AS intent,
        CASE WHEN p.intent IS NULL THEN m.intent_p ELSE 1 END AS intent_p,
        p.intent IS NOT NULL OR m.intent_sure AS intent_sure,
        coalesce(p.topic, m.topic) AS topic,
        CASE WHEN p.topic IS NULL THEN m.topic_p ELSE 1 END AS topic_p,
        p.topic IS NOT NULL OR m.topic_sure AS topic_sure,
        coalesce(p.severity, m.severity) AS severity,
        CASE WHEN p.severity IS NULL THEN m.severity_p ELSE 1 END AS severity_p,
        p.severity IS NOT NULL OR m.severity_sure AS severity_sure,
        coalesce(p.sentiment, m.sentiment) AS sentiment,
        CASE WHEN p.sentiment IS NULL THEN m.sentiment_p ELSE 1 END AS sentiment_p,
        p.sentiment IS NOT NULL OR m.sentiment_sure AS sentiment_sure,
        coalesce(p.informative, m.informative) AS informative,
        CASE WHEN p.informative IS NULL THEN m.informative_p ELSE 1 END AS informative_p,
        p.informative IS NOT NULL OR m.informative_sure AS informative_sure,
        coalesce(p.noise, m.noise) AS noise,
        CASE WHEN p.noise IS NULL THEN m.noise_p ELSE 1 END AS noise_p,
        p.noise IS NOT NULL OR m.noise_sure AS noise_sure,
        coalesce(p.language, m.language) AS language,
        CASE WHEN p.language IS NULL THEN m.language_p ELSE 1 END AS language_p,
        p.language IS NOT NULL OR m.language_sure AS language_sure,
        coalesce(p.component, m.component) AS component,
        CASE WHEN p.component IS NULL THEN m.component_p ELSE 1 END AS component_p,
        p.component IS NOT NULL OR m.component_sure AS component_sure,
        coalesce(p.place, m.place) AS place,
        CASE WHEN p.place IS NULL THEN m.place_p ELSE 1 END AS place_p,
        p.place IS NOT NULL OR m.place_sure AS place_sure,
        coalesce(p.app_version, m.app_version) AS app_version,
        CASE WHEN p.app_version IS NULL THEN m.app_version_p ELSE 1 END AS app_version_p,
        p.app_version IS NOT NULL OR m.app_version_sure AS app_version_sure,
        CASE
            WHEN h.repeat_group IS NULL OR h.head_id = m.id THEN
                CASE WHEN m.repeat_kind IN ('copy', 'near') THEN 'original' ELSE m.repeat_kind END
            WHEN m.repeat_kind <> 'original' THEN m.repeat_kind
            -- It arrived before the head: it is to the head what the head was said to be to it.
            WHEN h.head_kind IN ('copy', 'near') THEN h.head_kind
            ELSE 'near'
        END AS repeat_kind,
        CASE WHEN h.head_id <> m.id THEN h.head_id END AS repeat_of,
        m.repeat_group, m.label_evidence, m.engagement, m.rating, m.version,
        m.model AS model_version, m.is_hidden OR m.is_erased AS is_removed, m.is_erased, m.arrival
    FROM query_table(some_mentions) m
    LEFT JOIN person_label p ON p.id = m.id
    LEFT JOIN repeat_head_of(some_groups) h ON h.repeat_group = m.repeat_group
) f;

-- name: mention_now
-- All mentions as they are to be read now.
CREATE VIEW mention_now AS FROM mention_now_of('fct_mention', 'repeated_group');

-- name: incident_word
-- A person's last word on each incident: accept, dismiss or merge.
CREATE VIEW incident_word AS
SELECT subject AS incident_id, arg_max(verb, ROW(decided_at, decision_id)) AS verb,
    arg_max(value, ROW(decided_at, decision_id)) AS value, max(updated_at) AS updated_at
FROM fct_decision WHERE verb IN ('accept', 'dismiss', 'merge')
GROUP BY subject;

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

-- name: link_now_of
-- A row per mention and incident with the word that counts: a person's, else the machine's if it was
-- made for the mention's present version and nobody dismissed the incident. Links of a merged
-- incident are its heir's. Also unlinked.
CREATE MACRO link_now_of(some_mentions, some_links, some_decisions) AS TABLE
WITH machine AS (
    SELECT l.mention_id, coalesce(a.into_id, l.incident_id) AS incident_id, l.incident_id AS said_of,
        l.state, l.p, l.made_by, l.evidence, l.updated_at
    FROM query_table(some_links) l
    JOIN query_table(some_mentions) m ON m.id = l.mention_id AND m.version = l.mention_version
    LEFT JOIN incident_alias a ON a.incident_id = l.incident_id
    -- Whether the machine heard of a dismissal before or after it linked must not matter.
    WHERE l.incident_id NOT IN (SELECT incident_id FROM incident_word WHERE verb = 'dismiss')
), single AS (
    SELECT mention_id, incident_id, state, p, made_by, evidence, updated_at FROM machine
    WHERE incident_id NOT IN (SELECT into_id FROM incident_alias)
    UNION ALL
    SELECT mention_id, incident_id, unnest(word), updated_at FROM (
        SELECT mention_id, incident_id,
            arg_max({'state': state, 'p': p, 'made_by': made_by, 'evidence': evidence},
                ROW(state = 'linked', state = 'suggested', p, said_of)) AS word,
            max(updated_at) AS updated_at
        FROM machine WHERE incident_id IN (SELECT into_id FROM incident_alias)
        GROUP BY mention_id, incident_id
    )
), person AS (
    SELECT d.subject AS mention_id, coalesce(a.into_id, d.value) AS incident_id,
        arg_max(d.verb, ROW(d.decided_at, d.decision_id)) AS verb,
        max(d.decided_at) AS decided_at, max(d.updated_at) AS updated_at
    FROM query_table(some_decisions) d
    SEMI JOIN query_table(some_mentions) m ON m.id = d.subject
    LEFT JOIN incident_alias a ON a.incident_id = d.value
    WHERE d.verb IN ('link', 'unlink')
    GROUP BY ALL
)
SELECT mention_id, incident_id,
    CASE p.verb WHEN 'link' THEN 'linked' WHEN 'unlink' THEN 'unlinked' ELSE w.state END
        AS link_state,
    CASE p.verb WHEN 'link' THEN 1 WHEN 'unlink' THEN 0 ELSE w.p END AS link_p,
    CASE WHEN p.verb IS NULL THEN w.made_by ELSE 'person' END AS link_by,
    w.evidence, p.decided_at, greatest(w.updated_at, p.updated_at) AS updated_at
FROM single w FULL JOIN person p USING (mention_id, incident_id);

-- name: link_now
-- The words that count on all mentions and incidents.
CREATE VIEW link_now AS FROM link_now_of('fct_mention', 'fct_link', 'fct_decision');

-- name: incident_feedback
-- A row per mention and incident it is linked to or suggested for. link_p is 0 to 1; evidence is a
-- JSON list of {kind, value, weight}; decided_at is a person's time, NULL where the machine linked.
-- Removed mentions are left out: whether one was linked before it went is a matter of chance.
CREATE VIEW incident_feedback AS
SELECT mention_id AS id, incident_id, link_state, link_p, link_by, evidence, decided_at
FROM link_now WHERE link_state IN ('linked', 'suggested') AND mention_id NOT IN (
    SELECT id FROM fct_mention WHERE is_hidden OR is_erased);

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
    i.impact, i.tracks[1] AS track, i.tracks, i.components, i.regions,
    i.started_at, i.opened_at, i.resolved_at, i.is_proposed,
    CASE WHEN coalesce(w.verb, '') <> 'dismiss' THEN coalesce(a.into_id, i.official_id) END
        AS official_id,
    i.url, i.updates, i.history, greatest(i.updated_at, w.updated_at) AS updated_at,
    i.record ->> 'topic' AS topic,
    CASE WHEN i.is_proposed THEN coalesce(CAST(i.record ->> 'witnesses' AS BIGINT), 0) ELSE 0 END
        AS told_witnesses
FROM dim_incident i
LEFT JOIN incident_word w ON w.incident_id = i.incident_id
LEFT JOIN incident_alias a ON a.incident_id = i.incident_id
LEFT JOIN dim_incident o ON o.incident_id = a.into_id;

-- name: best_link_of
-- The one incident to name with a mention: a person's link first, then linked before suggested, an
-- official incident before a proposal that it took over, then p.
CREATE MACRO best_link_of(some_words) AS TABLE
SELECT mention_id,
    arg_max(ROW(l.incident_id, link_state, link_p, link_by),
        ROW(link_by = 'person', link_state = 'linked', i.official_id IS NULL, link_p,
            l.incident_id)) AS word,
    max(l.updated_at) AS updated_at
FROM query_table(some_words) l LEFT JOIN incident_now i ON i.incident_id = l.incident_id
WHERE link_state IN ('linked', 'suggested')
GROUP BY mention_id;

-- name: best_link
-- The one incident to name with each mention.
CREATE VIEW best_link AS FROM best_link_of('link_now');

-- name: feedback
-- A row per mention: what was said, what we made of it, and the incident it is about. The columns
-- *_p are 0 to 1. Times are UTC. text is NULL once the mention is removed.
CREATE VIEW feedback AS
SELECT m.id, source, kind, author_key, text, said_at, event_at, seen_at,
    greatest(m.updated_at, l.updated_at) AS updated_at, track, intent, intent_p, topic, severity,
    sentiment, informative = 'yes' AS is_informative, noise = 'yes' AS is_noise, component, place,
    app_version, language, repeat_kind, repeat_of, repeat_group, l.word[1] AS incident_id,
    l.word[2] AS link_state, l.word[3] AS link_p, l.word[4] AS link_by, model_version, is_removed,
    topic_p, severity_p, sentiment_p, informative_p, noise_p, component_p, place_p, app_version_p,
    language_p, intent_sure, is_report, witness, version
FROM mention_now m LEFT JOIN best_link l ON l.mention_id = m.id;

-- name: mention_tracks
-- A row per mention and track it matches.
CREATE VIEW mention_tracks AS
SELECT id, unnest(tracks) AS track FROM fct_mention;

-- name: incident_count_of
-- Mentions (repeats included) and witnesses (distinct authors of reports) by incident, from words on
-- links and the mentions they are about.
CREATE MACRO incident_count_of(some_words, some_mentions_now) AS TABLE
SELECT l.incident_id, count(*) AS mentions,
    count(DISTINCT m.witness) FILTER (m.is_report) AS witnesses,
    min(m.event_at) FILTER (m.is_report) AS first_report_at
FROM query_table(some_words) l JOIN query_table(some_mentions_now) m ON m.id = l.mention_id
WHERE l.link_state = 'linked'
GROUP BY l.incident_id;

-- name: incident_count
-- The counts of all incidents.
CREATE VIEW incident_count AS FROM incident_count_of('link_now', 'mention_now');

-- name: incident_lead
-- How many seconds a proposal stood before the official incident that it became was opened.
CREATE VIEW incident_lead AS
SELECT o.incident_id, epoch(o.opened_at) - epoch(min(p.opened_at)) AS lead_seconds
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
    coalesce(c.mentions, 0) AS mentions, tracks, components, regions, url, first_report_at, version,
    updated_at, topic
FROM incident_now i
LEFT JOIN incident_count c ON c.incident_id = i.incident_id
LEFT JOIN incident_lead d ON d.incident_id = coalesce(i.official_id, i.incident_id);

-- name: coverage
-- Spans in which a source was read for a track (NULL: for all), and gaps with their cause.
CREATE VIEW coverage AS
SELECT source, nullif(track, '') AS track, from_at, to_at, is_gap, cause FROM fct_coverage;

-- name: mentions_hourly
-- Mentions (repeats and removed ones included) and witnesses of reports by hour of event_at. A
-- mention of two tracks counts for both; one without a track counts under NULL.
CREATE VIEW mentions_hourly AS
SELECT track, date_trunc('hour', event_at) AS hour, intent, topic, count(*) AS mentions,
    count(DISTINCT witness) FILTER (is_report) AS witnesses
FROM (
    SELECT unnest(CASE WHEN len(tracks) = 0 THEN [NULL] ELSE tracks END) AS track, event_at, intent,
        topic, witness, is_report
    FROM mention_now
)
GROUP BY ALL;

-- name: removals
-- What was to be hidden, shown again or erased. id is the mention's; a keyed hash for an author, and
-- for a mention that is not here.
CREATE VIEW removals AS
SELECT coalesce(id, subject) AS id, kind, asked_at, done_at, scope FROM fct_removal;

-- The crowd against the official word. crowd and rumours are stable: columns may be added, never
-- renamed or taken away. What people said is folded by views.sql.

-- name: crowd_said_of
-- Who said of which incident that it is broken, or that it works: posts linked to it (to a
-- proposal also those suggested), and of incidents whose owner has closed them what was said on the track within a day after (phase after) or on the
-- day before they began (phase before) and that neither component nor topic tells apart.
CREATE MACRO crowd_said_of(some_incidents, some_words, some_mentions_now) AS TABLE
WITH said AS (
    SELECT id, witness, event_at, tracks, nullif(topic, 'other') AS topic, component, place,
        json_extract_string(label_evidence, '$.place[1].value') AS place_in,
        CASE WHEN is_report THEN 'broken' ELSE 'works' END AS says
    FROM query_table(some_mentions_now)
    WHERE witness IS NOT NULL AND (is_report OR (intent = 'recovery'
        AND coalesce(noise, 'no') <> 'yes' AND repeat_kind IN ('original', 'near')))
), linked AS (
    SELECT i.incident_id, s.*,
        CASE WHEN NOT i.is_proposed AND i.status IN ('resolved', 'postmortem')
            AND s.event_at > i.resolved_at THEN 'after' ELSE 'during' END AS phase
    FROM query_table(some_words) l
    JOIN said s ON s.id = l.mention_id
    JOIN query_table(some_incidents) i ON i.incident_id = l.incident_id
    -- What a proposal is made of may bear too few signs for a certain link to it.
    WHERE l.link_state = 'linked' OR (i.is_proposed AND l.link_state = 'suggested')
), matter AS (
    SELECT incident_id, list(topic) AS topics
    FROM (
        SELECT incident_id, topic FROM linked WHERE says = 'broken' AND topic IS NOT NULL
        GROUP BY ALL HAVING count(DISTINCT witness) >= 2
    )
    GROUP BY incident_id
)
SELECT incident_id, id, phase, says, witness, event_at, topic, component, place, place_in
FROM linked
UNION ALL
SELECT i.incident_id, s.id, CASE WHEN s.event_at < i.started_at THEN 'before' ELSE 'after' END,
    s.says, s.witness, s.event_at, s.topic, s.component, s.place, s.place_in
FROM query_table(some_incidents) i
JOIN said s ON (s.event_at > i.resolved_at AND s.event_at <= i.resolved_at + INTERVAL 1 DAY)
    OR (s.event_at >= i.started_at - INTERVAL 25 HOUR AND s.event_at < i.started_at - INTERVAL 1 HOUR)
LEFT JOIN matter m ON m.incident_id = i.incident_id
WHERE NOT i.is_proposed AND i.status IN ('resolved', 'postmortem') AND i.resolved_at IS NOT NULL
    AND (len(i.tracks) = 0 OR list_has_any(s.tracks, i.tracks))
    AND (s.component IS NULL OR len(i.components) = 0
        OR contains(lower(array_to_string(i.components, '|')), lower(s.component)))
    AND (s.topic IS NULL OR s.topic = 'outage' OR m.topics IS NULL
        OR list_contains(m.topics, s.topic))
    AND s.id NOT IN (SELECT id FROM linked);

-- name: crowd_elsewhere
-- Which other tracks had a proposal on the same topic within half an hour of an incident's start.
CREATE VIEW crowd_elsewhere AS
SELECT i.incident_id, list_sort(list(DISTINCT o.track)) AS tracks
FROM (
    SELECT n.incident_id, n.started_at, n.tracks, coalesce(n.topic, p.topic) AS topic
    FROM incident_now n LEFT JOIN incident_now p ON p.official_id = n.incident_id
) i
JOIN incident_now o ON o.topic = i.topic AND o.is_proposed AND o.status <> 'dismissed'
    AND o.started_at BETWEEN i.started_at - INTERVAL 30 MINUTE AND i.started_at + INTERVAL 30 MINUTE
    AND len(o.tracks) > 0 AND len(i.tracks) > 0 AND NOT list_has_any(o.tracks, i.tracks)
WHERE i.topic <> 'other'
GROUP BY i.incident_id;

-- name: crowd_of
-- What the crowd says of each of these incidents in each hour, from what was said.
CREATE MACRO crowd_of(some_incidents, some_said) AS TABLE
WITH official AS (
    SELECT i.incident_id, CASE WHEN i.is_proposed THEN o.opened_at ELSE i.opened_at END AS opened_at,
        NOT i.is_proposed AND i.resolved_at IS NULL AS is_open,
        CASE WHEN i.is_proposed THEN [] ELSE i.regions END AS regions,
        CASE WHEN i.is_proposed THEN [] ELSE i.components END AS components,
        lower(concat_ws('|', i.title, array_to_string(i.regions, '|'),
            array_to_string(i.components, '|'), i.updates::VARCHAR)) AS words
    FROM query_table(some_incidents) i LEFT JOIN incident_now o ON o.incident_id = i.official_id
), counted AS (
    SELECT incident_id, date_trunc('hour', event_at) AS hour,
        count(DISTINCT witness) FILTER (says = 'broken') AS witnesses,
        count(DISTINCT witness) FILTER (says = 'works') AS recovered,
        count(DISTINCT witness) FILTER (says = 'broken' AND phase = 'after') AS still_broken,
        min(event_at) FILTER (says = 'broken') AS first_at
    FROM query_table(some_said) WHERE phase <> 'before'
    GROUP BY ALL
), usual AS (
    SELECT incident_id,
        count(DISTINCT (witness, date_trunc('hour', event_at)))::DOUBLE / 24 AS normal
    FROM query_table(some_said) WHERE phase = 'before' AND says = 'broken'
    GROUP BY incident_id
), named AS (
    SELECT s.incident_id, date_trunc('hour', s.event_at) AS hour, s.head, s.name,
        contains(any_value(o.words), lower(s.name)) OR coalesce(list_bool_or(list_transform(
            any_value(o.regions), lambda r: contains(lower(max(s.whole)), lower(r)))), FALSE)
            AS is_told
    FROM (
        SELECT *, unnest(['region', 'component']) AS head, unnest([place, component]) AS name,
            unnest([concat_ws(', ', place, place_in), NULL]) AS whole
        FROM query_table(some_said) WHERE says = 'broken' AND phase = 'during'
    ) s
    JOIN official o ON o.incident_id = s.incident_id
    WHERE s.name IS NOT NULL AND (s.head = 'component' OR s.place_in IS NOT NULL)
    GROUP BY s.incident_id, 2, s.head, s.name HAVING count(DISTINCT s.witness) >= 3
), left_out AS (
    SELECT n.incident_id, n.hour,
        coalesce(list_sort(list(n.name) FILTER (n.head = 'region')), []) AS regions,
        coalesce(list_sort(list(n.name) FILTER (n.head = 'component')), []) AS components
    FROM named n JOIN official o ON o.incident_id = n.incident_id
    -- Places only where we understand what regions the official word means: it names one we found.
    WHERE NOT n.is_told AND CASE n.head WHEN 'component' THEN len(o.components) > 0
        ELSE len(o.regions) > 0 AND EXISTS (SELECT 1 FROM named k
            WHERE k.incident_id = n.incident_id AND k.head = 'region' AND k.is_told) END
    GROUP BY ALL
)
SELECT c.incident_id, c.hour,
    CASE
        WHEN c.still_broken >= 3 AND c.still_broken > 2 * coalesce(u.normal, 0) THEN 'contradicts'
        WHEN e.tracks IS NOT NULL AND c.still_broken = 0 THEN 'elsewhere'
        WHEN l.incident_id IS NOT NULL THEN 'contradicts'
        WHEN o.opened_at IS NULL OR c.first_at < o.opened_at THEN 'ahead'
        WHEN o.is_open AND c.recovered >= 3 AND c.recovered > c.witnesses THEN 'ahead'
        ELSE 'agrees'
    END AS stance,
    c.witnesses, c.recovered, c.still_broken, coalesce(u.normal, 0) AS normal,
    coalesce(l.regions, []) AS unnamed_regions, coalesce(l.components, []) AS unnamed_components,
    coalesce(e.tracks, []) AS other_tracks
FROM counted c
JOIN official o ON o.incident_id = c.incident_id
LEFT JOIN usual u ON u.incident_id = c.incident_id
LEFT JOIN left_out l ON l.incident_id = c.incident_id AND l.hour = c.hour
LEFT JOIN crowd_elsewhere e ON e.incident_id = c.incident_id;

-- name: crowd_said
-- Who said what of every incident.
CREATE VIEW crowd_said AS FROM crowd_said_of('incident_now', 'link_now', 'mention_now');

-- name: crowd
-- A row per incident and hour (its beginning) in which the crowd spoke of it. stance: agrees,
-- ahead (of the official word), contradicts (it goes on after "resolved", or regions and components
-- that the official word leaves out), elsewhere (the same on other tracks at once). witnesses:
-- people who said that it is broken, still_broken: those after "resolved"; recovered: people who
-- said that it works again; normal: witnesses an hour on the day before it began.
CREATE VIEW crowd AS FROM crowd_of('incident_now', 'crowd_said');

-- name: claim_words
-- What an official word holds once its owner has made a claim itself, as a regular expression.
CREATE VIEW claim_words AS
SELECT * FROM (VALUES
    ('hacked', 'hack|cyber|attack|intrusion|unauthori[sz]ed|compromised|breach'),
    ('data_leaked', 'leak|breach|exposed|unauthori[sz]ed access|stolen'),
    ('ransomware', 'ransom|extort'),
    ('sabotage', 'sabotage|vandal|arson|deliberate|cut cable|cable cut'),
    ('insolvent', 'insolven|bankrupt|administration|liquidat')
) w (claim, said);

-- name: rumour_of
-- What these mentions claim that no official word of their tracks has said until a day after.
CREATE MACRO rumour_of(some_mentions_now, some_words) AS TABLE
WITH claimed AS (
    SELECT m.id, m.witness, m.event_at, m.tracks, m.track, l.word[1] AS incident_id,
        unnest(from_json(json_extract(m.label_evidence, '$.claim'), '[{"kind": "VARCHAR"}]')).kind
            AS claim
    FROM query_table(some_mentions_now) m
    LEFT JOIN best_link_of(some_words) l ON l.mention_id = m.id
    WHERE contains(m.label_evidence::VARCHAR, '"claim":') AND coalesce(m.noise, 'no') <> 'yes'
)
SELECT c.incident_id, c.track, c.claim, count(*) AS mentions, count(DISTINCT c.witness) AS witnesses,
    min(c.event_at) AS first_seen_at, max(c.event_at) AS last_seen_at,
    arg_min(c.id, ROW(c.event_at, c.id)) AS first_id
FROM claimed c
WHERE NOT EXISTS (
    SELECT 1 FROM incident_now i JOIN claim_words w ON w.claim = c.claim
    WHERE NOT i.is_proposed AND (len(i.tracks) = 0 OR list_has_any(i.tracks, c.tracks))
        AND i.opened_at <= c.event_at + INTERVAL 1 DAY
        AND coalesce(i.resolved_at, c.event_at) >= c.event_at - INTERVAL 1 DAY
        AND regexp_matches(lower(concat_ws(' ', i.title, i.updates::VARCHAR)), w.said)
)
GROUP BY c.incident_id, c.track, c.claim;

-- name: rumours
-- What people claim about causes and no official channel has said: counts and first seen, never to
-- be stated as fact. incident_id is NULL for posts that belong to none; first_id is the first post.
CREATE VIEW rumours AS FROM rumour_of('mention_now', 'link_now');
