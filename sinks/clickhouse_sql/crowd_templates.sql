-- The crowd's templates as ClickHouse can plan them: what a view reads is planned anew wherever it is
-- read, also what stands in its WITH. So what is read from many others (links, mentions, what was
-- said) is named in each template once. The rules are those of common_sql, with their reasons.

-- name: crowd_said_of
-- Instead of the common one: a post that is linked comes for its incidents, any other for those that
-- were closed and have it on one of their days.
WITH linked AS (
    SELECT l.mention_id, groupArray((i.incident_id, if(NOT i.is_proposed
        AND i.status IN ('resolved', 'postmortem'), i.resolved_at, NULL))) AS links
    FROM @2 l JOIN @1 i ON i.incident_id = l.incident_id
    WHERE l.link_state = 'linked' OR (i.is_proposed AND l.link_state = 'suggested')
    GROUP BY l.mention_id
), said AS (
    SELECT m.id, m.witness, m.event_at, m.tracks, nullif(m.topic, 'other') AS topic, m.component,
        m.place, m.place_in, if(m.is_report, 'broken', 'works') AS says,
        notEmpty(l.links) AS is_linked,
        arrayJoin(if(notEmpty(l.links), l.links, [('', NULL)])) AS link
    FROM @3 m
    LEFT JOIN linked l ON l.mention_id = m.id
    WHERE m.witness IS NOT NULL AND (m.is_report OR (m.intent = 'recovery'
        AND coalesce(m.noise, 'no') <> 'yes' AND m.repeat_kind IN ('original', 'near')))
), closed AS (
    SELECT incident_id, started_at, resolved_at, tracks, components,
        arrayJoin(arrayDistinct([toDate(started_at - INTERVAL '25 hours'),
            toDate(started_at - INTERVAL '1 hour'), toDate(assumeNotNull(resolved_at)),
            toDate(assumeNotNull(resolved_at) + INTERVAL '1 day')])) AS day
    FROM @1
    WHERE NOT is_proposed AND status IN ('resolved', 'postmortem') AND resolved_at IS NOT NULL
), paired AS (
    SELECT if(s.is_linked, s.link.1, c.incident_id) AS incident_id, s.id, multiIf(
            s.is_linked, if(s.event_at > s.link.2, 'after', 'during'),
            s.event_at < c.started_at, 'before', 'after') AS phase,
        s.says, s.witness, s.event_at, s.topic, s.component, s.place, s.place_in, s.is_linked
    FROM said s
    LEFT JOIN closed c ON c.day = if(s.is_linked, NULL, toDate(s.event_at))
    WHERE s.is_linked OR (
        ((s.event_at > c.resolved_at AND s.event_at <= c.resolved_at + INTERVAL '1 day')
            OR (s.event_at >= c.started_at - INTERVAL '25 hours'
                AND s.event_at < c.started_at - INTERVAL '1 hour'))
        AND (empty(c.tracks) OR hasAny(s.tracks, c.tracks))
        AND (s.component IS NULL OR empty(c.components)
            OR strpos(lower(array_to_string(c.components, '|')), lower(s.component)) > 0))
), numbered AS (
    SELECT *, uniqExactIf(witness, is_linked AND says = 'broken')
        OVER (PARTITION BY incident_id, topic) AS witnesses
    FROM paired
), known AS (
    SELECT *, groupUniqArrayIf(topic, is_linked AND says = 'broken' AND witnesses >= 2)
        OVER (PARTITION BY incident_id) AS topics
    FROM numbered
)
SELECT incident_id, id, phase, says, witness, event_at, topic, component, place, place_in
FROM known
WHERE is_linked OR topic IS NULL OR topic = 'outage' OR empty(topics) OR has(topics, topic)

-- name: crowd_elsewhere_of
-- Instead of the common one: signs of all tracks are found by their topic and day. What is a sign in a
-- proposal, or in reports, is told apart by whether there is a witness.
WITH told AS (
    SELECT incident_id, argMax(topic, (witnesses, topic)) AS topic
    FROM (
        SELECT incident_id, topic, uniqExact(witness) AS witnesses FROM @2 s
        WHERE says = 'broken' AND phase = 'during' AND topic IS NOT NULL
        GROUP BY incident_id, topic HAVING witnesses >= 3
    ) t
    GROUP BY incident_id
), matter AS (
    SELECT i.incident_id, i.started_at, i.tracks, coalesce(i.topic, p.topic, t.topic) AS topic,
        arrayJoin(arrayDistinct([toDate(i.started_at - INTERVAL '25 hours'),
            toDate(i.started_at - INTERVAL '1 hour'),
            toDate(i.started_at + INTERVAL '30 minutes')])) AS day
    FROM @1 i
    LEFT JOIN incident_now p ON p.official_id = i.incident_id
    LEFT JOIN told t ON t.incident_id = i.incident_id
    WHERE notEmpty(i.tracks)
), sign AS (
    SELECT topic, started_at AS at, tracks, arrayJoin(tracks) AS track, incident_id AS id,
        CAST(NULL AS text) AS witness
    FROM incident_now WHERE is_proposed AND status <> 'dismissed' AND topic <> 'other'
    UNION ALL
    -- By the machine's labels: they are read for all tracks.
    SELECT topic, event_at, tracks, arrayJoin(tracks), id, coalesce(author_key, id)
    FROM fct_mention
    WHERE intent = 'report' AND coalesce(noise, 'no') <> 'yes' AND topic <> 'other'
        AND repeat_kind IN ('original', 'near')
        AND event_at >= (SELECT min(started_at) FROM @1) - INTERVAL '25 hours'
        AND event_at <= (SELECT max(started_at) FROM @1) + INTERVAL '30 minutes'
        AND (id, version) NOT IN (SELECT mention_id, mention_version FROM fct_campaign)
), near AS (
    SELECT a.incident_id, a.started_at, s.track, s.id, s.witness,
        s.at >= a.started_at - INTERVAL '30 minutes' AS is_now,
        s.at < a.started_at - INTERVAL '1 hour' AS is_usual
    FROM sign s JOIN matter a ON a.topic = s.topic AND a.day = toDate(s.at)
    WHERE s.at >= a.started_at - INTERVAL '25 hours'
        AND s.at <= a.started_at + INTERVAL '30 minutes' AND NOT hasAny(s.tracks, a.tracks)
), elsewhere AS (
    SELECT incident_id, track, any(started_at) AS started_at
    FROM near
    GROUP BY incident_id, track
    HAVING countIf(is_now AND witness IS NULL) > 0
        OR (uniqExactIf(witness, is_now) >= 5 AND uniqExactIf(witness, is_now)
            > 3 * uniqExactIf(id, is_usual AND witness IS NOT NULL) / 24.0)
), spoken AS (
    SELECT arrayJoin(tracks) AS track, groupArray(opened_at) AS opened
    FROM incident_now WHERE NOT is_proposed GROUP BY 1
)
SELECT e.incident_id, arraySort(groupUniqArray(e.track)) AS tracks,
    arraySort(groupUniqArrayIf(e.track, arrayExists(at ->
        at BETWEEN e.started_at - INTERVAL '1 hour' AND e.started_at + INTERVAL '1 hour', o.opened)))
        AS official
FROM elsewhere e LEFT JOIN spoken o ON o.track = e.track
GROUP BY e.incident_id

-- name: crowd_of
-- Instead of the common one: every hour is counted together with what is named in it.
WITH official AS (
    SELECT i.incident_id, if(i.is_proposed, o.opened_at, i.opened_at) AS opened_at,
        NOT i.is_proposed AND i.resolved_at IS NULL AS is_open,
        if(i.is_proposed, @no_words, i.regions) AS regions,
        if(i.is_proposed, @no_words, i.components) AS components,
        lower(concat_ws('|', i.title, array_to_string(i.regions, '|'),
            array_to_string(i.components, '|'), i.updates)) AS words
    FROM @1 i LEFT JOIN incident_now o ON o.incident_id = i.official_id
), counted AS (
    -- head hour: what was said in it; before: on the day before; region, component: who named it.
    SELECT incident_id, date_trunc('hour', event_at) AS hour, head.1 AS head, head.2 AS name,
        toInt64(uniqExactIf(witness, says = 'broken')) AS witnesses,
        toInt64(uniqExactIf(witness, says = 'works')) AS recovered,
        toInt64(uniqExactIf(witness, says = 'broken' AND phase = 'after')) AS still_broken,
        minIf(event_at, says = 'broken') AS first_at,
        groupUniqArray(if(head.1 = 'region', concat_ws(', ', place, place_in), '')) AS wholes
    FROM (
        SELECT *, arrayJoin(arrayFilter(h -> h.2 IS NOT NULL, multiIf(
            phase = 'before', [('before', '')],
            says = 'broken' AND phase = 'during', [('hour', ''), ('component', component),
                ('region', if(place_in IS NULL, NULL, place))],
            [('hour', '')]))) AS head
        FROM @2 s
    ) s
    GROUP BY 1, 2, 3, 4
), named AS (
    SELECT c.*, o.opened_at, o.is_open, head IN ('region', 'component') AND c.witnesses >= 3
            AND (strpos(o.words, lower(c.name)) > 0
                OR arrayExists(w -> @names_any(w, o.regions), c.wholes)) AS is_told,
        head IN ('region', 'component') AND c.witnesses >= 3 AND NOT is_told
            AND notEmpty(if(head = 'region', o.regions, o.components)) AS is_left_out
    FROM counted c JOIN official o ON o.incident_id = c.incident_id
), known AS (
    SELECT *,
        -- Places only where we understand what regions the official word means: it names one we found.
        max(head = 'region' AND is_told) OVER (PARTITION BY incident_id) AS has_region,
        ifNull(sumIf(witnesses, head = 'before') OVER (PARTITION BY incident_id), 0) / 24 AS normal
    FROM named
), told AS (
    SELECT incident_id, hour, any(opened_at) AS opened_at, any(is_open) AS is_open,
        any(normal) AS normal, sumIf(witnesses, head = 'hour') AS witnesses,
        sumIf(recovered, head = 'hour') AS recovered,
        sumIf(still_broken, head = 'hour') AS still_broken,
        minIf(first_at, head = 'hour') AS first_at,
        @sorted_set(name, head = 'region' AND is_left_out AND has_region) AS regions,
        @sorted_set(name, head = 'component' AND is_left_out) AS components
    FROM known WHERE head <> 'before' GROUP BY incident_id, hour
)
SELECT t.incident_id, t.hour,
    CASE
        WHEN t.still_broken >= 3 AND t.still_broken > 2 * t.normal THEN 'contradicts'
        WHEN notEmpty(e.tracks) AND t.still_broken = 0 THEN 'elsewhere'
        WHEN notEmpty(t.regions) OR notEmpty(t.components) THEN 'contradicts'
        WHEN t.opened_at IS NULL OR t.first_at < t.opened_at THEN 'ahead'
        WHEN t.is_open AND t.recovered >= 3 AND t.recovered > t.witnesses THEN 'ahead'
        ELSE 'agrees'
    END AS stance,
    t.witnesses, t.recovered, t.still_broken, t.normal, t.regions AS unnamed_regions,
    t.components AS unnamed_components, e.tracks AS other_tracks, e.official AS other_official
FROM told t
LEFT JOIN @crowd_elsewhere_of(@1, @2) e ON e.incident_id = t.incident_id

-- name: rumour_of
-- Instead of the common one: what official words said stands beside the claim, as in incident_feedback.
WITH claimed AS (
    SELECT m.id, m.witness, m.event_at, m.tracks, m.track, l.incident_id, arrayJoin(m.claims) AS claim
    FROM @1 m
    LEFT JOIN @2 l ON l.mention_id = m.id
    WHERE coalesce(m.noise, 'no') <> 'yes'
), told AS (
    SELECT arrayJoin(claims) AS claim, groupArray((tracks, opened_at, resolved_at)) AS words
    FROM incident_now WHERE NOT is_proposed GROUP BY 1
)
SELECT c.incident_id, c.track, c.claim, count(*) AS mentions, count(DISTINCT c.witness) AS witnesses,
    min(c.event_at) AS first_seen_at, max(c.event_at) AS last_seen_at,
    @first_of(c.id, c.event_at, c.id) AS first_id
FROM claimed c LEFT JOIN told t ON t.claim = c.claim
WHERE NOT arrayExists(w -> (empty(w.1) OR hasAny(w.1, c.tracks))
    AND w.2 <= c.event_at + INTERVAL '1 day'
    AND coalesce(w.3, c.event_at) >= c.event_at - INTERVAL '1 day', t.words)
GROUP BY c.incident_id, c.track, c.claim
