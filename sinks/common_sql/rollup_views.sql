-- Counts at rest, and what of them changed since. A roll-up counts anew whatever was touched since
-- the last one and notes the number of arrival that it saw; what arrived later is found by its number
-- and counted when it is asked for. So the views mentions_hourly and incidents are exact at any
-- moment, and no write counts anything. Those named rollup_* serve them.

-- name: rollup_touched
-- Mentions that may be read otherwise than at the last roll-up: those that were written since, the
-- others of their group if it has another head, and those that somebody settled something about.
CREATE VIEW rollup_touched AS
WITH fresh AS MATERIALIZED (
    SELECT id, repeat_group, left_at, left_groups FROM fct_mention
    WHERE arrival > (SELECT arrival FROM rollup)
), named AS MATERIALIZED (
    SELECT repeat_group FROM fresh UNION SELECT unnest(left_groups) FROM fresh
), member AS MATERIALIZED (
    SELECT id, repeat_group, event_at, arrival FROM fct_mention
    WHERE repeat_group IN (SELECT repeat_group FROM named)
), odd AS (
    -- Nobody else can have been a group's head if its head was here and nobody left or moved.
    SELECT repeat_group FROM (
        SELECT repeat_group, @first_of(arrival, event_at, id) AS arrival
        FROM member GROUP BY repeat_group
    ) head
    WHERE arrival > (SELECT arrival FROM rollup)
    UNION
    SELECT unnest(left_groups) FROM fresh
    UNION
    SELECT repeat_group FROM fresh WHERE left_at IS NOT NULL
)
SELECT id FROM fresh
UNION
SELECT id FROM member WHERE repeat_group IN (SELECT repeat_group FROM odd)
UNION
SELECT mention_id FROM fct_campaign WHERE arrival > (SELECT arrival FROM rollup)
UNION
SELECT subject FROM fct_decision WHERE arrival > (SELECT arrival FROM rollup)
UNION
SELECT unnest(left_names) FROM fct_decision WHERE arrival > (SELECT arrival FROM rollup);

-- name: rollup_touched_hour
-- The hours that such a mention is of, or was.
CREATE VIEW rollup_touched_hour AS
SELECT date_trunc('hour', event_at) AS hour FROM fct_mention
WHERE id IN (SELECT id FROM rollup_touched)
UNION
SELECT date_trunc('hour', event_at) FROM (
    SELECT unnest(left_at) AS event_at FROM fct_mention
    WHERE arrival > (SELECT arrival FROM rollup)
) moved;

-- name: incident_settled
-- Where merged incidents end up; '' for those that were dismissed.
CREATE VIEW incident_settled AS
SELECT incident_id, into_id FROM incident_alias
UNION ALL
SELECT incident_id, '' FROM incident_word WHERE verb = 'dismiss';

-- name: rollup_touched_incident
-- Incidents that may count otherwise: by a link, by a mention of theirs, by a merge or a dismissal.
CREATE VIEW rollup_touched_incident AS
WITH touched AS MATERIALIZED (
    SELECT id FROM rollup_touched
), settled AS MATERIALIZED (
    SELECT incident_id, into_id FROM incident_settled
), another AS MATERIALIZED (
    (SELECT incident_id, into_id FROM settled
        EXCEPT SELECT incident_id, into_id FROM agg_incident_settled)
    UNION ALL
    (SELECT incident_id, into_id FROM agg_incident_settled
        EXCEPT SELECT incident_id, into_id FROM settled)
), named AS MATERIALIZED (
    SELECT incident_id FROM fct_link WHERE arrival > (SELECT arrival FROM rollup)
    UNION
    SELECT incident_id FROM fct_link WHERE mention_id IN (SELECT id FROM touched)
    UNION
    SELECT value FROM fct_decision WHERE arrival > (SELECT arrival FROM rollup)
    UNION
    SELECT value FROM fct_decision WHERE subject IN (SELECT id FROM touched)
    UNION
    SELECT unnest(left_names) FROM fct_decision WHERE arrival > (SELECT arrival FROM rollup)
    UNION
    SELECT incident_id FROM another
    UNION
    SELECT into_id FROM another
)
SELECT incident_id FROM named
UNION
SELECT s.into_id FROM settled s WHERE s.incident_id IN (SELECT incident_id FROM named);

-- name: incident_count
-- The counts of all incidents: those at rest of incidents that nothing touched, and the others'.
CREATE VIEW incident_count AS
WITH touched AS MATERIALIZED (
    SELECT incident_id FROM rollup_touched_incident
)
SELECT incident_id, mentions, witnesses, first_report_at FROM agg_incident
WHERE incident_id NOT IN (SELECT incident_id FROM touched)
UNION ALL
SELECT incident_id, mentions, witnesses, first_report_at FROM @counts_of_incidents(touched) c;

-- name: mentions_hourly
-- Mentions (repeats and removed ones included) and witnesses of reports by hour of event_at. A
-- mention of two tracks counts for both; one without a track counts under NULL.
CREATE VIEW mentions_hourly AS
WITH touched AS MATERIALIZED (
    SELECT hour FROM rollup_touched_hour
), these AS MATERIALIZED (
    SELECT * FROM fct_mention WHERE date_trunc('hour', event_at) IN (SELECT hour FROM touched)
)
SELECT track, hour, intent, topic, mentions, witnesses FROM agg_mentions_hourly
WHERE hour NOT IN (SELECT hour FROM touched)
UNION ALL
SELECT track, hour, intent, topic, mentions, witnesses FROM @counts_by_hour(these) c;
