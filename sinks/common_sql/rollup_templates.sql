-- Templates of the counts that are kept at rest (see templates.sql).

-- name: counts_by_hour
-- The rows of mentions_hourly for mentions (@1); all mentions of their hours must be among them.
SELECT track, date_trunc('hour', event_at) AS hour, intent, topic, count(*) AS mentions,
    count(DISTINCT witness) FILTER (WHERE is_report) AS witnesses
FROM (
    SELECT @each_or_none(tracks) AS track, event_at, intent, topic, witness, is_report
    FROM @mention_now_of(@1, @1) m
) m
GROUP BY 1, 2, 3, 4

-- name: counts_of_incidents
-- The counts of incidents (@1), read from their links alone.
WITH own_links AS MATERIALIZED (
    SELECT * FROM @links_of(@1) l
), own_decisions AS MATERIALIZED (
    SELECT * FROM @decisions_of(@1) d
), own_mentions AS MATERIALIZED (
    SELECT * FROM @mentions_of(
        SELECT mention_id AS id FROM own_links UNION SELECT subject FROM own_decisions) m
), words AS MATERIALIZED (
    SELECT * FROM @link_now_of(own_mentions, own_links, own_decisions) l
    WHERE incident_id IN (SELECT incident_id FROM @1)
), own_mentions_now AS MATERIALIZED (
    SELECT * FROM @mention_now_of(own_mentions, own_mentions) m
)
SELECT * FROM @incident_count_of(words, own_mentions_now) c

-- name: left_at
-- When a mention was said before, if the row that comes (@1) says otherwise than the one held (@2).
CASE WHEN @1.event_at = @2.event_at THEN @2.left_at ELSE array_append(@2.left_at, @2.event_at) END

-- name: left_groups
-- The groups of repeats that it was of, likewise.
CASE WHEN @1.repeat_group = @2.repeat_group THEN @2.left_groups
    ELSE array_append(@2.left_groups, @2.repeat_group) END

-- name: left_names
-- What a decision was about before its id was used again for something else.
CASE WHEN (@1.subject, @1.value) = (@2.subject, @2.value) THEN @2.left_names
    ELSE array_append(array_append(@2.left_names, @2.subject), @2.value) END
