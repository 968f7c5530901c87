-- A roll-up, in one transaction: what is touched is noted, counted anew a part at a time, and the
-- number that was seen before all that becomes the mark.

-- name: rollup_note_hours
-- The hours that must be counted anew.
INSERT INTO rollup_hour SELECT hour FROM rollup_touched_hour;

-- name: rollup_note_incidents
-- The incidents that must be.
INSERT INTO rollup_incident SELECT incident_id FROM rollup_touched_incident;

-- name: rollup_days
-- The days that these hours are of.
SELECT DISTINCT date_trunc('day', hour) AS day FROM rollup_hour ORDER BY day;

-- name: rollup_incidents
-- The incidents, in their order.
SELECT incident_id FROM rollup_incident ORDER BY incident_id;

-- name: rollup_forget_hours
-- Takes the counts away that no longer hold.
DELETE FROM agg_mentions_hourly WHERE hour IN (SELECT hour FROM rollup_hour);

-- name: rollup_count_hours
-- Counts the hours from $from_at up to $to_at (excluded).
INSERT INTO agg_mentions_hourly (track, hour, intent, topic, mentions, witnesses)
WITH these AS MATERIALIZED (
    SELECT * FROM fct_mention WHERE event_at >= $from_at::timestamp AND event_at < $to_at::timestamp
        AND date_trunc('hour', event_at) IN (SELECT hour FROM rollup_hour)
)
SELECT track, hour, intent, topic, mentions, witnesses FROM @counts_by_hour(these) c;

-- name: rollup_forget_incidents
-- Takes the counts away that no longer hold.
DELETE FROM agg_incident WHERE incident_id IN (SELECT incident_id FROM rollup_incident);

-- name: rollup_count_incidents
-- Counts the incidents from $first up to $last (included).
INSERT INTO agg_incident (incident_id, mentions, witnesses, first_report_at)
WITH these AS MATERIALIZED (
    SELECT incident_id FROM rollup_incident
    WHERE incident_id >= $first::text AND incident_id <= $last::text
)
SELECT incident_id, mentions, witnesses, first_report_at FROM @counts_of_incidents(these) c;

-- name: rollup_forget_settled
-- As it was.
DELETE FROM agg_incident_settled;

-- name: rollup_settled
-- As it is.
INSERT INTO agg_incident_settled SELECT incident_id, into_id FROM incident_settled;

-- name: rollup_no_hours
-- The note is done with.
DELETE FROM rollup_hour;

-- name: rollup_no_incidents
-- So is this.
DELETE FROM rollup_incident;

-- name: rollup_mark
-- From now on the counts hold what had arrived up to $arrival.
UPDATE rollup SET arrival = $arrival::bigint, rolled_at = $at::timestamp;
