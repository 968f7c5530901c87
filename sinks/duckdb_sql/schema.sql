-- The tables. Times are TIMESTAMP in UTC, without a zone, so that no session's zone can bend them.
-- Tables are ours and may change; the names in views.sql are stable.

-- name: meta
-- Whose file this is and in which form.
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

-- name: fct_mention
-- A row per mention: its newest version with the machine's labels. A person's words stand in fct_decision.
CREATE TABLE fct_mention (
    id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    author_key VARCHAR,          -- keyed hash of the author's id; a token once the author is erased
    text VARCHAR,                -- NULL once erased
    lang VARCHAR,                -- as the platform says; the label is language
    said_place VARCHAR,          -- as the platform says; the label is place
    hashtags VARCHAR[],
    rating DOUBLE,
    engagement JSON,
    said_at TIMESTAMP NOT NULL,
    event_at TIMESTAMP NOT NULL,
    seen_at TIMESTAMP NOT NULL,
    tracks VARCHAR[] NOT NULL,
    version BIGINT NOT NULL,
    model VARCHAR NOT NULL,
    repeat_kind VARCHAR NOT NULL,  -- as claimed on arrival; views name the group's head anew
    repeat_of VARCHAR,
    repeat_group VARCHAR NOT NULL,
    intent VARCHAR, intent_p DOUBLE, intent_sure BOOLEAN,
    topic VARCHAR, topic_p DOUBLE, topic_sure BOOLEAN,
    severity VARCHAR, severity_p DOUBLE, severity_sure BOOLEAN,
    sentiment VARCHAR, sentiment_p DOUBLE, sentiment_sure BOOLEAN,
    informative VARCHAR, informative_p DOUBLE, informative_sure BOOLEAN,
    noise VARCHAR, noise_p DOUBLE, noise_sure BOOLEAN,
    language VARCHAR, language_p DOUBLE, language_sure BOOLEAN,
    component VARCHAR, component_p DOUBLE, component_sure BOOLEAN,
    place VARCHAR, place_p DOUBLE, place_sure BOOLEAN,
    app_version VARCHAR, app_version_p DOUBLE, app_version_sure BOOLEAN,
    label_evidence JSON,         -- by head; NULL once erased
    is_hidden BOOLEAN NOT NULL,
    is_erased BOOLEAN NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    arrival BIGINT NOT NULL      -- grows with every row written; a changed row gets a new one
);

-- name: mention_identity
-- Who and where on the platform: the one table with author ids, handles and addresses. Erasable.
CREATE TABLE mention_identity (
    mention_id VARCHAR PRIMARY KEY,
    version BIGINT NOT NULL,
    author_id VARCHAR,
    handle VARCHAR,
    url VARCHAR,
    reply_to VARCHAR,
    repost_of VARCHAR,
    quote_of VARCHAR,
    thread VARCHAR,
    mentions VARCHAR[],
    links VARCHAR[]
);

-- name: fct_link
-- The machine's last word on a mention and an incident, also that there is no link any more.
CREATE TABLE fct_link (
    mention_id VARCHAR NOT NULL,
    incident_id VARCHAR NOT NULL,
    mention_version BIGINT NOT NULL,
    model VARCHAR NOT NULL,
    incident_version BIGINT NOT NULL,
    state VARCHAR NOT NULL,      -- linked, suggested, unlinked
    p DOUBLE NOT NULL,
    made_by VARCHAR NOT NULL,    -- auto, late
    evidence JSON,               -- NULL once the mention is erased
    updated_at TIMESTAMP NOT NULL,
    PRIMARY KEY (mention_id, incident_id)
);

-- name: dim_incident
-- A row per incident: its newest record, official or proposed by us.
CREATE TABLE dim_incident (
    incident_id VARCHAR PRIMARY KEY,
    version BIGINT NOT NULL,
    title VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    impact VARCHAR NOT NULL,
    components VARCHAR[] NOT NULL,
    regions VARCHAR[] NOT NULL,
    tracks VARCHAR[] NOT NULL,
    url VARCHAR,
    started_at TIMESTAMP NOT NULL,
    opened_at TIMESTAMP NOT NULL,
    resolved_at TIMESTAMP,
    recorded_at TIMESTAMP NOT NULL,
    official_id VARCHAR,
    is_proposed BOOLEAN NOT NULL,
    updates JSON NOT NULL,
    history JSON NOT NULL,
    record JSON NOT NULL,        -- the whole record, from which the book can be made again
    updated_at TIMESTAMP NOT NULL
);

-- name: fct_decision
-- What people settled, each decision once. May stand here before its subject does.
CREATE TABLE fct_decision (
    decision_id VARCHAR PRIMARY KEY,
    subject VARCHAR NOT NULL,
    verb VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    decided_by VARCHAR NOT NULL,
    decided_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

-- name: fct_removal
-- What must not be shown or not come back. The subject is a keyed hash: these are the block rows too.
CREATE TABLE fct_removal (
    subject VARCHAR NOT NULL,
    scope VARCHAR NOT NULL,      -- mention, author
    kind VARCHAR NOT NULL,       -- hidden, shown, erased
    asked_at TIMESTAMP NOT NULL, -- the newest one
    done_at TIMESTAMP NOT NULL,
    id VARCHAR,                  -- the mention's id, once there is such a mention
    PRIMARY KEY (subject, scope, kind)
);

-- name: fct_coverage
-- From when to when a source was read, and gaps; a span that grows keeps its furthest end.
CREATE TABLE fct_coverage (
    source VARCHAR NOT NULL,
    track VARCHAR NOT NULL,      -- '' for all tracks
    from_at TIMESTAMP NOT NULL,
    is_gap BOOLEAN NOT NULL,
    to_at TIMESTAMP NOT NULL,
    cause VARCHAR,
    PRIMARY KEY (source, track, from_at, is_gap)
);
