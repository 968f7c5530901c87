-- The crowd against the official word is not told here yet: ClickHouse plans a view in a view in a
-- view anew wherever it is read, which takes it longer than to answer. See docs/clickhouse.md.

-- name: crowd_elsewhere
-- Instead of the common one: no rows.
CREATE VIEW crowd_elsewhere AS
SELECT incident_id, tracks, tracks AS official FROM dim_incident WHERE FALSE

-- name: crowd
-- Instead of the common one: no rows.
CREATE VIEW crowd AS
SELECT incident_id, opened_at AS hour, status AS stance, version AS witnesses, version AS recovered,
    version AS still_broken, CAST(0 AS double precision) AS normal, regions AS unnamed_regions,
    components AS unnamed_components, tracks AS other_tracks, tracks AS other_official
FROM dim_incident WHERE FALSE
