-- What PostgreSQL has besides.

-- name: fct_incident_version_by_incident
-- One incident's history.
CREATE INDEX fct_incident_version_by_incident ON fct_incident_version (incident_id);
