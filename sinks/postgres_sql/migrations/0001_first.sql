-- What this server needs beside the tables of common_sql: a place for writers to queue, indexes, and
-- no examples of people's words in its statistics.

-- name: state
-- One row. Whoever writes holds it until the commit: writers come one after the other, and what a
-- reader sees is never older than the revision it has read.
CREATE TABLE state (
    revision bigint NOT NULL,    -- grows with every write
    arrival bigint NOT NULL      -- the last arrival number given to a row of fct_mention
);

-- name: first_state
-- The row.
INSERT INTO state VALUES (0, 0);

-- name: fct_mention_words_stay_here
-- The server's statistics would keep examples of what people wrote, also after an erasure.
ALTER TABLE fct_mention
    ALTER COLUMN text SET STATISTICS 0, ALTER COLUMN said_place SET STATISTICS 0,
    ALTER COLUMN hashtags SET STATISTICS 0, ALTER COLUMN engagement SET STATISTICS 0,
    ALTER COLUMN label_evidence SET STATISTICS 0;

-- name: fct_mention_by_arrival
-- The feed.
CREATE INDEX fct_mention_by_arrival ON fct_mention (arrival);

-- name: fct_mention_by_event
-- Counts per minute, and the window of an incident.
CREATE INDEX fct_mention_by_event ON fct_mention (event_at);

-- name: fct_mention_by_group
-- The head of a group of repeats.
CREATE INDEX fct_mention_by_group ON fct_mention (repeat_group, event_at, id);

-- name: fct_mention_by_author
-- What an author asks to be removed.
CREATE INDEX fct_mention_by_author ON fct_mention (author_key);

-- name: mention_identity_by_author
-- Whether an author's posts were ever kept, asked for every account that a stream tells of.
CREATE INDEX mention_identity_by_author ON mention_identity (author_id);

-- name: mention_identity_stays_here
-- As for the words of mentions: no examples in the server's statistics.
ALTER TABLE mention_identity
    ALTER COLUMN author_id SET STATISTICS 0, ALTER COLUMN handle SET STATISTICS 0,
    ALTER COLUMN url SET STATISTICS 0, ALTER COLUMN reply_to SET STATISTICS 0,
    ALTER COLUMN repost_of SET STATISTICS 0, ALTER COLUMN quote_of SET STATISTICS 0,
    ALTER COLUMN thread SET STATISTICS 0, ALTER COLUMN mentions SET STATISTICS 0,
    ALTER COLUMN links SET STATISTICS 0;

-- name: fct_link_stays_here
-- Reasons quote the text.
ALTER TABLE fct_link ALTER COLUMN evidence SET STATISTICS 0;

-- name: fct_link_by_incident
-- The posts of an incident.
CREATE INDEX fct_link_by_incident ON fct_link (incident_id);

-- name: fct_decision_by_subject
-- What was said of a mention or an incident. Hashed: what people write may be long.
CREATE INDEX fct_decision_by_subject ON fct_decision USING hash (subject);

-- name: fct_decision_by_value
-- Which mentions people linked to an incident.
CREATE INDEX fct_decision_by_value ON fct_decision USING hash (value);
