-- What exports have to ask differently here; the other queries stand in common_sql.

-- name: changed_days
-- Instead of the common one: when a mention was said before is not kept here. Where a newer version
-- came, there is a NULL: any day may be meant.
WITH fresh AS (
    SELECT id, repeat_group FROM fct_mention WHERE arrival > coalesce($since::bigint, -1)
), past AS (
    SELECT v.id, v.version, v.repeat_group FROM fct_mention_version v
    WHERE v.arrival > coalesce($since::bigint, -1)
), told AS (
    SELECT incident_id FROM dim_incident WHERE arrival > $since::bigint
    UNION
    SELECT subject FROM fct_decision
    WHERE arrival > $since::bigint AND verb IN ('accept', 'dismiss', 'merge')
), incident AS (
    SELECT incident_id FROM told
    UNION
    SELECT incident_id FROM dim_incident WHERE official_id IN (SELECT incident_id FROM told)
    UNION
    SELECT subject FROM fct_decision WHERE verb = 'merge' AND (SELECT count(*) FROM told) > 0
), touched AS (
    SELECT id FROM fresh
    UNION
    SELECT mention_id FROM fct_link
    WHERE arrival > $since::bigint OR incident_id IN (SELECT incident_id FROM incident)
    UNION
    SELECT mention_id FROM fct_campaign WHERE arrival > $since::bigint
    UNION
    SELECT subject FROM fct_decision
    WHERE arrival > $since::bigint OR value IN (SELECT incident_id FROM incident)
), headed AS (
    SELECT repeat_group FROM fresh UNION SELECT repeat_group FROM past
)
SELECT CAST(date_trunc('day', m.event_at) AS timestamp) AS day FROM fct_mention m
WHERE m.id IN (SELECT id FROM touched) OR m.repeat_group IN (SELECT repeat_group FROM headed)
UNION
SELECT CAST(NULL AS timestamp) FROM past p JOIN fct_mention m ON m.id = p.id
WHERE m.version <> p.version AND $since::bigint IS NOT NULL
ORDER BY 1;

-- name: removed_days
-- Instead of the common one: likewise.
SELECT CAST(date_trunc('day', event_at) AS timestamp) AS day FROM fct_mention
WHERE (is_hidden OR is_erased) AND arrival > $since::bigint
UNION
SELECT CAST(NULL AS timestamp) FROM fct_mention_version v JOIN fct_mention m ON m.id = v.id
WHERE (m.is_hidden OR m.is_erased) AND m.arrival > $since::bigint AND m.version <> v.version
ORDER BY 1;
