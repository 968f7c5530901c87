-- Templates: @mention_now_of(newest, newest) in another file stands for the section of that name here,
-- in brackets, with @1 replaced by the first name in its brackets and so on. Relations are named, never
-- values. What folds words together is a template, so that the page's queries apply the same rules to
-- a few rows instead of filtering the result for all.

-- name: mention_now_of
-- Mentions (@1) as they are to be read now: people's words over the machine's, repeats after the
-- earliest of their group (@2 names at least their groups). A witness is an author, or an unknown
-- author's post that is no repost; what the watch set aside as a brigade's (campaign) reports nothing.
-- Without words: who shows them joins mention_private, and not where is_removed.
SELECT f.*,
    CASE WHEN author_key IS NOT NULL THEN author_key WHEN kind <> 'repost' THEN id END AS witness,
    coalesce(intent = 'report' AND coalesce(noise, 'no') <> 'yes'
        AND repeat_kind IN ('original', 'near'), FALSE) AND campaign IS NULL AS is_report
FROM (
    SELECT m.id, m.source, m.kind, m.author_key, m.lang, m.said_at, m.event_at, m.seen_at,
        greatest(m.updated_at, p.updated_at, k.updated_at) AS updated_at, m.tracks, @first_word(m.tracks) AS track,
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
        m.repeat_group, m.claims, m.place_in, m.engagement, m.rating, m.version,
        m.model AS model_version, m.is_hidden OR m.is_erased AS is_removed, m.is_erased, m.arrival,
        k.kind AS campaign
    FROM @1 m
    LEFT JOIN person_label p ON p.id = m.id
    LEFT JOIN fct_campaign k ON k.mention_id = m.id AND k.mention_version = m.version
    @heads_of(@2)
) f

-- name: links_of
-- The machine's links of incidents (@1) and of those merged into them. One list to look up, not an OR,
-- for which PostgreSQL reads all links.
SELECT * FROM fct_link WHERE incident_id IN (
    SELECT incident_id FROM @1
    UNION
    SELECT incident_id FROM incident_alias WHERE into_id IN (SELECT incident_id FROM @1))

-- name: decisions_of
-- What people settled about links to incidents (@1) and to those merged into them.
SELECT * FROM fct_decision WHERE verb IN ('link', 'unlink') AND value IN (
    SELECT incident_id FROM @1
    UNION
    SELECT incident_id FROM incident_alias WHERE into_id IN (SELECT incident_id FROM @1))

-- name: link_now_of
-- A row per mention and incident with the word that counts, of mentions (@1), links (@2) and
-- decisions (@3): a person's, else the machine's if it was made for the mention's present version and
-- nobody dismissed the incident. Links of a merged incident are its heir's. Also unlinked.
WITH alias AS MATERIALIZED (
    -- Asked for once: planning what it stands for takes longer than the rest of a small question.
    SELECT incident_id, into_id FROM incident_alias
), machine AS (
    SELECT l.mention_id, coalesce(a.into_id, l.incident_id) AS incident_id, l.incident_id AS said_of,
        l.state, l.p, l.made_by, l.evidence, l.updated_at
    FROM @2 l
    JOIN @1 m ON m.id = l.mention_id AND m.version = l.mention_version
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
    FROM @3 d
    LEFT JOIN alias a ON a.incident_id = d.value
    WHERE d.verb IN ('link', 'unlink') AND d.subject IN (SELECT id FROM @1)
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

-- name: incident_count_of
-- Mentions (linked, repeats included) and witnesses (distinct authors of linked reports, of a proposal
-- of ours also of suggested ones) by incident, from words on links (@1) and the mentions they are
-- about (@2). crowd_said_of counts by the same rule.
SELECT l.incident_id, count(*) FILTER (WHERE l.link_state = 'linked') AS mentions,
    count(DISTINCT m.witness) FILTER (WHERE m.is_report) AS witnesses,
    min(m.event_at) FILTER (WHERE m.is_report) AS first_report_at
FROM @1 l JOIN @2 m ON m.id = l.mention_id
WHERE l.link_state = 'linked'
    OR (l.link_state = 'suggested' AND starts_with(l.incident_id, 'groundswell:'))
GROUP BY l.incident_id

-- name: is_newer_mention
-- Whether a row of fct_mention (@1) supersedes another (@2): a newer version, or a newer model's labels.
(@1.version, @1.model) > (@2.version, @2.model)

-- name: is_newer_link
-- Whether a row of fct_link (@1) supersedes another (@2); p and state only decide between twins.
(@1.mention_version, @1.model, @1.incident_version, @1.p, @1.state)
    > (@2.mention_version, @2.model, @2.incident_version, @2.p, @2.state)

-- name: is_newer_incident
-- Whether a row of dim_incident (@1) supersedes another (@2); time and content only decide between twins.
(@1.version, @1.recorded_at, @1.record::text COLLATE "C")
    > (@2.version, @2.recorded_at, @2.record::text COLLATE "C")

-- name: coverage_gap_of
-- Gaps by source and track, of rows of fct_coverage (@1): what the view coverage_gap says. When a track
-- was read is told by all rows of fct_coverage (@2).
SELECT source, track, from_at, to_at, cause FROM @1 WHERE is_gap AND to_at > from_at
UNION
SELECT t.source, t.track, greatest(g.from_at, t.from_at) AS from_at, g.to_at, g.cause
FROM (
    SELECT source, from_at, to_at, cause FROM @1 WHERE is_gap AND track = ''
) g
JOIN (
    SELECT source, track, min(from_at) AS from_at, max(to_at) AS to_at FROM @2
    WHERE track <> '' AND to_at > from_at GROUP BY source, track
) t ON t.source = g.source
WHERE g.to_at > t.from_at AND g.from_at <= t.to_at

-- name: coverage_span_of
-- Rows of fct_coverage (@1) and their gaps (@2), with spans that meet or overlap made one: what the
-- view coverage_span says.
SELECT kind, source, track, min(from_at) AS from_at, max(to_at) AS to_at
FROM (
    SELECT kind, source, track, from_at, to_at,
        -- Of twins the one that begins comes first: else the other is counted to what was before it.
        sum(begins) OVER (PARTITION BY kind, source, track ORDER BY from_at, to_at, begins DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS island
    FROM (
        SELECT kind, source, track, from_at, to_at,
            CASE WHEN from_at <= max(to_at) OVER (PARTITION BY kind, source, track
                ORDER BY from_at, to_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                THEN 0 ELSE 1 END AS begins
        FROM (
            SELECT 'told' AS kind, source, track, from_at, to_at FROM @1
            WHERE to_at > from_at
            UNION ALL
            SELECT 'told', source, track, from_at, to_at FROM @2
            UNION ALL
            SELECT 'blind', source, track, from_at, to_at FROM @2
        ) both_kinds
    ) marked
) numbered
GROUP BY kind, source, track, island
