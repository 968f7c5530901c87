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
