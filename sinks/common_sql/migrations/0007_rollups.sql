-- Counts by hour and by incident, made now and then, and what tells which of them changed since.

-- name: rollup
-- One row: the counts hold what stood here up to this number of arrival; -1 before the first.
CREATE TABLE rollup (arrival bigint NOT NULL, rolled_at timestamp);

-- name: first_rollup
-- The row.
INSERT INTO rollup VALUES (-1, NULL);

-- name: agg_mentions_hourly
-- The rows of the view mentions_hourly as they were then.
CREATE TABLE agg_mentions_hourly (
    track @word,
    hour timestamp NOT NULL,
    intent @word,
    topic @word,
    mentions bigint NOT NULL,
    witnesses bigint NOT NULL
);

-- name: agg_incident
-- What was counted for each incident then; merged ones count for their heir.
CREATE TABLE agg_incident (
    incident_id @word NOT NULL,
    mentions bigint NOT NULL,
    witnesses bigint NOT NULL,
    first_report_at timestamp
);

-- name: agg_incident_settled
-- Where merged incidents had ended up then; '' for those that were dismissed.
CREATE TABLE agg_incident_settled (incident_id @word NOT NULL, into_id @word NOT NULL);

-- name: rollup_hour
-- The hours that are being counted anew; empty but for that moment.
CREATE TABLE rollup_hour (hour timestamp NOT NULL);

-- name: rollup_incident
-- The incidents that are; empty but for that moment.
CREATE TABLE rollup_incident (incident_id @word NOT NULL);

-- name: fct_mention_left_at
-- When it was said by what a newer version took back: hours that count without it now.
ALTER TABLE fct_mention ADD COLUMN left_at timestamp[];

-- name: fct_mention_left_groups
-- Groups of repeats that it was of before.
ALTER TABLE fct_mention ADD COLUMN left_groups @words;

-- name: fct_decision_left_names
-- What a decision of the same id was about before: subjects and values.
ALTER TABLE fct_decision ADD COLUMN left_names @words;
