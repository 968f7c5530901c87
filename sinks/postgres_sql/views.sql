-- Views that have to be said differently here; the others stand in common_sql.

-- name: feedback
-- Instead of a join that every row pays for: the text is looked up for who asks for it. All else is as
-- in common_sql.
CREATE VIEW feedback AS
SELECT m.id, source, kind, author_key,
    CASE WHEN NOT m.is_removed THEN (
        SELECT w.text FROM fct_mention f
        JOIN mention_private w ON w.mention_id = f.id AND w.day = f.day WHERE f.id = m.id
    ) END AS text,
    said_at, event_at, seen_at, greatest(m.updated_at, l.updated_at) AS updated_at, track, intent,
    intent_p, topic, severity, sentiment, informative = 'yes' AS is_informative,
    noise = 'yes' AS is_noise, component, place, app_version, language, repeat_kind, repeat_of,
    repeat_group, l.incident_id, l.link_state, l.link_p, l.link_by, model_version, is_removed,
    topic_p, severity_p, sentiment_p, informative_p, noise_p, component_p, place_p, app_version_p,
    language_p, intent_sure, is_report, witness, m.version, campaign
FROM mention_now m LEFT JOIN best_link l ON l.mention_id = m.id;
