-- ClickHouse counts when it is asked: nothing is kept at rest, all may have been touched.

-- name: rollup_touched
-- Instead of the common one: all mentions.
CREATE VIEW rollup_touched AS SELECT id FROM fct_mention;

-- name: rollup_touched_hour
-- Instead of the common one: all hours.
CREATE VIEW rollup_touched_hour AS SELECT DISTINCT date_trunc('hour', event_at) AS hour FROM fct_mention;

-- name: rollup_touched_incident
-- Instead of the common one: all incidents.
CREATE VIEW rollup_touched_incident AS SELECT incident_id FROM dim_incident;

-- name: incident_count
-- Instead of the common one: the counts of all incidents.
CREATE VIEW incident_count AS
SELECT * FROM @incident_count_of(link_now, mention_now) c;

-- name: mentions_hourly
-- Instead of the common one: mentions (repeats and removed ones included) and witnesses of reports by
-- hour of event_at. A mention of two tracks counts for both; one without a track counts under NULL.
CREATE VIEW mentions_hourly AS
SELECT track, date_trunc('hour', event_at) AS hour, intent, topic, count(*) AS mentions,
    count(DISTINCT witness) FILTER (WHERE is_report) AS witnesses
FROM (
    SELECT @each_or_none(tracks) AS track, event_at, intent, topic, witness, is_report
    FROM mention_now
) m
GROUP BY 1, 2, 3, 4;
