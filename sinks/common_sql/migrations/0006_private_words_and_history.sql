-- All that people wrote, and who they are, moves to one table that can be erased and has permissions
-- of its own. What was believed before is kept. Every changed row can be found by its number.

-- name: mention_private
-- What was said, who said it and where: the one table with words, author ids, handles and addresses.
CREATE TABLE mention_private (
    mention_id @word PRIMARY KEY,
    version bigint NOT NULL,
    model @word NOT NULL,
    text @word,
    said_place @word,  -- as the platform says; the label is place
    hashtags @words,
    label_evidence json,  -- by head
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

-- name: words_move
-- Of everybody who was not erased.
INSERT INTO mention_private
SELECT m.id, m.version, m.model, m.text, m.said_place, m.hashtags, m.label_evidence, i.author_id,
    i.handle, i.url, i.reply_to, i.repost_of, i.quote_of, i.thread, i.mentions, i.links
FROM fct_mention m LEFT JOIN mention_identity i ON i.mention_id = m.id
WHERE NOT m.is_erased;

-- name: mention_identity
-- All of it stands in mention_private.
DROP TABLE mention_identity;

-- name: fct_mention_claims
-- The claims that a post makes: without the words that make them. NULL for none.
ALTER TABLE fct_mention ADD COLUMN claims @words;

-- name: fct_mention_place_in
-- The region or country of the place.
ALTER TABLE fct_mention ADD COLUMN place_in @word;

-- name: fct_mention_valid_from
-- Since when this is what we make of it; hiding or erasing it changes updated_at, not this.
ALTER TABLE fct_mention ADD COLUMN valid_from timestamp;

-- name: fct_mention_since
-- What stood there held since it was written, and names places as before.
UPDATE fct_mention SET valid_from = updated_at,
    place_in = ((label_evidence -> 'place') -> 1) ->> 'value';

-- name: fct_mention_claimed
-- Claims as they were read from the reasons until now.
UPDATE fct_mention SET claims = c.claims
FROM (
    SELECT id, array_agg(DISTINCT claim ORDER BY claim) AS claims
    FROM (
        SELECT id, @json_items(label_evidence -> 'claim') ->> 'kind' AS claim FROM fct_mention
        WHERE strpos(label_evidence::text, '"claim":') > 0
    ) said
    GROUP BY id
) c
WHERE c.id = fct_mention.id;

-- name: fct_mention_without_text
-- Words stand in mention_private.
ALTER TABLE fct_mention DROP COLUMN text;

-- name: fct_mention_without_said_place
-- As above.
ALTER TABLE fct_mention DROP COLUMN said_place;

-- name: fct_mention_without_hashtags
-- As above.
ALTER TABLE fct_mention DROP COLUMN hashtags;

-- name: fct_mention_without_label_evidence
-- As above.
ALTER TABLE fct_mention DROP COLUMN label_evidence;

-- name: fct_link_arrival
-- From the counter of fct_mention.arrival; 0 for what was here before.
ALTER TABLE fct_link ADD COLUMN arrival bigint DEFAULT 0;

-- name: fct_campaign_arrival
-- As above.
ALTER TABLE fct_campaign ADD COLUMN arrival bigint DEFAULT 0;

-- name: dim_incident_arrival
-- As above.
ALTER TABLE dim_incident ADD COLUMN arrival bigint DEFAULT 0;

-- name: fct_decision_arrival
-- As above.
ALTER TABLE fct_decision ADD COLUMN arrival bigint DEFAULT 0;

-- name: fct_mention_version
-- What was made of a mention before: a row for every one that a newer one superseded. Without words.
CREATE TABLE fct_mention_version (
    id @word NOT NULL,
    version bigint NOT NULL,
    model @word NOT NULL,
    tracks @words NOT NULL,
    repeat_kind @word NOT NULL,
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
    claims @words,
    place_in @word,
    valid_from timestamp NOT NULL,
    valid_to timestamp NOT NULL,
    arrival bigint NOT NULL  -- of the row that superseded it
);

-- name: fct_link_version
-- What the machine said of a mention and an incident before. Without reasons: they quote the text.
CREATE TABLE fct_link_version (
    mention_id @word NOT NULL,
    incident_id @word NOT NULL,
    mention_version bigint NOT NULL,
    model @word NOT NULL,
    incident_version bigint NOT NULL,
    state @word NOT NULL,
    p double precision NOT NULL,
    made_by @word NOT NULL,
    valid_from timestamp NOT NULL,
    valid_to timestamp NOT NULL,
    arrival bigint NOT NULL  -- of the row that superseded it
);
