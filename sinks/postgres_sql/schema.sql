-- The tables, in a schema of their own. Times are timestamp in UTC, without a zone, so that no
-- session's zone can bend them. Words are compared by their bytes (COLLATE "C"), as the other
-- warehouses do, whatever the database's own collation is. Tables are ours and may change; the names
-- in views.sql are stable.

-- name: meta
-- Whose schema this is and in which form.
CREATE TABLE meta (key text PRIMARY KEY, value text NOT NULL);

-- name: state
-- One row. Whoever writes holds it until the commit: writers come one after the other, and what a
-- reader sees is never older than the revision it has read.
CREATE TABLE state (
    revision bigint NOT NULL,    -- grows with every write
    arrival bigint NOT NULL      -- the last arrival number given to a row of fct_mention
);

-- name: first_state
-- The row.
INSERT INTO state VALUES (0, 0);

-- name: fct_mention
-- A row per mention: its newest version with the machine's labels. A person's words stand in fct_decision.
CREATE TABLE fct_mention (
    id text COLLATE "C" PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    author_key text COLLATE "C",  -- keyed hash of the author's id; a token once the author is erased
    text text COLLATE "C",        -- NULL once erased
    lang text COLLATE "C",        -- as the platform says; the label is language
    said_place text COLLATE "C",  -- as the platform says; the label is place
    hashtags text[] COLLATE "C",
    rating double precision,
    engagement json,
    said_at timestamp NOT NULL,
    event_at timestamp NOT NULL,
    seen_at timestamp NOT NULL,
    tracks text[] COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    model text COLLATE "C" NOT NULL,
    repeat_kind text COLLATE "C" NOT NULL,  -- as claimed on arrival; views name the head anew
    repeat_of text COLLATE "C",
    repeat_group text COLLATE "C" NOT NULL,
    intent text COLLATE "C", intent_p double precision, intent_sure boolean,
    topic text COLLATE "C", topic_p double precision, topic_sure boolean,
    severity text COLLATE "C", severity_p double precision, severity_sure boolean,
    sentiment text COLLATE "C", sentiment_p double precision, sentiment_sure boolean,
    informative text COLLATE "C", informative_p double precision, informative_sure boolean,
    noise text COLLATE "C", noise_p double precision, noise_sure boolean,
    language text COLLATE "C", language_p double precision, language_sure boolean,
    component text COLLATE "C", component_p double precision, component_sure boolean,
    place text COLLATE "C", place_p double precision, place_sure boolean,
    app_version text COLLATE "C", app_version_p double precision, app_version_sure boolean,
    label_evidence json,          -- by head; NULL once erased
    is_hidden boolean NOT NULL,
    is_erased boolean NOT NULL,
    updated_at timestamp NOT NULL,
    arrival bigint NOT NULL       -- grows with every row written; a changed row gets a new one
);

-- name: fct_mention_words_stay_here
-- The server's statistics would keep examples of what people wrote, also after an erasure.
ALTER TABLE fct_mention
    ALTER COLUMN text SET STATISTICS 0, ALTER COLUMN said_place SET STATISTICS 0,
    ALTER COLUMN hashtags SET STATISTICS 0, ALTER COLUMN engagement SET STATISTICS 0,
    ALTER COLUMN label_evidence SET STATISTICS 0;

-- name: fct_mention_by_arrival
-- The feed.
CREATE INDEX fct_mention_by_arrival ON fct_mention (arrival);

-- name: fct_mention_by_event
-- Counts per minute, and the window of an incident.
CREATE INDEX fct_mention_by_event ON fct_mention (event_at);

-- name: fct_mention_by_group
-- The head of a group of repeats.
CREATE INDEX fct_mention_by_group ON fct_mention (repeat_group, event_at, id);

-- name: fct_mention_by_author
-- What an author asks to be removed.
CREATE INDEX fct_mention_by_author ON fct_mention (author_key);

-- name: mention_identity
-- Who and where on the platform: the one table with author ids, handles and addresses. Erasable.
CREATE TABLE mention_identity (
    mention_id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    author_id text COLLATE "C",
    handle text COLLATE "C",
    url text COLLATE "C",
    reply_to text COLLATE "C",
    repost_of text COLLATE "C",
    quote_of text COLLATE "C",
    thread text COLLATE "C",
    mentions text[] COLLATE "C",
    links text[] COLLATE "C"
);

-- name: mention_identity_by_author
-- Whether an author's posts were ever kept, asked for every account that a stream tells of.
CREATE INDEX mention_identity_by_author ON mention_identity (author_id);

-- name: mention_identity_stays_here
-- As for the words of mentions: no examples in the server's statistics.
ALTER TABLE mention_identity
    ALTER COLUMN author_id SET STATISTICS 0, ALTER COLUMN handle SET STATISTICS 0,
    ALTER COLUMN url SET STATISTICS 0, ALTER COLUMN reply_to SET STATISTICS 0,
    ALTER COLUMN repost_of SET STATISTICS 0, ALTER COLUMN quote_of SET STATISTICS 0,
    ALTER COLUMN thread SET STATISTICS 0, ALTER COLUMN mentions SET STATISTICS 0,
    ALTER COLUMN links SET STATISTICS 0;

-- name: fct_link
-- The machine's last word on a mention and an incident, also that there is no link any more.
CREATE TABLE fct_link (
    mention_id text COLLATE "C" NOT NULL,
    incident_id text COLLATE "C" NOT NULL,
    mention_version bigint NOT NULL,
    model text COLLATE "C" NOT NULL,
    incident_version bigint NOT NULL,
    state text COLLATE "C" NOT NULL,    -- linked, suggested, unlinked
    p double precision NOT NULL,
    made_by text COLLATE "C" NOT NULL,  -- auto, late
    evidence json,                      -- NULL once the mention is erased
    updated_at timestamp NOT NULL,
    PRIMARY KEY (mention_id, incident_id)
);

-- name: fct_link_stays_here
-- Reasons quote the text.
ALTER TABLE fct_link ALTER COLUMN evidence SET STATISTICS 0;

-- name: fct_link_by_incident
-- The posts of an incident.
CREATE INDEX fct_link_by_incident ON fct_link (incident_id);

-- name: dim_incident
-- A row per incident: its newest record, official or proposed by us.
CREATE TABLE dim_incident (
    incident_id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    title text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    impact text COLLATE "C" NOT NULL,
    components text[] COLLATE "C" NOT NULL,
    regions text[] COLLATE "C" NOT NULL,
    tracks text[] COLLATE "C" NOT NULL,
    url text COLLATE "C",
    started_at timestamp NOT NULL,
    opened_at timestamp NOT NULL,
    resolved_at timestamp,
    recorded_at timestamp NOT NULL,
    official_id text COLLATE "C",
    is_proposed boolean NOT NULL,
    updates json NOT NULL,
    history json NOT NULL,
    record json NOT NULL,         -- the whole record, from which the book can be made again
    updated_at timestamp NOT NULL
);

-- name: fct_decision
-- What people settled, each decision once. May stand here before its subject does.
CREATE TABLE fct_decision (
    decision_id text COLLATE "C" PRIMARY KEY,
    subject text COLLATE "C" NOT NULL,
    verb text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    decided_by text COLLATE "C" NOT NULL,
    decided_at timestamp NOT NULL,
    updated_at timestamp NOT NULL
);

-- name: fct_decision_by_subject
-- What was said of a mention or an incident. Hashed: what people write may be long.
CREATE INDEX fct_decision_by_subject ON fct_decision USING hash (subject);

-- name: fct_decision_by_value
-- Which mentions people linked to an incident.
CREATE INDEX fct_decision_by_value ON fct_decision USING hash (value);

-- name: fct_removal
-- What must not be shown or not come back. The subject is a keyed hash: these are the block rows too.
CREATE TABLE fct_removal (
    subject text COLLATE "C" NOT NULL,
    scope text COLLATE "C" NOT NULL,  -- mention, author
    kind text COLLATE "C" NOT NULL,   -- hidden, shown, erased
    asked_at timestamp NOT NULL,      -- the newest one
    done_at timestamp NOT NULL,
    id text COLLATE "C",              -- the mention's id, once there is such a mention
    PRIMARY KEY (subject, scope, kind)
);

-- name: fct_coverage
-- From when to when a source was read, and gaps; a span that grows keeps its furthest end.
CREATE TABLE fct_coverage (
    source text COLLATE "C" NOT NULL,
    track text COLLATE "C" NOT NULL,  -- '' for all tracks
    from_at timestamp NOT NULL,
    is_gap boolean NOT NULL,
    to_at timestamp NOT NULL,
    cause text COLLATE "C",
    PRIMARY KEY (source, track, from_at, is_gap)
);
