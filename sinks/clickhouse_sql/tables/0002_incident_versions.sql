-- What was known of incidents before is kept, too.

-- name: incident_log
-- All records of incidents that ever counted, by the order in which they supersede each other.
CREATE TABLE incident_log_row (
    incident_id String,
    version Int64,
    recorded_at @time,
    record_hash UInt64,
    title String,
    status String,
    impact String,
    official_id Nullable(String),
    is_proposed Bool,
    valid_from @time,
    arrival Int64,
    revision UInt256 MATERIALIZED @revision(0, 0, 0, @turn(FALSE, arrival))
) ENGINE = ReplacingMergeTree(revision)
ORDER BY (incident_id, version, recorded_at, record_hash);

-- name: incidents_known
-- What is here counts since it was written.
INSERT INTO incident_log_row
SELECT incident_id, version, recorded_at, sipHash64(record), title, status, impact, official_id,
    is_proposed, updated_at, arrival
FROM dim_incident_row FINAL;
