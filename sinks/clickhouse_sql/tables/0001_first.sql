-- The tables, in the form that the other databases have after their migration 6. Nothing is ever changed
-- in place here: a row that replaces another is written beside it under the same key, with a higher
-- revision (revision UInt256, made of what upserts.sql compares), and ClickHouse keeps the highest.
-- So each table <name> is <name>_row, and <name> a view that shows the rows that count. A key never
-- changes, and no table is cut into parts: rows of one key must meet. Times are UTC.

-- name: meta
-- Whose database this is and in which form.
CREATE TABLE meta_row (key String, value String, revision UInt64)
ENGINE = ReplacingMergeTree(revision) ORDER BY key;

-- name: meta_now
-- The newest of them.
CREATE VIEW meta AS SELECT key, value FROM meta_row FINAL;

-- name: counter
-- The last number of every kind: arrival, revision.
CREATE TABLE counter_row (name String, value Int64)
ENGINE = ReplacingMergeTree(value) ORDER BY name;

-- name: model_rank
-- The models that named mentions in the order of their names, as numbers: only these can be compared
-- in a revision. Between two there is room for others.
CREATE TABLE model_rank_row (model String, rank UInt64)
ENGINE = ReplacingMergeTree ORDER BY model;

-- name: fct_mention
-- A row per mention: its newest version with the machine's labels, without words. Newest version, then
-- newest model; of the same one the first time it was seen, then what changed it last, else the first.
CREATE TABLE fct_mention_row (
    id String,
    source String,
    kind String,
    author_key Nullable(String),
    lang Nullable(String),
    rating Nullable(Float64),
    engagement Nullable(String),
    said_at @time,
    event_at @time,
    seen_at @time,
    tracks Array(String),
    version Int64,
    model String,
    repeat_kind String,
    repeat_of Nullable(String),
    repeat_group String,
    intent Nullable(String), intent_p Nullable(Float64), intent_sure Nullable(Bool),
    topic Nullable(String), topic_p Nullable(Float64), topic_sure Nullable(Bool),
    severity Nullable(String), severity_p Nullable(Float64), severity_sure Nullable(Bool),
    sentiment Nullable(String), sentiment_p Nullable(Float64), sentiment_sure Nullable(Bool),
    informative Nullable(String), informative_p Nullable(Float64), informative_sure Nullable(Bool),
    noise Nullable(String), noise_p Nullable(Float64), noise_sure Nullable(Bool),
    language Nullable(String), language_p Nullable(Float64), language_sure Nullable(Bool),
    component Nullable(String), component_p Nullable(Float64), component_sure Nullable(Bool),
    place Nullable(String), place_p Nullable(Float64), place_sure Nullable(Bool),
    app_version Nullable(String), app_version_p Nullable(Float64), app_version_sure Nullable(Bool),
    claims Array(String),
    place_in Nullable(String),
    is_hidden Bool,
    is_erased Bool,
    updated_at @time,
    arrival Int64,
    valid_from @time,
    model_rank UInt64,
    changed Bool,
    revision UInt256 MATERIALIZED @revision(version, model_rank, @before(seen_at), @turn(changed, arrival)),
    INDEX fct_mention_by_arrival arrival TYPE minmax,
    INDEX fct_mention_by_event event_at TYPE minmax,
    INDEX fct_mention_by_author author_key TYPE bloom_filter(0.001)
) ENGINE = ReplacingMergeTree(revision) ORDER BY id
SETTINGS index_granularity = 4096;

-- name: mention_private
-- What was said, who said it and where: the one table with words, author ids, handles and addresses.
CREATE TABLE mention_private_row (
    mention_id String,
    version Int64,
    model String,
    text Nullable(String),
    said_place Nullable(String),
    hashtags Array(String),
    label_evidence Nullable(String),
    author_id Nullable(String),
    handle Nullable(String),
    url Nullable(String),
    reply_to Nullable(String),
    repost_of Nullable(String),
    quote_of Nullable(String),
    thread Nullable(String),
    mentions Array(String),
    links Array(String),
    model_rank UInt64,
    is_gone Bool,
    revision UInt256 MATERIALIZED @revision(toUInt64(is_gone), version, model_rank, 0)
) ENGINE = ReplacingMergeTree(revision) ORDER BY mention_id
SETTINGS index_granularity = 4096;

-- name: fct_link
-- The machine's last word on a mention and an incident: newest (mention version, model, incident
-- version); p and state only decide between twins.
CREATE TABLE fct_link_row (
    mention_id String,
    incident_id String,
    mention_version Int64,
    model String,
    incident_version Int64,
    state String,
    p Float64,
    made_by String,
    evidence Nullable(String),
    updated_at @time,
    arrival Int64,
    model_rank UInt64,
    changed Bool,
    revision UInt256 MATERIALIZED @link_revision
) ENGINE = ReplacingMergeTree(revision) ORDER BY (mention_id, incident_id)
SETTINGS index_granularity = 4096;

-- name: fct_campaign
-- Which mentions the watch set aside as a brigade's: the word on the newest version.
CREATE TABLE fct_campaign_row (
    mention_id String,
    mention_version Int64,
    kind String,
    updated_at @time,
    arrival Int64,
    revision UInt256 MATERIALIZED @revision(mention_version, sipHash64(kind), 0, @turn(FALSE, arrival))
) ENGINE = ReplacingMergeTree(revision) ORDER BY mention_id;

-- name: dim_incident
-- A row per incident: its newest record; time and content only decide between twins.
CREATE TABLE dim_incident_row (
    incident_id String,
    version Int64,
    title String,
    status String,
    impact String,
    components Array(String),
    regions Array(String),
    tracks Array(String),
    url Nullable(String),
    started_at @time,
    opened_at @time,
    resolved_at Nullable(@time),
    recorded_at @time,
    official_id Nullable(String),
    is_proposed Bool,
    updates String,
    history String,
    record String,
    updated_at @time,
    claims Array(String),
    arrival Int64,
    revision UInt256 MATERIALIZED
        @revision(version, @after(recorded_at), sipHash64(record), @turn(FALSE, arrival))
) ENGINE = ReplacingMergeTree(revision) ORDER BY incident_id;

-- name: fct_decision
-- What people settled, each decision once; should a client use an id again, the later word stays.
CREATE TABLE fct_decision_row (
    decision_id String,
    subject String,
    verb String,
    value String,
    decided_by String,
    decided_at @time,
    updated_at @time,
    arrival Int64,
    revision UInt256 MATERIALIZED @revision(
        @after(decided_at), sipHash64(subject, verb, value, decided_by), 0, @turn(FALSE, arrival))
) ENGINE = ReplacingMergeTree(revision) ORDER BY decision_id;

-- name: fct_removal
-- What must not be shown or not come back: the newest request of its kind for its subject, with the
-- mention's id once there is one.
CREATE TABLE fct_removal_row (
    subject String,
    scope String,
    kind String,
    asked_at @time,
    done_at @time,
    id Nullable(String),
    revision UInt256 MATERIALIZED
        @revision(@after(asked_at), id IS NOT NULL, @before(done_at), 0)
) ENGINE = ReplacingMergeTree(revision) ORDER BY (subject, scope, kind);

-- name: fct_coverage
-- From when to when a source was read, and gaps; a span that grows keeps its furthest end.
CREATE TABLE fct_coverage_row (
    source String,
    track String,
    from_at @time,
    is_gap Bool,
    to_at @time,
    cause Nullable(String),
    revision UInt256 MATERIALIZED
        @revision(@after(to_at), cause IS NOT NULL, sipHash64(ifNull(cause, '')), 0)
) ENGINE = ReplacingMergeTree(revision) ORDER BY (source, track, from_at, is_gap);

-- name: fct_spend
-- What reading a paid source has cost on a day: the newest word.
CREATE TABLE fct_spend_row (
    source String,
    day @time,
    reads Int64,
    cost Float64,
    told_at @time,
    revision UInt256 MATERIALIZED @revision(@after(told_at), reads, 0, 0)
) ENGINE = ReplacingMergeTree(revision) ORDER BY (source, day);

-- name: fct_erasure
-- Receipts of erasures, each once.
CREATE TABLE fct_erasure_row (
    erasure_id String,
    asked_at @time,
    done_at @time,
    asked_by Nullable(String),
    reason Nullable(String),
    requests Int64,
    mentions Int64,
    places Array(String),
    revision UInt256 MATERIALIZED @revision(@before(done_at), 0, 0, 0)
) ENGINE = ReplacingMergeTree(revision) ORDER BY erasure_id;

-- name: mention_log
-- What was ever made of a mention, each once: history, from which views tell what was believed when.
CREATE TABLE mention_log_row (
    id String,
    version Int64,
    model String,
    tracks Array(String),
    repeat_kind String,
    repeat_group String,
    intent Nullable(String), intent_p Nullable(Float64), intent_sure Nullable(Bool),
    topic Nullable(String), topic_p Nullable(Float64), topic_sure Nullable(Bool),
    severity Nullable(String), severity_p Nullable(Float64), severity_sure Nullable(Bool),
    sentiment Nullable(String), sentiment_p Nullable(Float64), sentiment_sure Nullable(Bool),
    informative Nullable(String), informative_p Nullable(Float64), informative_sure Nullable(Bool),
    noise Nullable(String), noise_p Nullable(Float64), noise_sure Nullable(Bool),
    language Nullable(String), language_p Nullable(Float64), language_sure Nullable(Bool),
    component Nullable(String), component_p Nullable(Float64), component_sure Nullable(Bool),
    place Nullable(String), place_p Nullable(Float64), place_sure Nullable(Bool),
    app_version Nullable(String), app_version_p Nullable(Float64), app_version_sure Nullable(Bool),
    claims Array(String),
    place_in Nullable(String),
    valid_from @time,
    arrival Int64,
    model_rank UInt64,
    revision UInt256 MATERIALIZED @revision(0, 0, 0, @turn(FALSE, arrival))
) ENGINE = ReplacingMergeTree(revision) ORDER BY (id, version, model_rank);

-- name: link_log
-- What the machine ever said of a mention and an incident, each once. Without reasons.
CREATE TABLE link_log_row (
    mention_id String,
    incident_id String,
    mention_version Int64,
    model String,
    incident_version Int64,
    state String,
    p Float64,
    made_by String,
    valid_from @time,
    arrival Int64,
    model_rank UInt64,
    revision UInt256 MATERIALIZED @revision(0, 0, 0, @turn(FALSE, arrival))
) ENGINE = ReplacingMergeTree(revision)
ORDER BY (mention_id, incident_id, mention_version, model_rank, incident_version, p, state);
