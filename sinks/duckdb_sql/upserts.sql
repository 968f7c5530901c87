-- ON CONFLICT … DO UPDATE reads every column of every row that it replaces from another part of the
-- file: 500 of 5,000 rows took three quarters of a write. So what is new goes in first, and the rest
-- is looked up by the index ($held: keys as constants, a join would read the whole table), taken away
-- and put in anew. See duckdb_write.py.

-- name: fct_mention_new
-- What was not there yet; the ids of it.
INSERT INTO fct_mention BY NAME SELECT * FROM batch ON CONFLICT (id) DO NOTHING RETURNING id;

-- name: fct_mention_newer
-- The rows that replace others, of the rest.
SELECT b.* REPLACE (
    CASE WHEN @is_newer_mention(b, m) THEN greatest(b.valid_from, m.valid_from)
        ELSE m.valid_from END AS valid_from),
    @left_at(b, m) AS left_at, @left_groups(b, m) AS left_groups
FROM fct_mention m JOIN batch b ON b.id = m.id
WHERE m.id IN ($held) AND (@is_newer_mention(b, m)
    OR (b.version = m.version AND b.model = m.model AND b.seen_at < m.seen_at));

-- name: fct_mention_past
-- Instead of reading the whole table: what they supersede, before they do.
INSERT INTO fct_mention_version BY NAME
SELECT m.* EXCLUDE (valid_from, arrival), m.valid_from, b.valid_from AS valid_to, b.arrival
FROM (
    SELECT id, version, model, tracks, repeat_kind, repeat_group,
        intent, intent_p, intent_sure,
        topic, topic_p, topic_sure,
        severity, severity_p, severity_sure,
        sentiment, sentiment_p, sentiment_sure,
        informative, informative_p, informative_sure,
        noise, noise_p, noise_sure,
        language, language_p, language_sure,
        component, component_p, component_sure,
        place, place_p, place_sure,
        app_version, app_version_p, app_version_sure,
        claims, place_in, valid_from, arrival
    FROM fct_mention WHERE id IN ($held)
) m JOIN batch b ON b.id = m.id
WHERE @is_newer_mention(b, m);

-- name: fct_mention_gone
-- Makes room for them.
DELETE FROM fct_mention WHERE id IN ($held);

-- name: mention_private_new
-- What was not there yet; the ids of it.
INSERT INTO mention_private BY NAME SELECT * FROM batch
ON CONFLICT (mention_id) DO NOTHING RETURNING mention_id;

-- name: mention_private_newer
-- The rows that replace others, of the rest.
SELECT b.* FROM mention_private m JOIN batch b ON b.mention_id = m.mention_id
WHERE m.mention_id IN ($held) AND @is_newer_mention(b, m);

-- name: mention_private_gone
-- Makes room for them.
DELETE FROM mention_private WHERE mention_id IN ($held);

-- name: fct_link_new
-- What was not there yet; mention and incident of it.
INSERT INTO fct_link BY NAME SELECT * FROM batch
ON CONFLICT (mention_id, incident_id) DO NOTHING RETURNING mention_id, incident_id;
