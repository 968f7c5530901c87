-- What a write asks and changes besides the rows that it adds; see clickhouse_write.py. Changed rows
-- are written once more, beside the old ones; rewriting the tables takes the old ones away.

-- name: removals_of
-- What is asked of the mentions and authors of a batch, by their keyed hashes.
SELECT subject, scope, kind, asked_at FROM fct_removal WHERE subject IN $subject::text[];

-- name: mentions_removed
-- The mentions that a batch of removals is about; keys are mention ids, author keys and tokens.
SELECT id, author_key, event_at, is_hidden, is_erased FROM fct_mention WHERE id IN $key::text[]
UNION
SELECT id, author_key, event_at, is_hidden, is_erased FROM fct_mention
WHERE author_key IN $key::text[];

-- name: erased_among
-- Which mentions of a batch are erased.
SELECT id FROM fct_mention WHERE id IN $id::text[] AND is_erased;

-- name: quoted_among
-- Which mentions of a batch a reason for a link quotes.
SELECT DISTINCT mention_id FROM fct_link WHERE mention_id IN $id::text[] AND evidence IS NOT NULL;

-- name: show_or_hide
-- Hides or shows mentions.
INSERT INTO fct_mention_row
SELECT * REPLACE ($is_hidden::boolean[][indexOf($id::text[], id)] AS is_hidden,
    assumeNotNull($at::timestamp) AS updated_at, $arrival::bigint[][indexOf($id::text[], id)] AS arrival,
    TRUE AS changed)
FROM (SELECT * FROM fct_mention_row FINAL WHERE id IN $id::text[]) m;

-- name: erase_mentions
-- Takes what leads to the author; labels and counts stay.
INSERT INTO fct_mention_row
SELECT * REPLACE (TRUE AS is_erased, nullIf($author_key::text[][indexOf($id::text[], id)], '') AS author_key,
    NULL AS engagement, NULL AS rating, assumeNotNull($at::timestamp) AS updated_at,
    $arrival::bigint[][indexOf($id::text[], id)] AS arrival, TRUE AS changed)
FROM (SELECT * FROM fct_mention_row FINAL WHERE id IN $id::text[]) m;

-- name: erase_private
-- Takes the words, and the platform's ids, handles and addresses.
INSERT INTO mention_private_row (mention_id, is_gone) SELECT arrayJoin($id::text[]), TRUE;

-- name: erase_evidence
-- Takes the reasons for links, which quote the text.
INSERT INTO fct_link_row
SELECT * REPLACE (NULL AS evidence, TRUE AS changed)
FROM (
    SELECT * FROM fct_link_row FINAL WHERE mention_id IN $id::text[] AND evidence IS NOT NULL
) l;

-- name: name_removals
-- Gives removals that came before their mention the mention's id.
INSERT INTO fct_removal_row
SELECT * REPLACE ($id::text[][indexOf($subject::text[], subject)] AS id)
FROM (
    SELECT * FROM fct_removal_row FINAL
    WHERE subject IN $subject::text[] AND scope = 'mention' AND id IS NULL
) r;

-- name: incident_log
-- Notes what counts of incidents from now on. What did not supersede anything is there already.
INSERT INTO incident_log_row
SELECT incident_id, version, recorded_at, sipHash64(record), title, status, impact, official_id,
    is_proposed, updated_at, arrival
FROM dim_incident_row FINAL WHERE incident_id IN $incident_id::text[];
