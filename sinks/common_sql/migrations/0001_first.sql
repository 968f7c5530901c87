-- The tables. @word is a text compared by its bytes whatever the database's own collation is, @words
-- a list of them. Times are timestamp in UTC, without a zone, so that no session's zone can bend
-- them. Tables are ours and may change; the names in views.sql are stable.

-- name: meta
-- Whose schema this is and in which form.
CREATE TABLE meta (key text PRIMARY KEY, value text NOT NULL);

-- name: fct_mention
-- A row per mention: its newest version with the machine's labels. A person's words stand in fct_decision.
CREATE TABLE fct_mention (
    id @word PRIMARY KEY,
    source @word NOT NULL,
    kind @word NOT NULL,
    author_key @word,  -- keyed hash of the author's id; a token once the author is erased
    text @word,        -- NULL once erased
    lang @word,        -- as the platform says; the label is language
    said_place @word,  -- as the platform says; the label is place
    hashtags @words,
    rating double precision,
    engagement json,
    said_at timestamp NOT NULL,
    event_at timestamp NOT NULL,
    seen_at timestamp NOT NULL,
    tracks @words NOT NULL,
    version bigint NOT NULL,
    model @word NOT NULL,
    repeat_kind @word NOT NULL,  -- as claimed on arrival; views name the head anew
    repeat_of @word,
    repeat_group @word NOT NULL,
    intent @word, intent_p double precision, intent_sure boolean,
    topic @word, topic_p double precision, topic_sure boolean,
    severity @word, severity_p double precision, severity_sure boolean,
    sentiment @word, sentiment_p double precision, sentiment_sure boolean,
    informative @word, informative_p double precision, informative_sure boolean,
    noise @word, noise_p double precision, noise_sure boolean,
    language @word, language_p double precision, language_sure boolean,
    component @word, component_p double precision, component_sure boolean,
    place @word, place_p double precision, place_sure boolean,
    app_version @word, app_version_p double precision, app_version_sure boolean,
    label_evidence json,          -- by head; NULL once erased
    is_hidden boolean NOT NULL,
    is_erased boolean NOT NULL,
    updated_at timestamp NOT NULL,
    arrival bigint NOT NULL       -- grows with every row written; a changed row gets a new one
);

-- name: mention_identity
-- Who and where on the platform: the one table with author ids, handles and addresses. Erasable.
CREATE TABLE mention_identity (
    mention_id @word PRIMARY KEY,
    version bigint NOT NULL,
    author_id @word,
    handle @word,
    url @word,
    reply_to @word,
    repost_of @word,
    quote_of @word,
    thread @word,
    mentions @words,
    links @words
);

-- name: fct_link
-- The machine's last word on a mention and an incident, also that there is no link any more.
CREATE TABLE fct_link (
    mention_id @word NOT NULL,
    incident_id @word NOT NULL,
    mention_version bigint NOT NULL,
    model @word NOT NULL,
    incident_version bigint NOT NULL,
    state @word NOT NULL,    -- linked, suggested, unlinked
    p double precision NOT NULL,
    made_by @word NOT NULL,  -- auto, late
    evidence json,                      -- NULL once the mention is erased
    updated_at timestamp NOT NULL,
    PRIMARY KEY (mention_id, incident_id)
);

-- name: dim_incident
-- A row per incident: its newest record, official or proposed by us.
CREATE TABLE dim_incident (
    incident_id @word PRIMARY KEY,
    version bigint NOT NULL,
    title @word NOT NULL,
    status @word NOT NULL,
    impact @word NOT NULL,
    components @words NOT NULL,
    regions @words NOT NULL,
    tracks @words NOT NULL,
    url @word,
    started_at timestamp NOT NULL,
    opened_at timestamp NOT NULL,
    resolved_at timestamp,
    recorded_at timestamp NOT NULL,
    official_id @word,
    is_proposed boolean NOT NULL,
    updates json NOT NULL,
    history json NOT NULL,
    record json NOT NULL,         -- the whole record, from which the book can be made again
    updated_at timestamp NOT NULL
);

-- name: fct_decision
-- What people settled, each decision once. May stand here before its subject does.
CREATE TABLE fct_decision (
    decision_id @word PRIMARY KEY,
    subject @word NOT NULL,
    verb @word NOT NULL,
    value @word NOT NULL,
    decided_by @word NOT NULL,
    decided_at timestamp NOT NULL,
    updated_at timestamp NOT NULL
);

-- name: fct_removal
-- What must not be shown or not come back. The subject is a keyed hash: these are the block rows too.
CREATE TABLE fct_removal (
    subject @word NOT NULL,
    scope @word NOT NULL,  -- mention, author
    kind @word NOT NULL,   -- hidden, shown, erased
    asked_at timestamp NOT NULL,      -- the newest one
    done_at timestamp NOT NULL,
    id @word,              -- the mention's id, once there is such a mention
    PRIMARY KEY (subject, scope, kind)
);

-- name: fct_coverage
-- From when to when a source was read, and gaps; a span that grows keeps its furthest end.
CREATE TABLE fct_coverage (
    source @word NOT NULL,
    track @word NOT NULL,  -- '' for all tracks
    from_at timestamp NOT NULL,
    is_gap boolean NOT NULL,
    to_at timestamp NOT NULL,
    cause @word,
    PRIMARY KEY (source, track, from_at, is_gap)
);
