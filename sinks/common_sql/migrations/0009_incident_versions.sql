-- What was known of incidents before is kept, too.

-- name: fct_incident_version
-- What was known of an incident before: a row for every record that a newer one superseded. Titles are
-- official words, or ours made of labels: never those of posts.
CREATE TABLE fct_incident_version (
    incident_id @word NOT NULL,
    version bigint NOT NULL,
    title @word NOT NULL,
    status @word NOT NULL,
    impact @word NOT NULL,
    official_id @word,
    is_proposed boolean NOT NULL,
    valid_from timestamp NOT NULL,
    valid_to timestamp NOT NULL,
    arrival bigint NOT NULL  -- of the row that superseded it
);
