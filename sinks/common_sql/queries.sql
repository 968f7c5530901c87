-- The questions that the page and the watch ask. A value that is not given is NULL; filters that
-- are NULL let everything pass. Removed mentions are in the counts and nowhere else.

-- name: newest_feedback
-- The newest arrivals first. Filters: source, track, intent, linked (true, false), after (an arrival
-- number). With intent or linked, the newest $within (20,000) that pass the others are looked at.
WITH oldest AS MATERIALIZED (
    -- Numbers alone: to sort more columns would cost more than all the rest.
    SELECT min(arrival) AS arrival FROM (
        SELECT arrival FROM fct_mention
        WHERE NOT is_hidden AND NOT is_erased
            AND ($source::text IS NULL OR source = $source::text)
            AND ($track::text IS NULL OR @holds(tracks, $track::text))
            AND arrival > coalesce($after::bigint, -1)
        ORDER BY arrival DESC
        LIMIT (CASE WHEN $intent::text IS NULL AND $linked::boolean IS NULL
            THEN coalesce($limit::bigint, 200) ELSE coalesce($within::bigint, 20000) END)
    ) looked_at
), of_intent AS MATERIALIZED (
    SELECT m.id, m.version, m.arrival FROM fct_mention m LEFT JOIN person_label l ON l.id = m.id
    WHERE m.arrival >= (SELECT arrival FROM oldest) AND NOT m.is_hidden AND NOT m.is_erased
        AND ($source::text IS NULL OR m.source = $source::text)
        AND ($track::text IS NULL OR @holds(m.tracks, $track::text))
        AND ($intent::text IS NULL OR coalesce(l.intent, m.intent) = $intent::text)
    ORDER BY m.arrival DESC
    LIMIT (CASE WHEN $linked::boolean IS NULL THEN coalesce($limit::bigint, 200)
        ELSE coalesce($within::bigint, 20000) END)
), own_links AS MATERIALIZED (
    SELECT * FROM fct_link WHERE mention_id IN (SELECT id FROM of_intent)
), words AS MATERIALIZED (
    SELECT * FROM @link_now_of(of_intent, own_links, fct_decision) l
), incident AS MATERIALIZED (
    -- Once for both that read it: planning it is half the time that this question takes.
    SELECT incident_id, title, status, is_proposed, official_id FROM incident_now
), best AS MATERIALIZED (
    SELECT * FROM @best_link_of(words, incident) b
), newest AS MATERIALIZED (
    SELECT * FROM fct_mention WHERE arrival IN (
        SELECT arrival FROM of_intent
        -- IN, not a join: whatever the planner believes of these sizes, it looks each up in a hash.
        WHERE $linked::boolean IS NULL
            OR (id IN (SELECT mention_id FROM best)) = $linked::boolean
        ORDER BY arrival DESC
        LIMIT (coalesce($limit::bigint, 200)))
)
SELECT p.id, p.source, p.kind, d.handle, d.text, p.said_at, p.event_at, p.seen_at, d.url, p.tracks,
    p.intent, p.intent_p, p.intent_sure, p.topic, p.severity, p.sentiment, p.noise = 'yes' AS is_noise,
    p.component, p.place, p.app_version, p.language, p.repeat_kind, p.repeat_of, l.incident_id,
    i.title AS incident_title, i.status AS incident_status, i.is_proposed AS incident_is_proposed,
    l.link_state, l.link_p, l.link_by, p.version, p.arrival
FROM @mention_now_of(newest, newest) p
LEFT JOIN best l ON l.mention_id = p.id
@private_of(p, d)
LEFT JOIN incident i ON i.incident_id = l.incident_id
ORDER BY p.arrival DESC;

-- name: counts_per_minute
-- Mentions, reports and witnesses of reports by minute of event_at, from $from_at up to $to_at
-- (excluded), with the filters of newest_feedback. Minutes without mentions have no row.
WITH these AS MATERIALIZED (
    SELECT * FROM fct_mention
    WHERE event_at >= $from_at::timestamp AND event_at < $to_at::timestamp
        AND ($source::text IS NULL OR source = $source::text)
        AND ($track::text IS NULL OR @holds(tracks, $track::text))
), own_links AS MATERIALIZED (
    SELECT * FROM fct_link WHERE $linked::boolean IS NOT NULL
        AND mention_id IN (SELECT id FROM these)
), words AS (
    SELECT * FROM @link_now_of(these, own_links, fct_decision) l
    WHERE $linked::boolean IS NOT NULL
)
SELECT date_trunc('minute', m.event_at) AS minute, count(*) AS mentions,
    count(*) FILTER (WHERE m.is_report) AS reports,
    count(DISTINCT m.witness) FILTER (WHERE m.is_report) AS witnesses
FROM @mention_now_of(these, these) m
WHERE ($intent::text IS NULL OR m.intent = $intent::text)
    AND ($linked::boolean IS NULL
        OR (m.id IN (SELECT mention_id FROM @best_link_of(words, incident_now) b)) = $linked::boolean)
GROUP BY 1 ORDER BY 1;

-- name: last_event
-- The time of the newest mention: where "now" is in a replay.
SELECT max(event_at) AS event_at FROM fct_mention;

-- name: incident_list
-- Incidents with their counts: proposals first, then open, then closed ones, the newest first.
SELECT incident_id, title, status, impact, track, tracks, components, regions, started_at, opened_at,
    resolved_at, is_proposed, official_id, lead_seconds, witnesses, mentions, first_report_at, url,
    status IN ('resolved', 'postmortem', 'dismissed') AS is_closed
FROM incidents
ORDER BY status = 'proposed' DESC, is_closed, opened_at DESC, incident_id
LIMIT (coalesce($limit::bigint, 200)) OFFSET (coalesce($offset::bigint, 0));

-- name: incident
-- One incident by $id with what its official channel said (updates) and when its status changed.
WITH asked AS MATERIALIZED (
    SELECT $id::text AS incident_id
), own_links AS MATERIALIZED (
    SELECT * FROM @links_of(asked) l
), own_decisions AS MATERIALIZED (
    SELECT * FROM @decisions_of(asked) d
), own_mentions AS MATERIALIZED (
    SELECT * FROM @mentions_of(
        SELECT mention_id AS id FROM own_links UNION SELECT subject FROM own_decisions) m
), words AS MATERIALIZED (
    SELECT * FROM @link_now_of(own_mentions, own_links, own_decisions) l
    WHERE incident_id = $id::text
), own_mentions_now AS MATERIALIZED (
    SELECT * FROM @mention_now_of(own_mentions, own_mentions) m
)
SELECT i.*, d.lead_seconds, greatest(c.witnesses, i.told_witnesses) AS witnesses,
    coalesce(c.mentions, 0) AS mentions,
    CASE WHEN i.is_proposed THEN greatest(c.first_report_at, i.started_at)
        ELSE c.first_report_at END AS first_report_at,
    i.status IN ('resolved', 'postmortem', 'dismissed') AS is_closed
FROM incident_now i
LEFT JOIN @incident_count_of(words, own_mentions_now) c ON c.incident_id = i.incident_id
LEFT JOIN incident_lead d ON d.incident_id = coalesce(i.official_id, i.incident_id)
WHERE i.incident_id = $id::text;

-- name: incident_posts
-- The posts linked to or suggested for the incident $id with the reasons, earliest first, or newest
-- first with $newest. With $state only those: linked or suggested.
WITH asked AS MATERIALIZED (
    SELECT $id::text AS incident_id
), own_links AS MATERIALIZED (
    SELECT * FROM @links_of(asked) l
), own_decisions AS MATERIALIZED (
    SELECT * FROM @decisions_of(asked) d
), own_mentions AS MATERIALIZED (
    SELECT * FROM @mentions_of(
        SELECT mention_id AS id FROM own_links UNION SELECT subject FROM own_decisions) m
), words AS MATERIALIZED (
    SELECT * FROM @link_now_of(own_mentions, own_links, own_decisions) l
    WHERE incident_id = $id::text
), picked AS MATERIALIZED (
    -- The words of a few are looked up, not of all that are linked.
    SELECT m.id, m.source, m.kind, m.event_at, m.seen_at, m.tracks, m.intent, m.intent_p, m.topic,
        m.severity, m.sentiment, m.component, m.place, m.language, m.repeat_kind, m.repeat_of,
        m.is_report, m.campaign, l.link_state, l.link_p, l.link_by, l.evidence, l.decided_at
    FROM words l
    JOIN @mention_now_of(own_mentions, own_mentions) m ON m.id = l.mention_id
    WHERE NOT m.is_removed AND l.link_state IN ('linked', 'suggested')
        AND ($state::text IS NULL OR l.link_state = $state::text)
    ORDER BY CASE WHEN $newest::boolean THEN m.event_at END DESC, m.event_at, m.id
    LIMIT (coalesce($limit::bigint, 100)) OFFSET (coalesce($offset::bigint, 0))
)
SELECT p.id, p.source, p.kind, d.handle, d.text, p.event_at, p.seen_at, d.url, p.tracks, p.intent,
    p.intent_p, p.topic, p.severity, p.sentiment, p.component, p.place, p.language, p.repeat_kind,
    p.repeat_of, p.is_report, p.campaign, p.link_state, p.link_p, p.link_by, p.evidence, p.decided_at
FROM picked p
@private_of(p, d)
ORDER BY CASE WHEN $newest::boolean THEN p.event_at END DESC, p.event_at, p.id;

-- name: incident_timeline
-- Posts linked to the incident $id by minute of event_at.
WITH asked AS MATERIALIZED (
    SELECT $id::text AS incident_id
), own_links AS MATERIALIZED (
    SELECT * FROM @links_of(asked) l
), own_decisions AS MATERIALIZED (
    SELECT * FROM @decisions_of(asked) d
), own_mentions AS MATERIALIZED (
    SELECT * FROM @mentions_of(
        SELECT mention_id AS id FROM own_links UNION SELECT subject FROM own_decisions) m
), words AS MATERIALIZED (
    SELECT * FROM @link_now_of(own_mentions, own_links, own_decisions) l
    WHERE incident_id = $id::text
)
SELECT date_trunc('minute', m.event_at) AS minute, count(*) AS mentions,
    count(*) FILTER (WHERE m.is_report) AS reports,
    count(DISTINCT m.witness) FILTER (WHERE m.is_report) AS witnesses
FROM words l JOIN @mention_now_of(own_mentions, own_mentions) m ON m.id = l.mention_id
WHERE l.link_state = 'linked'
GROUP BY 1 ORDER BY 1;

-- name: sources_and_tracks
-- What the filters may choose from: kind (source, track, intent) and name.
SELECT DISTINCT 'source' AS kind, source AS name FROM fct_mention
UNION ALL
SELECT DISTINCT 'track', track FROM mention_tracks
UNION ALL
SELECT DISTINCT 'intent', intent FROM fct_mention WHERE intent IS NOT NULL
ORDER BY 1, 2;

-- name: totals
-- What is held: mentions, repeats, linked, removed, incidents, proposals, from when to when.
SELECT m.*, l.linked, i.incidents, i.proposals
FROM (
    SELECT count(*) AS mentions, count(*) FILTER (WHERE repeat_kind <> 'original') AS repeats,
        count(*) FILTER (WHERE is_hidden OR is_erased) AS removed, min(event_at) AS from_at,
        max(event_at) AS to_at
    FROM fct_mention
) m, (
    SELECT count(DISTINCT mention_id) AS linked FROM link_now WHERE link_state = 'linked'
) l, (
    SELECT count(*) FILTER (WHERE NOT is_proposed) AS incidents,
        count(*) FILTER (WHERE is_proposed) AS proposals
    FROM dim_incident
) i;

-- name: coverage_now
-- Up to when each source was read for each track, and the last gap with its cause.
SELECT source, track, max(to_at) FILTER (WHERE NOT is_gap) AS read_to, max(to_at) FILTER (WHERE is_gap) AS gap_to,
    @last_of(cause, to_at, cause, is_gap AND cause IS NOT NULL)
        AS gap_cause
FROM coverage GROUP BY source, track ORDER BY source, track;

-- name: mention
-- One mention by $id with everything: labels, identity, links with their reasons, decisions.
WITH it AS MATERIALIZED (
    SELECT * FROM fct_mention WHERE id = $id::text
), incident AS MATERIALIZED (
    SELECT incident_id, title, status, official_id FROM incident_now
), words AS MATERIALIZED (
    SELECT * FROM @link_now_of(it, fct_link, fct_decision) l
)
SELECT m.*, d.text, d.said_place, d.hashtags, d.label_evidence, d.handle, d.author_id, d.url,
    d.reply_to, d.repost_of, d.quote_of, d.thread,
    l.incident_id, n.title AS incident_title, l.link_state, l.link_p, l.link_by,
    (SELECT to_json(array_agg(@json_object('incident', w.incident_id, 'title', s.title,
            'status', s.status, 'state', w.link_state, 'p', w.link_p, 'by', w.link_by,
            'evidence', w.evidence) ORDER BY w.link_state, w.link_p DESC, w.incident_id))
        FROM words w LEFT JOIN incident s ON s.incident_id = w.incident_id) AS links,
    (SELECT to_json(array_agg(@json_object('id', c.decision_id, 'verb', c.verb, 'value', c.value,
            'by', c.decided_by, 'at', @rfc3339(c.decided_at))
            ORDER BY c.decided_at DESC, c.decision_id DESC))
        FROM fct_decision c WHERE c.subject = $id::text) AS decisions
FROM @mention_now_of(it, it) m
@private_of(m, d) AND NOT m.is_removed
LEFT JOIN @best_link_of(words, incident) l ON l.mention_id = m.id
LEFT JOIN incident n ON n.incident_id = l.incident_id;

-- name: texts_of
-- The texts of the mentions $ids, without removed ones: what people's links teach is read from them.
SELECT m.id, w.text FROM fct_mention m @private_of(m, w)
WHERE m.id IN (SELECT unnest($ids::text[])) AND NOT m.is_hidden AND NOT m.is_erased
    AND w.text IS NOT NULL;

-- name: incident_records
-- The newest record of every incident, from which the book can be made again.
SELECT incident_id, record FROM dim_incident ORDER BY incident_id;

-- name: is_known
-- A row if anything is kept of the mention $id or of the author $id (both with their source).
SELECT 1 AS one WHERE EXISTS (SELECT 1 FROM mention_private WHERE mention_id = $id::text)
    OR EXISTS (SELECT 1 FROM mention_private WHERE author_id = $id::text);

-- name: links_of
-- Which incidents the machine ever compared the mentions $ids with, and told about.
SELECT mention_id, incident_id FROM fct_link WHERE mention_id IN (SELECT unnest($ids::text[]))
ORDER BY mention_id, incident_id;

-- name: newest_ages
-- How old the newest $limit (1,000) arrivals were when they were written, in seconds: since they were
-- received and since they were said; the median, the 99th percentile and the most. NULL without any.
-- With $since only what was written from then on. Posts of files do not tell when they were received,
-- and rows of `relabel` (their model ends with # and its run) were written long after it.
SELECT count(*) AS mentions,
    @quantile(0.5, received) AS received_p50,
    @quantile(0.99, received) AS received_p99,
    max(received) AS received_max,
    @quantile(0.5, said) AS said_p50,
    @quantile(0.99, said) AS said_p99,
    max(said) AS said_max, max(updated_at) AS written_at
FROM (
    SELECT CASE WHEN seen_at <> event_at THEN @seconds(updated_at, seen_at) END AS received,
        @seconds(updated_at, event_at) AS said, updated_at, model
    FROM fct_mention ORDER BY arrival DESC LIMIT (coalesce($limit::bigint, 1000))
) newest
WHERE updated_at >= coalesce($since::timestamp, @long_ago) AND model NOT LIKE '%#%';

-- name: newest_by_source
-- The platforms of the newest $limit (20,000) arrivals: when the newest was said and received.
SELECT source, max(event_at) AS event_at, max(seen_at) AS seen_at
FROM (
    SELECT * FROM fct_mention ORDER BY arrival DESC LIMIT (coalesce($limit::bigint, 20000))
) newest
GROUP BY source ORDER BY source;

-- name: links_by_state
-- The machine's links, by their state.
SELECT state, count(*) AS links FROM fct_link GROUP BY state ORDER BY state;

-- name: spend_now
-- What each paid source has cost since $day began, and since $month did.
SELECT source,
    coalesce(sum(reads) FILTER (WHERE day >= $day::timestamp), 0)::bigint AS reads_today,
    coalesce(sum(cost) FILTER (WHERE day >= $day::timestamp), 0) AS cost_today,
    sum(reads)::bigint AS reads_month, sum(cost) AS cost_month
FROM spend WHERE day >= $month::timestamp GROUP BY source ORDER BY source;

-- name: coverage_gaps
-- From when to when a source was blind, and why: what ended after $since, the newest first.
SELECT source, track, from_at, to_at, cause FROM coverage
WHERE is_gap AND to_at > coalesce($since::timestamp, @long_ago)
ORDER BY to_at DESC, from_at DESC, source, track
LIMIT (coalesce($limit::bigint, 100));

-- name: incident_coverage
-- What was read for each of the incidents $ids from an hour before it began (from_at) until it ended
-- or was dismissed, or $now (to_at): a row per source and track (NULL: all that it reads) of which
-- anything is told then or in the week before. Told is what was read or blind: for how many seconds
-- of that time, and from when to when (NULL: not at all; told_to_at may lie before it).
WITH asked AS MATERIALIZED (
    SELECT i.incident_id, i.tracks, i.started_at - INTERVAL '1 hour' AS from_at,
        greatest(i.started_at, least($now::timestamp,
            coalesce(i.resolved_at, o.resolved_at, w.updated_at, $now::timestamp))) AS to_at
    FROM dim_incident i
    LEFT JOIN dim_incident o ON o.incident_id = i.official_id
    LEFT JOIN incident_word w ON w.incident_id = i.incident_id AND w.verb = 'dismiss'
    WHERE i.incident_id IN (SELECT unnest($ids::text[]))
), near AS MATERIALIZED (
    -- Cut first: what all sources ever told would be put in order for one incident.
    SELECT * FROM fct_coverage
    WHERE to_at > (SELECT min(from_at) - INTERVAL '7 days' FROM asked)
        AND from_at < (SELECT max(to_at) FROM asked)
), gap AS MATERIALIZED (
    SELECT * FROM @coverage_gap_of(near, fct_coverage) g
), span AS MATERIALIZED (
    SELECT kind, source, track, from_at, to_at, CAST(NULL AS text) AS cause,
        -- It is the last word of its source until the next one begins, but not for more than a week.
        least(to_at + INTERVAL '7 days', coalesce(lead(from_at) OVER (
            PARTITION BY kind, source, track ORDER BY from_at), to_at + INTERVAL '7 days')) AS last_at
    FROM @coverage_span_of(near, gap) s
    UNION ALL
    SELECT 'cause', source, track, from_at, to_at, cause, to_at FROM gap
), piece AS (
    SELECT a.incident_id, a.from_at, a.to_at, c.kind, c.source, c.track, c.cause,
        CASE WHEN c.to_at > a.from_at THEN greatest(c.from_at, a.from_at) END AS piece_from_at,
        least(c.to_at, a.to_at) AS piece_to_at
    FROM asked a JOIN span c ON c.from_at < a.to_at AND c.last_at > a.from_at
    WHERE c.track = '' OR a.tracks = @no_words OR @holds(a.tracks, c.track)
)
SELECT incident_id, source, nullif(track, '') AS track, from_at, to_at,
    min(CASE WHEN kind = 'told' THEN piece_from_at END) AS told_from_at,
    max(CASE WHEN kind = 'told' THEN piece_to_at END) AS told_to_at,
    coalesce(sum(CASE WHEN kind = 'told' THEN @seconds(piece_to_at, piece_from_at) END), 0)
        AS seconds_told,
    coalesce(sum(CASE WHEN kind = 'blind' THEN @seconds(piece_to_at, piece_from_at) END), 0)
        AS seconds_blind,
    @joined_set(cause, cause IS NOT NULL AND piece_from_at IS NOT NULL) AS causes
FROM piece
GROUP BY incident_id, source, track, from_at, to_at
ORDER BY incident_id, source, coalesce(track, '');
