-- Indexes that a schema of an early day may lack.

-- name: fct_mention_by_arrival
-- The feed.
CREATE INDEX IF NOT EXISTS fct_mention_by_arrival ON fct_mention (arrival);

-- name: fct_mention_by_event
-- Counts per minute, and the window of an incident.
CREATE INDEX IF NOT EXISTS fct_mention_by_event ON fct_mention (event_at);

-- name: fct_mention_by_group
-- The head of a group of repeats.
CREATE INDEX IF NOT EXISTS fct_mention_by_group ON fct_mention (repeat_group, event_at, id);

-- name: fct_mention_by_author
-- What an author asks to be removed.
CREATE INDEX IF NOT EXISTS fct_mention_by_author ON fct_mention (author_key);

-- name: mention_identity_by_author
-- Whether an author's posts were ever kept, asked for every account that a stream tells of.
CREATE INDEX IF NOT EXISTS mention_identity_by_author ON mention_identity (author_id);

-- name: fct_link_by_incident
-- The posts of an incident.
CREATE INDEX IF NOT EXISTS fct_link_by_incident ON fct_link (incident_id);

-- name: fct_decision_by_subject
-- What was said of a mention or an incident. Hashed: what people write may be long.
CREATE INDEX IF NOT EXISTS fct_decision_by_subject ON fct_decision USING hash (subject);

-- name: fct_decision_by_value
-- Which mentions people linked to an incident.
CREATE INDEX IF NOT EXISTS fct_decision_by_value ON fct_decision USING hash (value);
