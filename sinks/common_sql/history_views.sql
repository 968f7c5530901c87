-- What was believed when. Stable but for link_said, incident_said, incident_told and incident_judged:
-- columns may be added, never renamed or taken away. As of a time T: valid_from <= T AND (valid_to IS
-- NULL OR valid_to > T). There are no words of posts in it, so an erasure need not rewrite it.

-- name: mention_history
-- What the machine made of each mention, and when: a row for every version of the post and of the
-- models, by the time it was written here; the present one has no valid_to. People's words stand in
-- decisions. repeat_kind is what it was taken for on arrival.
CREATE VIEW mention_history AS
SELECT id, version, model AS model_version, @believed(), valid_from, valid_to
FROM fct_mention_version
UNION ALL
SELECT id, version, model, @believed(), valid_from, CAST(NULL AS timestamp)
FROM fct_mention;

-- name: link_said
-- All that the machine ever said of a mention and an incident, while the version of the mention that
-- it was said of was the newest here.
CREATE VIEW link_said AS
SELECT l.mention_id, l.incident_id, l.state, l.p, l.made_by, l.mention_version, l.model,
    l.incident_version,
    greatest(l.valid_from, coalesce(p.valid_from, m.valid_from)) AS valid_from,
    CASE WHEN m.id IS NULL THEN least(l.valid_to, p.valid_to) ELSE l.valid_to END AS valid_to
FROM (
    SELECT mention_id, incident_id, state, p, made_by, mention_version, model, incident_version,
        valid_from, valid_to
    FROM fct_link_version
    UNION ALL
    SELECT mention_id, incident_id, state, p, made_by, mention_version, model, incident_version,
        updated_at, CAST(NULL AS timestamp)
    FROM fct_link
) l
LEFT JOIN fct_mention m ON m.id = l.mention_id AND m.version = l.mention_version
LEFT JOIN (
    SELECT id, version, min(valid_from) AS valid_from, max(valid_to) AS valid_to
    FROM fct_mention_version GROUP BY id, version
) p ON p.id = l.mention_id AND p.version = l.mention_version
WHERE m.id IS NOT NULL OR p.id IS NOT NULL;

-- name: link_history
-- What counted of each mention and incident, and when: the machine's words by the time they were
-- written here, until a person's, by the time they were said; the present one has no valid_to. An
-- edited post ends what was said of its older version. Links of a merged incident stay under its
-- own name: where it went, and what was dismissed, tells incident_history.
CREATE VIEW link_history AS
SELECT l.mention_id AS id, l.incident_id, l.state AS link_state, l.p AS link_p, l.made_by AS link_by,
    CAST(NULL AS text) AS decided_by, l.mention_version AS version, l.model AS model_version,
    l.incident_version, l.valid_from,
    CASE WHEN l.valid_to IS NULL OR w.decided_at < l.valid_to THEN w.decided_at
        ELSE l.valid_to END AS valid_to
FROM link_said l
LEFT JOIN (
    SELECT subject, value, min(decided_at) AS decided_at FROM fct_decision
    WHERE verb IN ('link', 'unlink') GROUP BY subject, value
) w ON w.subject = l.mention_id AND w.value = l.incident_id
WHERE (l.valid_to IS NULL OR l.valid_from < l.valid_to)
    AND (w.decided_at IS NULL OR l.valid_from < w.decided_at)
UNION ALL
SELECT subject, value, CASE verb WHEN 'link' THEN 'linked' ELSE 'unlinked' END,
    CASE verb WHEN 'link' THEN 1 ELSE 0 END, 'person', decided_by, NULL, NULL, NULL, decided_at,
    lead(decided_at) OVER (PARTITION BY subject, value ORDER BY decided_at, decision_id)
FROM fct_decision
WHERE verb IN ('link', 'unlink') AND subject IN (SELECT id FROM fct_mention);

-- name: incident_said
-- When an incident's owner (status) or a person (verb, into_id, decided_by) said something of it.
CREATE VIEW incident_said AS
SELECT incident_id, CAST(@json_text(told, 'at') AS timestamp) AS said_at, 0 AS rank,
    @json_text(told, 'status') AS status, CAST(NULL AS text) AS verb, CAST(NULL AS text) AS into_id,
    CAST(NULL AS text) AS decided_by, '' AS decision_id
FROM (SELECT incident_id, @json_items(history) AS told FROM dim_incident) h
UNION ALL
SELECT d.subject, d.decided_at, 1, NULL, d.verb, CASE WHEN d.verb = 'merge' THEN d.value END,
    d.decided_by, d.decision_id
FROM fct_decision d
WHERE d.verb IN ('accept', 'dismiss', 'merge')
    AND d.subject IN (SELECT incident_id FROM dim_incident);

-- name: incident_history
-- How each incident went: its status by its owner's clock (of a proposal: ours),
-- with people's words from the time they were said. status: dismissed while dismissed; a proposal
-- that people accepted or merged is investigating. into_id: the incident that people merged it into.
CREATE VIEW incident_history AS
SELECT incident_id,
    CASE
        WHEN verb = 'dismiss' THEN 'dismissed'
        WHEN status = 'proposed' AND verb IN ('accept', 'merge') THEN 'investigating'
        ELSE status
    END AS status,
    status AS told_status, verb, into_id, decided_by, said_at AS valid_from,
    lead(said_at) OVER (PARTITION BY incident_id ORDER BY number) AS valid_to
FROM (
    -- What an entry does not tell holds as it was told last.
    SELECT incident_id, said_at, number, max(status) OVER (PARTITION BY incident_id, told) AS status,
        max(verb) OVER (PARTITION BY incident_id, decided) AS verb,
        max(into_id) OVER (PARTITION BY incident_id, decided) AS into_id,
        max(decided_by) OVER (PARTITION BY incident_id, decided) AS decided_by
    FROM (
        SELECT s.*, row_number() OVER said AS number, count(status) OVER said AS told,
            count(verb) OVER said AS decided
        FROM incident_said s
        WINDOW said AS (PARTITION BY incident_id ORDER BY said_at, rank, decision_id, status)
    ) counted
) filled
WHERE status IS NOT NULL;

-- name: incident_told
-- Every record of an incident that ever counted, by the time it was written here.
CREATE VIEW incident_told AS
SELECT incident_id, version, title, status, impact, official_id, is_proposed, valid_from, valid_to
FROM fct_incident_version
UNION ALL
SELECT incident_id, version, title, status, impact, official_id, is_proposed, updated_at,
    CAST(NULL AS timestamp)
FROM dim_incident;

-- name: incident_judged
-- People's words on incidents by the time they were written here, each until one came that was said
-- later; nobody's before the first. One that came after a later one never counted.
CREATE VIEW incident_judged AS
SELECT incident_id, verb, into_id, decided_by, valid_from,
    lead(valid_from) OVER (PARTITION BY incident_id ORDER BY valid_from, place) AS valid_to
FROM (
    SELECT incident_id, CAST(NULL AS text) AS verb, CAST(NULL AS text) AS into_id,
        CAST(NULL AS text) AS decided_by, @long_ago AS valid_from, 0 AS place
    FROM dim_incident
    UNION ALL
    SELECT incident_id, verb, into_id, decided_by, valid_from, place
    FROM (
        SELECT s.*, max(place) OVER (PARTITION BY incident_id ORDER BY valid_from, place
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS latest
        FROM (
            SELECT subject AS incident_id, verb, CASE WHEN verb = 'merge' THEN value END AS into_id,
                decided_by, updated_at AS valid_from,
                row_number() OVER (PARTITION BY subject ORDER BY decided_at, decision_id) AS place
            FROM fct_decision
            WHERE verb IN ('accept', 'dismiss', 'merge')
                AND subject IN (SELECT incident_id FROM dim_incident)
        ) s
    ) r
    WHERE place = latest
) w;

-- name: incident_as_known
-- What stood here of each incident, and when: every record and every word of people by the time it was
-- written here, whatever time it is about; the present row has no valid_to. incident_history has the
-- clocks of those who said it instead.
CREATE VIEW incident_as_known AS
SELECT t.incident_id, t.version, t.title,
    CASE
        WHEN w.verb = 'dismiss' THEN 'dismissed'
        WHEN t.status = 'proposed' AND w.verb IN ('accept', 'merge') THEN 'investigating'
        ELSE t.status
    END AS status,
    t.status AS told_status, t.impact, t.official_id, t.is_proposed, w.verb, w.into_id, w.decided_by,
    greatest(t.valid_from, w.valid_from) AS valid_from, least(t.valid_to, w.valid_to) AS valid_to
FROM incident_told t JOIN incident_judged w ON w.incident_id = t.incident_id
WHERE (t.valid_to IS NULL OR (t.valid_from < t.valid_to AND w.valid_from < t.valid_to))
    AND (w.valid_to IS NULL OR (w.valid_from < w.valid_to AND t.valid_from < w.valid_to));
