-- What the release of schema 5 made, statement by statement.

-- name: migration_1_0
-- First.
CREATE TABLE meta (key text PRIMARY KEY, value text NOT NULL);

-- name: migration_1_1
-- First.
CREATE TABLE fct_mention (
    id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    author_key VARCHAR,  -- keyed hash of the author's id; a token once the author is erased
    text VARCHAR,        -- NULL once erased
    lang VARCHAR,        -- as the platform says; the label is language
    said_place VARCHAR,  -- as the platform says; the label is place
    hashtags VARCHAR[],
    rating double precision,
    engagement json,
    said_at timestamp NOT NULL,
    event_at timestamp NOT NULL,
    seen_at timestamp NOT NULL,
    tracks VARCHAR[] NOT NULL,
    version bigint NOT NULL,
    model VARCHAR NOT NULL,
    repeat_kind VARCHAR NOT NULL,  -- as claimed on arrival; views name the head anew
    repeat_of VARCHAR,
    repeat_group VARCHAR NOT NULL,
    intent VARCHAR, intent_p double precision, intent_sure boolean,
    topic VARCHAR, topic_p double precision, topic_sure boolean,
    severity VARCHAR, severity_p double precision, severity_sure boolean,
    sentiment VARCHAR, sentiment_p double precision, sentiment_sure boolean,
    informative VARCHAR, informative_p double precision, informative_sure boolean,
    noise VARCHAR, noise_p double precision, noise_sure boolean,
    language VARCHAR, language_p double precision, language_sure boolean,
    component VARCHAR, component_p double precision, component_sure boolean,
    place VARCHAR, place_p double precision, place_sure boolean,
    app_version VARCHAR, app_version_p double precision, app_version_sure boolean,
    label_evidence json,          -- by head; NULL once erased
    is_hidden boolean NOT NULL,
    is_erased boolean NOT NULL,
    updated_at timestamp NOT NULL,
    arrival bigint NOT NULL       -- grows with every row written; a changed row gets a new one
);

-- name: migration_1_2
-- First.
CREATE TABLE mention_identity (
    mention_id VARCHAR PRIMARY KEY,
    version bigint NOT NULL,
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

-- name: migration_1_3
-- First.
CREATE TABLE fct_link (
    mention_id VARCHAR NOT NULL,
    incident_id VARCHAR NOT NULL,
    mention_version bigint NOT NULL,
    model VARCHAR NOT NULL,
    incident_version bigint NOT NULL,
    state VARCHAR NOT NULL,    -- linked, suggested, unlinked
    p double precision NOT NULL,
    made_by VARCHAR NOT NULL,  -- auto, late
    evidence json,                      -- NULL once the mention is erased
    updated_at timestamp NOT NULL,
    PRIMARY KEY (mention_id, incident_id)
);

-- name: migration_1_4
-- First.
CREATE TABLE dim_incident (
    incident_id VARCHAR PRIMARY KEY,
    version bigint NOT NULL,
    title VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    impact VARCHAR NOT NULL,
    components VARCHAR[] NOT NULL,
    regions VARCHAR[] NOT NULL,
    tracks VARCHAR[] NOT NULL,
    url VARCHAR,
    started_at timestamp NOT NULL,
    opened_at timestamp NOT NULL,
    resolved_at timestamp,
    recorded_at timestamp NOT NULL,
    official_id VARCHAR,
    is_proposed boolean NOT NULL,
    updates json NOT NULL,
    history json NOT NULL,
    record json NOT NULL,         -- the whole record, from which the book can be made again
    updated_at timestamp NOT NULL
);

-- name: migration_1_5
-- First.
CREATE TABLE fct_decision (
    decision_id VARCHAR PRIMARY KEY,
    subject VARCHAR NOT NULL,
    verb VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    decided_by VARCHAR NOT NULL,
    decided_at timestamp NOT NULL,
    updated_at timestamp NOT NULL
);

-- name: migration_1_6
-- First.
CREATE TABLE fct_removal (
    subject VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,  -- mention, author
    kind VARCHAR NOT NULL,   -- hidden, shown, erased
    asked_at timestamp NOT NULL,      -- the newest one
    done_at timestamp NOT NULL,
    id VARCHAR,              -- the mention's id, once there is such a mention
    PRIMARY KEY (subject, scope, kind)
);

-- name: migration_1_7
-- First.
CREATE TABLE fct_coverage (
    source VARCHAR NOT NULL,
    track VARCHAR NOT NULL,  -- '' for all tracks
    from_at timestamp NOT NULL,
    is_gap boolean NOT NULL,
    to_at timestamp NOT NULL,
    cause VARCHAR,
    PRIMARY KEY (source, track, from_at, is_gap)
);

-- name: migration_2_0
-- Indexes and macros.
DROP MACRO TABLE IF EXISTS repeat_head_of;

-- name: migration_2_1
-- Indexes and macros.
DROP MACRO TABLE IF EXISTS mention_now_of;

-- name: migration_2_2
-- Indexes and macros.
DROP MACRO TABLE IF EXISTS link_now_of;

-- name: migration_2_3
-- Indexes and macros.
DROP MACRO TABLE IF EXISTS best_link_of;

-- name: migration_2_4
-- Indexes and macros.
DROP MACRO TABLE IF EXISTS incident_count_of;

-- name: migration_2_5
-- Indexes and macros.
DROP MACRO TABLE IF EXISTS crowd_said_of;

-- name: migration_2_6
-- Indexes and macros.
DROP MACRO TABLE IF EXISTS crowd_of;

-- name: migration_2_7
-- Indexes and macros.
DROP MACRO TABLE IF EXISTS rumour_of;

-- name: migration_3_0
-- Campaigns and claims.
CREATE TABLE fct_campaign (
    mention_id VARCHAR PRIMARY KEY,
    mention_version bigint NOT NULL,  -- the word holds for this version only
    kind VARCHAR NOT NULL,              -- variants, hashtag, new_accounts
    updated_at timestamp NOT NULL
);

-- name: migration_3_1
-- Campaigns and claims.
ALTER TABLE dim_incident ADD COLUMN claims VARCHAR[];

-- name: migration_3_2
-- Campaigns and claims.
UPDATE dim_incident SET claims = ARRAY[]::text[];

-- name: migration_3_3
-- Campaigns and claims.
UPDATE dim_incident SET claims = array_append(claims, 'hacked') WHERE NOT is_proposed
    AND regexp_matches(lower(concat_ws(' ', title, updates::text)), 'hack|cyber|attack|intrusion|unauthori[sz]ed|compromised|breach');

-- name: migration_3_4
-- Campaigns and claims.
UPDATE dim_incident SET claims = array_append(claims, 'data_leaked') WHERE NOT is_proposed
    AND regexp_matches(lower(concat_ws(' ', title, updates::text)), 'leak|breach|exposed|unauthori[sz]ed access|stolen');

-- name: migration_3_5
-- Campaigns and claims.
UPDATE dim_incident SET claims = array_append(claims, 'ransomware') WHERE NOT is_proposed
    AND regexp_matches(lower(concat_ws(' ', title, updates::text)), 'ransom|extort');

-- name: migration_3_6
-- Campaigns and claims.
UPDATE dim_incident SET claims = array_append(claims, 'sabotage') WHERE NOT is_proposed
    AND regexp_matches(lower(concat_ws(' ', title, updates::text)), 'sabotage|vandal|arson|deliberate|cut cable|cable cut');

-- name: migration_3_7
-- Campaigns and claims.
UPDATE dim_incident SET claims = array_append(claims, 'insolvent') WHERE NOT is_proposed
    AND regexp_matches(lower(concat_ws(' ', title, updates::text)), 'insolven|bankrupt|administration|liquidat');

-- name: migration_4_0
-- Spend.
CREATE TABLE fct_spend (
    source VARCHAR NOT NULL,
    day timestamp NOT NULL,   -- midnight, UTC
    reads bigint NOT NULL,    -- what was paid in advance is counted
    cost double precision NOT NULL,
    told_at timestamp NOT NULL,
    PRIMARY KEY (source, day)
);

-- name: migration_5_0
-- Erasures.
CREATE TABLE fct_erasure (
    erasure_id VARCHAR PRIMARY KEY,
    asked_at timestamp NOT NULL,  -- when somebody asked for it
    done_at timestamp NOT NULL,   -- when all of it was done here
    asked_by VARCHAR,               -- who asked; NULL if nobody said
    reason VARCHAR,                 -- why, in the words of who asked
    requests bigint NOT NULL,     -- mentions and authors named
    mentions bigint NOT NULL,     -- mentions that lost their words
    places VARCHAR[] NOT NULL        -- what was searched or written anew for it
);

-- name: person_label
-- The view.
CREATE VIEW person_label AS
SELECT subject AS id,
    (array_agg(name ORDER BY decided_at DESC, decision_id DESC) FILTER (WHERE head = 'intent'))[1] AS intent,
    (array_agg(name ORDER BY decided_at DESC, decision_id DESC) FILTER (WHERE head = 'topic'))[1] AS topic,
    (array_agg(name ORDER BY decided_at DESC, decision_id DESC) FILTER (WHERE head = 'severity'))[1] AS severity,
    (array_agg(name ORDER BY decided_at DESC, decision_id DESC) FILTER (WHERE head = 'sentiment'))[1] AS sentiment,
    (array_agg(name ORDER BY decided_at DESC, decision_id DESC) FILTER (WHERE head = 'informative'))[1] AS informative,
    (array_agg(name ORDER BY decided_at DESC, decision_id DESC) FILTER (WHERE head = 'noise'))[1] AS noise,
    (array_agg(name ORDER BY decided_at DESC, decision_id DESC) FILTER (WHERE head = 'language'))[1] AS language,
    (array_agg(name ORDER BY decided_at DESC, decision_id DESC) FILTER (WHERE head = 'component'))[1] AS component,
    (array_agg(name ORDER BY decided_at DESC, decision_id DESC) FILTER (WHERE head = 'place'))[1] AS place,
    (array_agg(name ORDER BY decided_at DESC, decision_id DESC) FILTER (WHERE head = 'version'))[1] AS app_version,
    max(updated_at) AS updated_at
FROM (
    SELECT subject, split_part(value, '=', 1) AS head,
        substring(value FROM position('=' IN value) + 1) AS name,
        decided_at, decision_id, updated_at
    FROM fct_decision WHERE verb = 'relabel'
) said
GROUP BY subject;

-- name: repeated_group
-- The view.
CREATE VIEW repeated_group AS
SELECT DISTINCT repeat_group FROM fct_mention WHERE id <> repeat_group;

-- name: incident_word
-- The view.
CREATE VIEW incident_word AS
SELECT DISTINCT ON (subject) subject AS incident_id, verb, value,
    max(updated_at) OVER (PARTITION BY subject) AS updated_at
FROM fct_decision WHERE verb IN ('accept', 'dismiss', 'merge')
ORDER BY subject, decided_at DESC, decision_id DESC;

-- name: mention_tracks
-- The view.
CREATE VIEW mention_tracks AS
SELECT id, unnest(tracks) AS track FROM fct_mention;

-- name: coverage
-- The view.
CREATE VIEW coverage AS
SELECT source, nullif(track, '') AS track, from_at, to_at, is_gap, cause FROM fct_coverage;

-- name: spend
-- The view.
CREATE VIEW spend AS SELECT source, day, reads, cost FROM fct_spend;

-- name: removals
-- The view.
CREATE VIEW removals AS
SELECT coalesce(id, subject) AS id, kind, asked_at, done_at, scope FROM fct_removal;

-- name: erasures
-- The view.
CREATE VIEW erasures AS
SELECT erasure_id, asked_at, done_at, asked_by, reason, requests, mentions, places FROM fct_erasure;

-- name: mention_now
-- The view.
CREATE VIEW mention_now AS
SELECT * FROM (
SELECT f.*,
    CASE WHEN author_key IS NOT NULL THEN author_key WHEN kind <> 'repost' THEN id END AS witness,
    coalesce(intent = 'report' AND coalesce(noise, 'no') <> 'yes'
        AND repeat_kind IN ('original', 'near'), FALSE) AND campaign IS NULL AS is_report
FROM (
    SELECT m.id, m.source, m.kind, m.author_key,
        CASE WHEN m.is_hidden OR m.is_erased THEN NULL ELSE m.text END AS text,
        m.lang, m.said_place, m.said_at, m.event_at, m.seen_at,
        greatest(m.updated_at, p.updated_at, k.updated_at) AS updated_at, m.tracks, m.tracks[1] AS track,
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
            WHEN coalesce(h.head_id, m.id) = m.id THEN
                CASE WHEN m.repeat_kind IN ('copy', 'near') THEN 'original' ELSE m.repeat_kind END
            WHEN m.repeat_kind <> 'original' THEN m.repeat_kind
            -- It arrived before the head: it is to the head what the head was said to be to it.
            WHEN h.head_kind IN ('copy', 'near') THEN h.head_kind
            ELSE 'near'
        END AS repeat_kind,
        CASE WHEN h.head_id <> m.id THEN h.head_id END AS repeat_of,
        m.repeat_group, m.label_evidence, m.engagement, m.rating, m.version,
        m.model AS model_version, m.is_hidden OR m.is_erased AS is_removed, m.is_erased, m.arrival,
        k.kind AS campaign
    FROM fct_mention m
    LEFT JOIN person_label p ON p.id = m.id
    LEFT JOIN fct_campaign k ON k.mention_id = m.id AND k.mention_version = m.version
    LEFT JOIN (
    SELECT repeat_group, arg_min(id, ROW(event_at, id)) AS head_id,
        arg_min(repeat_kind, ROW(event_at, id)) AS head_kind
    FROM fct_mention WHERE repeat_group IN (SELECT repeat_group FROM repeated_group)
    GROUP BY repeat_group
) h ON h.repeat_group = m.repeat_group
) f
) m;

-- name: incident_alias
-- The view.
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

-- name: mentions_hourly
-- The view.
CREATE VIEW mentions_hourly AS
SELECT track, date_trunc('hour', event_at) AS hour, intent, topic, count(*) AS mentions,
    count(DISTINCT witness) FILTER (WHERE is_report) AS witnesses
FROM (
    SELECT unnest(CASE WHEN tracks = ARRAY[]::text[] THEN ARRAY[NULL]::text[] ELSE tracks END) AS track,
        event_at, intent, topic, witness, is_report
    FROM mention_now
) m
GROUP BY 1, 2, 3, 4;

-- name: link_now
-- The view.
CREATE VIEW link_now AS
SELECT * FROM (
WITH alias AS MATERIALIZED (
    -- Asked for once: planning what it stands for takes longer than the rest of a small question.
    SELECT incident_id, into_id FROM incident_alias
), machine AS (
    SELECT l.mention_id, coalesce(a.into_id, l.incident_id) AS incident_id, l.incident_id AS said_of,
        l.state, l.p, l.made_by, l.evidence, l.updated_at
    FROM fct_link l
    JOIN fct_mention m ON m.id = l.mention_id AND m.version = l.mention_version
    LEFT JOIN alias a ON a.incident_id = l.incident_id
    -- Whether the machine heard of a dismissal before or after it linked must not matter.
    WHERE l.incident_id NOT IN (SELECT incident_id FROM incident_word WHERE verb = 'dismiss')
), single AS (
    SELECT mention_id, incident_id, state, p, made_by, evidence, updated_at FROM machine
    WHERE incident_id NOT IN (SELECT into_id FROM alias)
    UNION ALL
    (SELECT DISTINCT ON (mention_id, incident_id) mention_id, incident_id, state, p, made_by,
        evidence, max(updated_at) OVER (PARTITION BY mention_id, incident_id)
    FROM machine WHERE incident_id IN (SELECT into_id FROM alias)
    ORDER BY mention_id, incident_id, state = 'linked' DESC, state = 'suggested' DESC, p DESC,
        said_of DESC)
), person AS (
    SELECT DISTINCT ON (d.subject, coalesce(a.into_id, d.value)) d.subject AS mention_id,
        coalesce(a.into_id, d.value) AS incident_id, d.verb,
        max(d.decided_at) OVER same AS decided_at, max(d.updated_at) OVER same AS updated_at
    FROM fct_decision d
    LEFT JOIN alias a ON a.incident_id = d.value
    WHERE d.verb IN ('link', 'unlink') AND d.subject IN (SELECT id FROM fct_mention)
    WINDOW same AS (PARTITION BY d.subject, coalesce(a.into_id, d.value))
    ORDER BY d.subject, coalesce(a.into_id, d.value), d.decided_at DESC, d.decision_id DESC
)
SELECT mention_id, incident_id,
    CASE p.verb WHEN 'link' THEN 'linked' WHEN 'unlink' THEN 'unlinked' ELSE w.state END
        AS link_state,
    CASE p.verb WHEN 'link' THEN 1 WHEN 'unlink' THEN 0 ELSE w.p END AS link_p,
    CASE WHEN p.verb IS NULL THEN w.made_by ELSE 'person' END AS link_by,
    w.evidence, p.decided_at, greatest(w.updated_at, p.updated_at) AS updated_at
FROM single w FULL JOIN person p USING (mention_id, incident_id)
) l;

-- name: incident_now
-- The view.
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
    CASE WHEN coalesce(w.verb, '') <> 'dismiss'
        THEN coalesce(a.into_id, b.into_id, i.official_id) END AS official_id,
    i.url, i.updates, i.history, greatest(i.updated_at, w.updated_at) AS updated_at,
    (i.record ->> 'topic') AS topic,
    CASE WHEN i.is_proposed THEN coalesce(CAST((i.record ->> 'witnesses') AS bigint), 0) ELSE 0 END
        AS told_witnesses,
    i.claims
FROM dim_incident i
LEFT JOIN incident_word w ON w.incident_id = i.incident_id
LEFT JOIN incident_alias a ON a.incident_id = i.incident_id
LEFT JOIN incident_alias b ON b.incident_id = i.official_id
LEFT JOIN dim_incident o ON o.incident_id = a.into_id;

-- name: incident_feedback
-- The view.
CREATE VIEW incident_feedback AS
SELECT mention_id AS id, incident_id, link_state, link_p, link_by, evidence, decided_at
FROM link_now l WHERE link_state IN ('linked', 'suggested') AND NOT EXISTS (
    SELECT 1 FROM fct_mention m WHERE m.id = l.mention_id AND (m.is_hidden OR m.is_erased));

-- name: incident_count
-- The view.
CREATE VIEW incident_count AS
SELECT * FROM (
SELECT l.incident_id, count(*) FILTER (WHERE l.link_state = 'linked') AS mentions,
    count(DISTINCT m.witness) FILTER (WHERE m.is_report) AS witnesses,
    min(m.event_at) FILTER (WHERE m.is_report) AS first_report_at
FROM link_now l JOIN mention_now m ON m.id = l.mention_id
WHERE l.link_state = 'linked'
    OR (l.link_state = 'suggested' AND starts_with(l.incident_id, 'groundswell:'))
GROUP BY l.incident_id
) c;

-- name: best_link
-- The view.
CREATE VIEW best_link AS
SELECT * FROM (
SELECT mention_id, best.incident_id, best.link_state, best.link_p, best.link_by, updated_at
FROM (
    SELECT mention_id,
        arg_max({'incident_id': l.incident_id, 'link_state': link_state, 'link_p': link_p,
                'link_by': link_by},
            ROW(link_by = 'person', link_state = 'linked', i.official_id IS NULL, link_p,
                l.incident_id)) AS best,
        max(l.updated_at) AS updated_at
    FROM link_now l LEFT JOIN incident_now i ON i.incident_id = l.incident_id
    WHERE link_state IN ('linked', 'suggested')
    GROUP BY mention_id
)
) b;

-- name: incident_lead
-- The view.
CREATE VIEW incident_lead AS
SELECT o.incident_id,
    CAST(extract(epoch FROM o.opened_at - min(p.opened_at)) AS double precision) AS lead_seconds
FROM incident_now p JOIN dim_incident o ON o.incident_id = p.official_id
WHERE p.is_proposed AND NOT o.is_proposed
GROUP BY o.incident_id, o.opened_at;

-- name: crowd_said
-- The view.
CREATE VIEW crowd_said AS
SELECT * FROM (
WITH said AS (
    SELECT id, witness, event_at, tracks, nullif(topic, 'other') AS topic, component, place,
        (((label_evidence -> 'place') -> 1) ->> 'value') AS place_in,
        CASE WHEN is_report THEN 'broken' ELSE 'works' END AS says
    FROM mention_now
    WHERE witness IS NOT NULL AND (is_report OR (intent = 'recovery'
        AND coalesce(noise, 'no') <> 'yes' AND repeat_kind IN ('original', 'near')))
), linked AS (
    SELECT i.incident_id, s.*,
        CASE WHEN NOT i.is_proposed AND i.status IN ('resolved', 'postmortem')
            AND s.event_at > i.resolved_at THEN 'after' ELSE 'during' END AS phase
    FROM link_now l
    JOIN said s ON s.id = l.mention_id
    JOIN incident_now i ON i.incident_id = l.incident_id
    -- What a proposal is made of may bear too few signs for a certain link to it.
    WHERE l.link_state = 'linked' OR (i.is_proposed AND l.link_state = 'suggested')
), matter AS (
    SELECT incident_id, array_agg(topic) AS topics
    FROM (
        SELECT incident_id, topic FROM linked WHERE says = 'broken' AND topic IS NOT NULL
        GROUP BY incident_id, topic HAVING count(DISTINCT witness) >= 2
    ) t
    GROUP BY incident_id
)
SELECT incident_id, id, phase, says, witness, event_at, topic, component, place, place_in
FROM linked
UNION ALL
SELECT i.incident_id, s.id, CASE WHEN s.event_at < i.started_at THEN 'before' ELSE 'after' END,
    s.says, s.witness, s.event_at, s.topic, s.component, s.place, s.place_in
FROM incident_now i
JOIN said s ON (s.event_at > i.resolved_at AND s.event_at <= i.resolved_at + INTERVAL '1 day')
    OR (s.event_at >= i.started_at - INTERVAL '25 hours'
        AND s.event_at < i.started_at - INTERVAL '1 hour')
LEFT JOIN matter m ON m.incident_id = i.incident_id
WHERE NOT i.is_proposed AND i.status IN ('resolved', 'postmortem') AND i.resolved_at IS NOT NULL
    AND (i.tracks = ARRAY[]::text[] OR (s.tracks && i.tracks))
    AND (s.component IS NULL OR i.components = ARRAY[]::text[]
        OR strpos(lower(array_to_string(i.components, '|')), lower(s.component)) > 0)
    AND (s.topic IS NULL OR s.topic = 'outage' OR m.topics IS NULL OR list_contains(m.topics, s.topic))
    AND s.id NOT IN (SELECT id FROM linked)
) s;

-- name: feedback
-- The view.
CREATE VIEW feedback AS
SELECT m.id, source, kind, author_key, text, said_at, event_at, seen_at,
    greatest(m.updated_at, l.updated_at) AS updated_at, track, intent, intent_p, topic, severity,
    sentiment, informative = 'yes' AS is_informative, noise = 'yes' AS is_noise, component, place,
    app_version, language, repeat_kind, repeat_of, repeat_group, l.incident_id,
    l.link_state, l.link_p, l.link_by, model_version, is_removed,
    topic_p, severity_p, sentiment_p, informative_p, noise_p, component_p, place_p, app_version_p,
    language_p, intent_sure, is_report, witness, version, campaign
FROM mention_now m LEFT JOIN best_link l ON l.mention_id = m.id;

-- name: rumours
-- The view.
CREATE VIEW rumours AS
SELECT * FROM (
WITH claimed AS (
    SELECT m.id, m.witness, m.event_at, m.tracks, m.track, l.incident_id,
        unnest(from_json(m.label_evidence -> 'claim', '["JSON"]')) ->> 'kind' AS claim
    FROM mention_now m
    LEFT JOIN best_link l ON l.mention_id = m.id
    WHERE strpos(m.label_evidence::text, '"claim":') > 0 AND coalesce(m.noise, 'no') <> 'yes'
)
SELECT c.incident_id, c.track, c.claim, count(*) AS mentions, count(DISTINCT c.witness) AS witnesses,
    min(c.event_at) AS first_seen_at, max(c.event_at) AS last_seen_at,
    (array_agg(c.id ORDER BY c.event_at, c.id))[1] AS first_id
FROM claimed c
WHERE NOT EXISTS (
    SELECT 1 FROM incident_now i
    WHERE NOT i.is_proposed AND list_contains(i.claims, c.claim)
        AND (i.tracks = ARRAY[]::text[] OR (i.tracks && c.tracks))
        AND i.opened_at <= c.event_at + INTERVAL '1 day'
        AND coalesce(i.resolved_at, c.event_at) >= c.event_at - INTERVAL '1 day'
)
GROUP BY c.incident_id, c.track, c.claim
) r;

-- name: incidents
-- The view.
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

-- name: crowd_elsewhere
-- The view.
CREATE VIEW crowd_elsewhere AS
SELECT * FROM (
WITH told AS (
    SELECT DISTINCT ON (incident_id) incident_id, topic
    FROM (
        SELECT incident_id, topic, count(DISTINCT witness) AS witnesses FROM crowd_said s
        WHERE says = 'broken' AND phase = 'during' AND topic IS NOT NULL
        GROUP BY incident_id, topic HAVING count(DISTINCT witness) >= 3
    ) t
    ORDER BY incident_id, witnesses DESC, topic
), matter AS (
    SELECT i.incident_id, i.started_at, i.tracks, coalesce(i.topic, p.topic, t.topic) AS topic
    FROM incident_now i
    LEFT JOIN incident_now p ON p.official_id = i.incident_id
    LEFT JOIN told t ON t.incident_id = i.incident_id
    WHERE i.tracks <> ARRAY[]::text[]
), report AS (
    -- By the machine's labels: they are read for all tracks.
    SELECT m.id, coalesce(m.author_key, m.id) AS witness, m.topic, m.event_at, m.tracks,
        unnest(m.tracks) AS track
    FROM fct_mention m
    WHERE m.intent = 'report' AND coalesce(m.noise, 'no') <> 'yes'
        AND m.repeat_kind IN ('original', 'near') AND m.topic IN (SELECT topic FROM matter)
        AND m.event_at >= (SELECT min(started_at) FROM matter) - INTERVAL '25 hours'
        AND m.event_at <= (SELECT max(started_at) FROM matter) + INTERVAL '30 minutes'
        AND NOT EXISTS (SELECT 1 FROM fct_campaign k
            WHERE k.mention_id = m.id AND k.mention_version = m.version)
), elsewhere AS (
    SELECT a.incident_id, o.track
    FROM matter a
    JOIN incident_now o ON o.topic = a.topic AND o.is_proposed AND o.status <> 'dismissed'
        AND o.started_at BETWEEN a.started_at - INTERVAL '30 minutes'
            AND a.started_at + INTERVAL '30 minutes'
        AND o.tracks <> ARRAY[]::text[] AND NOT (o.tracks && a.tracks)
    WHERE a.topic <> 'other'
    UNION
    SELECT a.incident_id, r.track
    FROM matter a
    JOIN report r ON r.topic = a.topic AND r.event_at >= a.started_at - INTERVAL '25 hours'
        AND r.event_at <= a.started_at + INTERVAL '30 minutes'
        -- A post that names both is no sign: a company and its shop are often named together.
        AND NOT (r.tracks && a.tracks)
    WHERE a.topic <> 'other'
    GROUP BY a.incident_id, r.track
    HAVING count(DISTINCT CASE WHEN r.event_at >= a.started_at - INTERVAL '30 minutes'
            THEN r.witness END) >= 5
        AND count(DISTINCT CASE WHEN r.event_at >= a.started_at - INTERVAL '30 minutes'
            THEN r.witness END) > 3 * count(DISTINCT CASE
            WHEN r.event_at < a.started_at - INTERVAL '1 hour' THEN r.id END) / 24.0
)
SELECT e.incident_id, array_agg(DISTINCT e.track ORDER BY e.track) FILTER (WHERE TRUE) AS tracks,
    coalesce(array_agg(DISTINCT e.track ORDER BY e.track) FILTER (WHERE EXISTS (
        SELECT 1 FROM incident_now o WHERE NOT o.is_proposed AND list_contains(o.tracks, e.track)
            AND o.opened_at BETWEEN a.started_at - INTERVAL '1 hour'
                AND a.started_at + INTERVAL '1 hour')), ARRAY[]::text[]) AS official
FROM elsewhere e JOIN matter a ON a.incident_id = e.incident_id
GROUP BY e.incident_id
) e;

-- name: crowd
-- The view.
CREATE VIEW crowd AS
SELECT * FROM (
WITH official AS (
    SELECT i.incident_id, CASE WHEN i.is_proposed THEN o.opened_at ELSE i.opened_at END AS opened_at,
        NOT i.is_proposed AND i.resolved_at IS NULL AS is_open,
        CASE WHEN i.is_proposed THEN ARRAY[]::text[] ELSE i.regions END AS regions,
        CASE WHEN i.is_proposed THEN ARRAY[]::text[] ELSE i.components END AS components,
        lower(concat_ws('|', i.title, array_to_string(i.regions, '|'),
            array_to_string(i.components, '|'), i.updates::text)) AS words
    FROM incident_now i LEFT JOIN incident_now o ON o.incident_id = i.official_id
), counted AS (
    SELECT incident_id, date_trunc('hour', event_at) AS hour,
        count(DISTINCT witness) FILTER (WHERE says = 'broken') AS witnesses,
        count(DISTINCT witness) FILTER (WHERE says = 'works') AS recovered,
        count(DISTINCT witness) FILTER (WHERE says = 'broken' AND phase = 'after') AS still_broken,
        min(event_at) FILTER (WHERE says = 'broken') AS first_at
    FROM crowd_said s WHERE phase <> 'before'
    GROUP BY 1, 2
), usual AS (
    SELECT incident_id,
        CAST(count(DISTINCT (witness, date_trunc('hour', event_at))) AS double precision) / 24
            AS normal
    FROM crowd_said s WHERE phase = 'before' AND says = 'broken'
    GROUP BY incident_id
), named AS (
    SELECT n.incident_id, n.hour, n.head, n.name,
        bool_or(strpos(o.words, lower(n.name)) > 0 OR EXISTS (SELECT 1 FROM unnest(o.regions) r WHERE strpos(lower(n.whole), lower(r)) > 0)) AS is_told
    FROM (
        SELECT incident_id, date_trunc('hour', event_at) AS hour, witness, 'region' AS head,
            place AS name, concat_ws(', ', place, place_in) AS whole
        FROM crowd_said s WHERE says = 'broken' AND phase = 'during' AND place_in IS NOT NULL
        UNION ALL
        SELECT incident_id, date_trunc('hour', event_at), witness, 'component', component, ''
        FROM crowd_said s WHERE says = 'broken' AND phase = 'during'
    ) n
    JOIN official o ON o.incident_id = n.incident_id
    WHERE n.name IS NOT NULL
    GROUP BY 1, 2, 3, 4 HAVING count(DISTINCT n.witness) >= 3
), left_out AS (
    SELECT n.incident_id, n.hour,
        array_agg(DISTINCT n.name ORDER BY n.name) FILTER (WHERE n.head = 'region') AS regions,
        array_agg(DISTINCT n.name ORDER BY n.name) FILTER (WHERE n.head = 'component') AS components
    FROM named n JOIN official o ON o.incident_id = n.incident_id
    -- Places only where we understand what regions the official word means: it names one we found.
    WHERE NOT n.is_told AND CASE n.head WHEN 'component' THEN o.components <> ARRAY[]::text[]
        ELSE o.regions <> ARRAY[]::text[] AND EXISTS (SELECT 1 FROM named k
            WHERE k.incident_id = n.incident_id AND k.head = 'region' AND k.is_told) END
    GROUP BY n.incident_id, n.hour
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
    coalesce(l.regions, ARRAY[]::text[]) AS unnamed_regions,
    coalesce(l.components, ARRAY[]::text[]) AS unnamed_components,
    coalesce(e.tracks, ARRAY[]::text[]) AS other_tracks,
    coalesce(e.official, ARRAY[]::text[]) AS other_official
FROM counted c
JOIN official o ON o.incident_id = c.incident_id
LEFT JOIN usual u ON u.incident_id = c.incident_id
LEFT JOIN left_out l ON l.incident_id = c.incident_id AND l.hour = c.hour
LEFT JOIN (
WITH told AS (
    SELECT DISTINCT ON (incident_id) incident_id, topic
    FROM (
        SELECT incident_id, topic, count(DISTINCT witness) AS witnesses FROM crowd_said s
        WHERE says = 'broken' AND phase = 'during' AND topic IS NOT NULL
        GROUP BY incident_id, topic HAVING count(DISTINCT witness) >= 3
    ) t
    ORDER BY incident_id, witnesses DESC, topic
), matter AS (
    SELECT i.incident_id, i.started_at, i.tracks, coalesce(i.topic, p.topic, t.topic) AS topic
    FROM incident_now i
    LEFT JOIN incident_now p ON p.official_id = i.incident_id
    LEFT JOIN told t ON t.incident_id = i.incident_id
    WHERE i.tracks <> ARRAY[]::text[]
), report AS (
    -- By the machine's labels: they are read for all tracks.
    SELECT m.id, coalesce(m.author_key, m.id) AS witness, m.topic, m.event_at, m.tracks,
        unnest(m.tracks) AS track
    FROM fct_mention m
    WHERE m.intent = 'report' AND coalesce(m.noise, 'no') <> 'yes'
        AND m.repeat_kind IN ('original', 'near') AND m.topic IN (SELECT topic FROM matter)
        AND m.event_at >= (SELECT min(started_at) FROM matter) - INTERVAL '25 hours'
        AND m.event_at <= (SELECT max(started_at) FROM matter) + INTERVAL '30 minutes'
        AND NOT EXISTS (SELECT 1 FROM fct_campaign k
            WHERE k.mention_id = m.id AND k.mention_version = m.version)
), elsewhere AS (
    SELECT a.incident_id, o.track
    FROM matter a
    JOIN incident_now o ON o.topic = a.topic AND o.is_proposed AND o.status <> 'dismissed'
        AND o.started_at BETWEEN a.started_at - INTERVAL '30 minutes'
            AND a.started_at + INTERVAL '30 minutes'
        AND o.tracks <> ARRAY[]::text[] AND NOT (o.tracks && a.tracks)
    WHERE a.topic <> 'other'
    UNION
    SELECT a.incident_id, r.track
    FROM matter a
    JOIN report r ON r.topic = a.topic AND r.event_at >= a.started_at - INTERVAL '25 hours'
        AND r.event_at <= a.started_at + INTERVAL '30 minutes'
        -- A post that names both is no sign: a company and its shop are often named together.
        AND NOT (r.tracks && a.tracks)
    WHERE a.topic <> 'other'
    GROUP BY a.incident_id, r.track
    HAVING count(DISTINCT CASE WHEN r.event_at >= a.started_at - INTERVAL '30 minutes'
            THEN r.witness END) >= 5
        AND count(DISTINCT CASE WHEN r.event_at >= a.started_at - INTERVAL '30 minutes'
            THEN r.witness END) > 3 * count(DISTINCT CASE
            WHEN r.event_at < a.started_at - INTERVAL '1 hour' THEN r.id END) / 24.0
)
SELECT e.incident_id, array_agg(DISTINCT e.track ORDER BY e.track) FILTER (WHERE TRUE) AS tracks,
    coalesce(array_agg(DISTINCT e.track ORDER BY e.track) FILTER (WHERE EXISTS (
        SELECT 1 FROM incident_now o WHERE NOT o.is_proposed AND list_contains(o.tracks, e.track)
            AND o.opened_at BETWEEN a.started_at - INTERVAL '1 hour'
                AND a.started_at + INTERVAL '1 hour')), ARRAY[]::text[]) AS official
FROM elsewhere e JOIN matter a ON a.incident_id = e.incident_id
GROUP BY e.incident_id
) e ON e.incident_id = c.incident_id
) c;

-- name: checksum_2
-- What it noted.
INSERT INTO meta (key, value) VALUES ('migration_0002', '8bba0df5bb144e07b1ff9299770746f36d84ab2ee78c448de95bafbe847237f8');

-- name: checksum_3
-- What it noted.
INSERT INTO meta (key, value) VALUES ('migration_0003', '08d31c9c7b1a72ca8313093a998e930f98bdcf00f338695ba42b63bcfee76ee4');

-- name: checksum_4
-- What it noted.
INSERT INTO meta (key, value) VALUES ('migration_0004', '796b1b939704d81e8366cfedb83658a17e4bebfd7a99bd56685b3656fa259336');

-- name: checksum_5
-- What it noted.
INSERT INTO meta (key, value) VALUES ('migration_0005', '757a697ab77ceb81136b47da888ea213cb589b8339a233ad468bacf76049fd71');
