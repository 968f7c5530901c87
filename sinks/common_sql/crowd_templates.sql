-- Templates of the views and queries about the crowd (see templates.sql).

-- name: crowd_said_of
-- Who said of which incident (@1) that it is broken, or that it works, from words on links (@2) and
-- mentions (@3): posts linked to it (to a proposal also those suggested), and of incidents whose
-- owner has closed them what was said on the track within a day after (phase after) or on the day
-- before they began (phase before) and that neither component nor topic tells apart.
WITH said AS (
    SELECT id, witness, event_at, tracks, nullif(topic, 'other') AS topic, component, place, place_in,
        CASE WHEN is_report THEN 'broken' ELSE 'works' END AS says
    FROM @3
    WHERE witness IS NOT NULL AND (is_report OR (intent = 'recovery'
        AND coalesce(noise, 'no') <> 'yes' AND repeat_kind IN ('original', 'near')))
), linked AS (
    SELECT i.incident_id, s.id, s.witness, s.event_at, s.tracks, s.topic, s.component, s.place,
        s.place_in, s.says,
        CASE WHEN NOT i.is_proposed AND i.status IN ('resolved', 'postmortem')
            AND s.event_at > i.resolved_at THEN 'after' ELSE 'during' END AS phase
    FROM @2 l
    JOIN said s ON s.id = l.mention_id
    JOIN @1 i ON i.incident_id = l.incident_id
    -- What a proposal is made of may bear too few signs for a certain link to it.
    WHERE l.link_state = 'linked' OR (i.is_proposed AND l.link_state = 'suggested')
), matter AS MATERIALIZED (
    -- Else PostgreSQL looks for it anew with every post around the incident.
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
FROM @1 i
JOIN said s ON (s.event_at > i.resolved_at AND s.event_at <= i.resolved_at + INTERVAL '1 day')
    OR (s.event_at >= i.started_at - INTERVAL '25 hours'
        AND s.event_at < i.started_at - INTERVAL '1 hour')
LEFT JOIN matter m ON m.incident_id = i.incident_id
WHERE NOT i.is_proposed AND i.status IN ('resolved', 'postmortem') AND i.resolved_at IS NOT NULL
    AND (i.tracks = @no_words OR @overlaps(s.tracks, i.tracks))
    AND (s.component IS NULL OR i.components = @no_words
        OR strpos(lower(array_to_string(i.components, '|')), lower(s.component)) > 0)
    AND (s.topic IS NULL OR s.topic = 'outage' OR m.topics IS NULL OR @holds(m.topics, s.topic))
    AND s.id NOT IN (SELECT id FROM linked)

-- name: crowd_elsewhere_of
-- On which other tracks the same happened at once, for each of these incidents (@1), from what was
-- said of them (@2): within half an hour of its start there was a proposal on its topic, or five
-- people (and thrice as many as usual in an hour of the day before) reported its topic there. Its
-- topic is a proposal's, or the one most of its reports name. official: those of the tracks whose
-- owner opened an incident within an hour.
WITH told AS (
    SELECT DISTINCT ON (incident_id) incident_id, topic
    FROM (
        SELECT incident_id, topic, count(DISTINCT witness) AS witnesses FROM @2 s
        WHERE says = 'broken' AND phase = 'during' AND topic IS NOT NULL
        GROUP BY incident_id, topic HAVING count(DISTINCT witness) >= 3
    ) t
    ORDER BY incident_id, witnesses DESC, topic
), matter AS (
    SELECT i.incident_id, i.started_at, i.tracks, coalesce(i.topic, p.topic, t.topic) AS topic
    FROM @1 i
    LEFT JOIN incident_now p ON p.official_id = i.incident_id
    LEFT JOIN told t ON t.incident_id = i.incident_id
    WHERE i.tracks <> @no_words
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
        AND o.tracks <> @no_words AND NOT @overlaps(o.tracks, a.tracks)
    WHERE a.topic <> 'other'
    UNION
    SELECT a.incident_id, r.track
    FROM matter a
    JOIN report r ON r.topic = a.topic AND r.event_at >= a.started_at - INTERVAL '25 hours'
        AND r.event_at <= a.started_at + INTERVAL '30 minutes'
        -- A post that names both is no sign: a company and its shop are often named together.
        AND NOT @overlaps(r.tracks, a.tracks)
    WHERE a.topic <> 'other'
    GROUP BY a.incident_id, r.track
    HAVING count(DISTINCT CASE WHEN r.event_at >= a.started_at - INTERVAL '30 minutes'
            THEN r.witness END) >= 5
        AND count(DISTINCT CASE WHEN r.event_at >= a.started_at - INTERVAL '30 minutes'
            THEN r.witness END) > 3 * count(DISTINCT CASE
            WHEN r.event_at < a.started_at - INTERVAL '1 hour' THEN r.id END) / 24.0
)
SELECT incident_id, @sorted_set(track, TRUE) AS tracks,
    coalesce(@sorted_set(track, is_official), @no_words) AS official
FROM (
    SELECT e.incident_id, e.track, EXISTS (
        SELECT 1 FROM incident_now o WHERE NOT o.is_proposed AND @holds(o.tracks, e.track)
            AND o.opened_at BETWEEN a.started_at - INTERVAL '1 hour'
                AND a.started_at + INTERVAL '1 hour') AS is_official
    FROM elsewhere e JOIN matter a ON a.incident_id = e.incident_id
) w
GROUP BY incident_id

-- name: crowd_of
-- What the crowd says of each of these incidents (@1) in each hour, from what was said (@2).
WITH official AS (
    SELECT i.incident_id, CASE WHEN i.is_proposed THEN o.opened_at ELSE i.opened_at END AS opened_at,
        NOT i.is_proposed AND i.resolved_at IS NULL AS is_open,
        CASE WHEN i.is_proposed THEN @no_words ELSE i.regions END AS regions,
        CASE WHEN i.is_proposed THEN @no_words ELSE i.components END AS components,
        lower(concat_ws('|', i.title, array_to_string(i.regions, '|'),
            array_to_string(i.components, '|'), i.updates::text)) AS words
    FROM @1 i LEFT JOIN incident_now o ON o.incident_id = i.official_id
), counted AS (
    SELECT incident_id, date_trunc('hour', event_at) AS hour,
        count(DISTINCT witness) FILTER (WHERE says = 'broken') AS witnesses,
        count(DISTINCT witness) FILTER (WHERE says = 'works') AS recovered,
        count(DISTINCT witness) FILTER (WHERE says = 'broken' AND phase = 'after') AS still_broken,
        min(event_at) FILTER (WHERE says = 'broken') AS first_at
    FROM @2 s WHERE phase <> 'before'
    GROUP BY 1, 2
), usual AS (
    SELECT incident_id,
        CAST(count(DISTINCT (witness, date_trunc('hour', event_at))) AS double precision) / 24
            AS normal
    FROM @2 s WHERE phase = 'before' AND says = 'broken'
    GROUP BY incident_id
), named AS (
    SELECT n.incident_id, n.hour, n.head, n.name,
        bool_or(strpos(o.words, lower(n.name)) > 0 OR @names_any(n.whole, o.regions)) AS is_told
    FROM (
        SELECT incident_id, date_trunc('hour', event_at) AS hour, witness, 'region' AS head,
            place AS name, concat_ws(', ', place, place_in) AS whole
        FROM @2 s WHERE says = 'broken' AND phase = 'during' AND place_in IS NOT NULL
        UNION ALL
        SELECT incident_id, date_trunc('hour', event_at), witness, 'component', component, ''
        FROM @2 s WHERE says = 'broken' AND phase = 'during'
    ) n
    JOIN official o ON o.incident_id = n.incident_id
    WHERE n.name IS NOT NULL
    GROUP BY 1, 2, 3, 4 HAVING count(DISTINCT n.witness) >= 3
), left_out AS (
    SELECT n.incident_id, n.hour,
        @sorted_set(n.name, n.head = 'region') AS regions,
        @sorted_set(n.name, n.head = 'component') AS components
    FROM named n JOIN official o ON o.incident_id = n.incident_id
    -- Places only where we understand what regions the official word means: it names one we found.
    WHERE NOT n.is_told AND CASE n.head WHEN 'component' THEN o.components <> @no_words
        ELSE o.regions <> @no_words AND EXISTS (SELECT 1 FROM named k
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
    coalesce(l.regions, @no_words) AS unnamed_regions,
    coalesce(l.components, @no_words) AS unnamed_components,
    coalesce(e.tracks, @no_words) AS other_tracks,
    coalesce(e.official, @no_words) AS other_official
FROM counted c
JOIN official o ON o.incident_id = c.incident_id
LEFT JOIN usual u ON u.incident_id = c.incident_id
LEFT JOIN left_out l ON l.incident_id = c.incident_id AND l.hour = c.hour
LEFT JOIN @crowd_elsewhere_of(@1, @2) e ON e.incident_id = c.incident_id

-- name: may_say
-- Whether a mention (@1) may say that something is broken or works: labels of the machine or anybody's.
(@1.intent IN ('report', 'recovery') AND coalesce(@1.noise, 'no') <> 'yes')
    OR @1.id IN (SELECT id FROM person_label)

-- name: said_of_it
-- Who said what of the incident $id: crowd_said_of, read from as few mentions as it takes.
WITH it AS MATERIALIZED (
    SELECT * FROM incident_now WHERE incident_id = $id::text
), own_links AS MATERIALIZED (
    SELECT * FROM @links_of(it) l
), own_decisions AS MATERIALIZED (
    SELECT * FROM @decisions_of(it) d
), own_ids AS MATERIALIZED (
    SELECT mention_id AS id FROM own_links
    UNION
    SELECT subject FROM own_decisions
    UNION
    SELECT m.id FROM it i JOIN fct_mention m
        ON m.event_at > i.resolved_at AND m.event_at <= i.resolved_at + INTERVAL '1 day'
    WHERE NOT i.is_proposed AND (i.tracks = @no_words OR @overlaps(m.tracks, i.tracks))
        AND @may_say(m)
    UNION
    SELECT m.id FROM it i JOIN fct_mention m
        ON m.event_at >= i.started_at - INTERVAL '25 hours'
        AND m.event_at < i.started_at - INTERVAL '1 hour'
    WHERE NOT i.is_proposed AND (i.tracks = @no_words OR @overlaps(m.tracks, i.tracks))
        AND @may_say(m)
), own_mentions AS MATERIALIZED (
    SELECT * FROM @mentions_of(SELECT id FROM own_ids) m
), words AS MATERIALIZED (
    SELECT * FROM @link_now_of(own_mentions, own_links, own_decisions) l
    WHERE incident_id = $id::text
), own_mentions_now AS MATERIALIZED (
    SELECT * FROM @mention_now_of(own_mentions, own_mentions) m
)
SELECT * FROM @crowd_said_of(it, words, own_mentions_now) s

-- name: rumour_of
-- What these mentions (@1) claim that no official word of their tracks has said until a day after,
-- with the incidents that words on links (@2) name.
WITH claimed AS (
    SELECT m.id, m.witness, m.event_at, m.tracks, m.track, l.incident_id, unnest(m.claims) AS claim
    FROM @1 m
    LEFT JOIN @2 l ON l.mention_id = m.id
    WHERE m.claims IS NOT NULL AND coalesce(m.noise, 'no') <> 'yes'
)
SELECT c.incident_id, c.track, c.claim, count(*) AS mentions, count(DISTINCT c.witness) AS witnesses,
    min(c.event_at) AS first_seen_at, max(c.event_at) AS last_seen_at,
    @first_of(c.id, c.event_at, c.id) AS first_id
FROM claimed c
WHERE NOT EXISTS (
    SELECT 1 FROM incident_now i
    WHERE NOT i.is_proposed AND @holds(i.claims, c.claim)
        AND (i.tracks = @no_words OR @overlaps(i.tracks, c.tracks))
        AND i.opened_at <= c.event_at + INTERVAL '1 day'
        AND coalesce(i.resolved_at, c.event_at) >= c.event_at - INTERVAL '1 day'
)
GROUP BY c.incident_id, c.track, c.claim
