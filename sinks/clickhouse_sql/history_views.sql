-- What was believed. Elsewhere tables hold what was superseded; here all that was ever said is kept as it
-- came, and these tell what of it counted: what nothing newer came before, until something newer came.

-- name: mention_believed
-- What was made of each mention, a row for all of it that ever counted; the present has no valid_to.
CREATE VIEW mention_believed AS
SELECT id, version, model, @believed(), began AS valid_from,
    lead(began) OVER (PARTITION BY id ORDER BY version, model_rank) AS valid_to,
    lead(arrival) OVER (PARTITION BY id ORDER BY version, model_rank) AS superseded
FROM (
    SELECT *, max(valid_from) OVER (PARTITION BY id ORDER BY version, model_rank
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS began
    FROM (
        SELECT *, min(arrival) OVER (PARTITION BY id ORDER BY version DESC, model_rank DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS newer_since
        FROM mention_log_row FINAL
    ) said
    WHERE arrival <= newer_since
) counted

-- name: fct_mention_version
-- What was made of a mention before: a row for every one that a newer one superseded. Without words.
CREATE VIEW fct_mention_version AS
SELECT id, version, model, @believed(), valid_from, valid_to, superseded AS arrival
FROM mention_believed WHERE valid_to IS NOT NULL

-- name: mention_history
-- Instead of the common one: of the present, too, it is known since when it counts.
CREATE VIEW mention_history AS
SELECT id, version, model AS model_version, @believed(), valid_from, valid_to
FROM mention_believed

-- name: link_believed
-- What the machine said of each mention and incident, a row for all of it that ever counted.
CREATE VIEW link_believed AS
SELECT mention_id, incident_id, mention_version, model, incident_version, state, p, made_by, began AS valid_from,
    lead(began) OVER (PARTITION BY mention_id, incident_id
        ORDER BY mention_version, model_rank, incident_version, p, state) AS valid_to,
    lead(arrival) OVER (PARTITION BY mention_id, incident_id
        ORDER BY mention_version, model_rank, incident_version, p, state) AS superseded
FROM (
    SELECT *, max(valid_from) OVER (PARTITION BY mention_id, incident_id
        ORDER BY mention_version, model_rank, incident_version, p, state
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS began
    FROM (
        SELECT *, min(arrival) OVER (PARTITION BY mention_id, incident_id
            ORDER BY mention_version DESC, model_rank DESC, incident_version DESC, p DESC, state DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS newer_since
        FROM link_log_row FINAL
    ) said
    WHERE arrival <= newer_since
) counted

-- name: fct_link_version
-- What the machine said of a mention and an incident before. Without reasons: they quote the text.
CREATE VIEW fct_link_version AS
SELECT mention_id, incident_id, mention_version, model, incident_version, state, p, made_by, valid_from, valid_to, superseded AS arrival
FROM link_believed WHERE valid_to IS NOT NULL

-- name: link_said
-- Instead of the common one: of the present, too, it is known since when it counts.
CREATE VIEW link_said AS
SELECT l.mention_id, l.incident_id, l.state, l.p, l.made_by, l.mention_version, l.model,
    l.incident_version, greatest(l.valid_from, v.valid_from) AS valid_from,
    CASE WHEN v.is_past = 1 THEN least(l.valid_to, v.valid_to) ELSE l.valid_to END AS valid_to
FROM link_believed l
JOIN (
    SELECT id, version, min(valid_from) AS valid_from, max(valid_to) AS valid_to,
        min(CASE WHEN valid_to IS NULL THEN 0 ELSE 1 END) AS is_past
    FROM mention_believed GROUP BY id, version
) v ON v.id = l.mention_id AND v.version = l.mention_version

-- name: incident_believed
-- What was known of each incident, a row for every record that ever counted.
CREATE VIEW incident_believed AS
SELECT incident_id, version, title, status, impact, official_id, is_proposed, began AS valid_from,
    lead(began) OVER (PARTITION BY incident_id ORDER BY version, recorded_at, record_hash) AS valid_to,
    lead(arrival) OVER (PARTITION BY incident_id ORDER BY version, recorded_at, record_hash) AS superseded
FROM (
    SELECT *, max(valid_from) OVER (PARTITION BY incident_id ORDER BY version, recorded_at, record_hash
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS began
    FROM incident_log_row FINAL
) counted

-- name: fct_incident_version
-- What was known of an incident before: a row for every record that a newer one superseded.
CREATE VIEW fct_incident_version AS
SELECT incident_id, version, title, status, impact, official_id, is_proposed, valid_from, valid_to,
    superseded AS arrival
FROM incident_believed WHERE valid_to IS NOT NULL

-- name: incident_told
-- Instead of the common one: of the present, too, it is known since when it counts.
CREATE VIEW incident_told AS
SELECT incident_id, version, title, status, impact, official_id, is_proposed, valid_from, valid_to
FROM incident_believed
