-- The writes. @new_rows(table) are the rows that a write brings to a table, one row per key; a row
-- replaces another only if its revision is higher (strict >, in DuckDB also four times faster than
-- >=). What is called NAME_past runs before NAME on the same rows, and keeps what they supersede.
-- @batch(column type, …) are the rows of a smaller batch, with these columns.

-- name: fct_mention_past
-- What rows of a batch supersede, before they do.
INSERT INTO fct_mention_version (
    id, version, model, @believed(), valid_from, valid_to, arrival)
SELECT m.id, m.version, m.model, @believed(m.), m.valid_from,
    greatest(b.valid_from, m.valid_from), b.arrival
FROM fct_mention m JOIN @brought(fct_mention) b ON b.id = m.id
WHERE @is_newer_mention(b, m);

-- name: fct_mention
-- Newest version, then newest model; of the same one the first time it was seen.
INSERT INTO fct_mention @new_rows(fct_mention)
ON CONFLICT (id) DO UPDATE SET
    source = excluded.source, kind = excluded.kind, author_key = excluded.author_key,
    lang = excluded.lang, rating = excluded.rating, engagement = excluded.engagement,
    said_at = excluded.said_at, event_at = excluded.event_at, seen_at = excluded.seen_at,
    tracks = excluded.tracks, version = excluded.version, model = excluded.model,
    repeat_kind = excluded.repeat_kind, repeat_of = excluded.repeat_of,
    repeat_group = excluded.repeat_group,
    intent = excluded.intent, intent_p = excluded.intent_p, intent_sure = excluded.intent_sure,
    topic = excluded.topic, topic_p = excluded.topic_p, topic_sure = excluded.topic_sure,
    severity = excluded.severity, severity_p = excluded.severity_p,
    severity_sure = excluded.severity_sure,
    sentiment = excluded.sentiment, sentiment_p = excluded.sentiment_p,
    sentiment_sure = excluded.sentiment_sure,
    informative = excluded.informative, informative_p = excluded.informative_p,
    informative_sure = excluded.informative_sure,
    noise = excluded.noise, noise_p = excluded.noise_p, noise_sure = excluded.noise_sure,
    language = excluded.language, language_p = excluded.language_p,
    language_sure = excluded.language_sure,
    component = excluded.component, component_p = excluded.component_p,
    component_sure = excluded.component_sure,
    place = excluded.place, place_p = excluded.place_p, place_sure = excluded.place_sure,
    app_version = excluded.app_version, app_version_p = excluded.app_version_p,
    app_version_sure = excluded.app_version_sure,
    claims = excluded.claims, place_in = excluded.place_in,
    is_hidden = excluded.is_hidden, is_erased = excluded.is_erased,
    updated_at = excluded.updated_at, arrival = excluded.arrival,
    left_at = @left_at(excluded, fct_mention), left_groups = @left_groups(excluded, fct_mention),
    valid_from = CASE WHEN excluded.version = fct_mention.version
            AND excluded.model = fct_mention.model THEN fct_mention.valid_from
        ELSE greatest(excluded.valid_from, fct_mention.valid_from) END
WHERE @is_newer_mention(excluded, fct_mention)
   OR (excluded.version = fct_mention.version AND excluded.model = fct_mention.model
       AND excluded.seen_at < fct_mention.seen_at);

-- name: mention_private
-- Newest version, then newest model, as of fct_mention.
INSERT INTO mention_private @new_rows(mention_private)
ON CONFLICT (mention_id) DO UPDATE SET
    version = excluded.version, model = excluded.model, text = excluded.text,
    said_place = excluded.said_place, hashtags = excluded.hashtags,
    label_evidence = excluded.label_evidence, author_id = excluded.author_id,
    handle = excluded.handle, url = excluded.url, reply_to = excluded.reply_to,
    repost_of = excluded.repost_of, quote_of = excluded.quote_of, thread = excluded.thread,
    mentions = excluded.mentions, links = excluded.links
WHERE (excluded.version, excluded.model) > (mention_private.version, mention_private.model);

-- name: fct_link_past
-- What rows of a batch supersede, before they do.
INSERT INTO fct_link_version (
    mention_id, incident_id, mention_version, model, incident_version, state, p, made_by,
    valid_from, valid_to, arrival)
SELECT l.mention_id, l.incident_id, l.mention_version, l.model, l.incident_version, l.state, l.p,
    l.made_by, l.updated_at, greatest(b.updated_at, l.updated_at), b.arrival
FROM fct_link l JOIN @brought(fct_link) b
    ON b.mention_id = l.mention_id AND b.incident_id = l.incident_id
WHERE @is_newer_link(b, l);

-- name: fct_link
-- Newest (mention version, model, incident version); p and state only decide between twins.
INSERT INTO fct_link @new_rows(fct_link)
ON CONFLICT (mention_id, incident_id) DO UPDATE SET
    mention_version = excluded.mention_version, model = excluded.model,
    incident_version = excluded.incident_version, state = excluded.state, p = excluded.p,
    made_by = excluded.made_by, evidence = excluded.evidence,
    updated_at = greatest(excluded.updated_at, fct_link.updated_at), arrival = excluded.arrival
WHERE @is_newer_link(excluded, fct_link);

-- name: fct_campaign
-- The word on the newest version; the kind only decides between twins.
INSERT INTO fct_campaign @new_rows(fct_campaign)
ON CONFLICT (mention_id) DO UPDATE SET
    mention_version = excluded.mention_version, kind = excluded.kind,
    updated_at = excluded.updated_at, arrival = excluded.arrival
WHERE (excluded.mention_version, excluded.kind) > (fct_campaign.mention_version, fct_campaign.kind);

-- name: dim_incident_past
-- What rows of a batch supersede, before they do.
INSERT INTO fct_incident_version (
    incident_id, version, title, status, impact, official_id, is_proposed, valid_from, valid_to,
    arrival)
SELECT i.incident_id, i.version, i.title, i.status, i.impact, i.official_id, i.is_proposed,
    i.updated_at, greatest(b.updated_at, i.updated_at), b.arrival
FROM dim_incident i JOIN @brought(dim_incident) b ON b.incident_id = i.incident_id
WHERE @is_newer_incident(b, i);

-- name: dim_incident
-- Newest version; time and content only decide between twins.
INSERT INTO dim_incident @new_rows(dim_incident)
ON CONFLICT (incident_id) DO UPDATE SET
    version = excluded.version, title = excluded.title, status = excluded.status,
    impact = excluded.impact, components = excluded.components, regions = excluded.regions,
    tracks = excluded.tracks, url = excluded.url, started_at = excluded.started_at,
    opened_at = excluded.opened_at, resolved_at = excluded.resolved_at, recorded_at = excluded.recorded_at,
    official_id = excluded.official_id, is_proposed = excluded.is_proposed, claims = excluded.claims,
    updates = excluded.updates, history = excluded.history, record = excluded.record,
    updated_at = greatest(excluded.updated_at, dim_incident.updated_at), arrival = excluded.arrival
WHERE @is_newer_incident(excluded, dim_incident);

-- name: fct_decision
-- Each decision once; should a client use an id again, the later word under it stays.
INSERT INTO fct_decision @new_rows(fct_decision)
ON CONFLICT (decision_id) DO UPDATE SET
    subject = excluded.subject, verb = excluded.verb, value = excluded.value,
    decided_by = excluded.decided_by, decided_at = excluded.decided_at,
    updated_at = excluded.updated_at, arrival = excluded.arrival,
    left_names = @left_names(excluded, fct_decision)
WHERE (excluded.decided_at, excluded.subject, excluded.verb, excluded.value, excluded.decided_by)
    > (fct_decision.decided_at, fct_decision.subject, fct_decision.verb, fct_decision.value,
       fct_decision.decided_by);

-- name: fct_removal
-- The newest request of its kind for its subject.
INSERT INTO fct_removal @new_rows(fct_removal)
ON CONFLICT (subject, scope, kind) DO UPDATE SET
    asked_at = excluded.asked_at, done_at = excluded.done_at
WHERE excluded.asked_at > fct_removal.asked_at;

-- name: fct_coverage
-- The furthest end of a span.
INSERT INTO fct_coverage @new_rows(fct_coverage)
ON CONFLICT (source, track, from_at, is_gap) DO UPDATE SET
    to_at = excluded.to_at, cause = excluded.cause
WHERE excluded.to_at > fct_coverage.to_at
   OR (excluded.to_at = fct_coverage.to_at
       AND coalesce(excluded.cause, '') > coalesce(fct_coverage.cause, ''));

-- name: fct_spend
-- The newest word on a day: what was paid in advance may have been given back.
INSERT INTO fct_spend @new_rows(fct_spend)
ON CONFLICT (source, day) DO UPDATE SET
    reads = excluded.reads, cost = excluded.cost, told_at = excluded.told_at
WHERE excluded.told_at > fct_spend.told_at
   OR (excluded.told_at = fct_spend.told_at AND excluded.reads > fct_spend.reads);

-- name: removals_of
-- What is asked of the mentions and authors of a batch, by their keyed hashes.
SELECT subject, scope, kind, asked_at FROM fct_removal
WHERE subject IN (SELECT subject FROM @batch(subject text) b);

-- name: name_removals
-- Gives removals that came before their mention the mention's id.
UPDATE fct_removal SET id = b.id FROM @batch(subject text, id text) b
WHERE fct_removal.subject = b.subject AND fct_removal.scope = 'mention' AND fct_removal.id IS NULL;

-- name: mentions_removed
-- The mentions that a batch of removals is about; keys are mention ids, author keys and tokens.
SELECT id, author_key, event_at, is_hidden, is_erased FROM fct_mention
WHERE id IN (SELECT key FROM @batch(key text) b)
UNION
SELECT id, author_key, event_at, is_hidden, is_erased FROM fct_mention
WHERE author_key IN (SELECT key FROM @batch(key text) b);

-- name: erased_among
-- Which mentions of a batch are erased.
SELECT id FROM fct_mention WHERE id IN (SELECT id FROM @batch(id text) b) AND is_erased;

-- name: quoted_among
-- Which mentions of a batch a reason for a link quotes.
SELECT DISTINCT mention_id FROM fct_link
WHERE mention_id IN (SELECT id FROM @batch(id text) b) AND evidence IS NOT NULL;

-- name: show_or_hide
-- Hides or shows mentions.
UPDATE fct_mention SET
    is_hidden = b.is_hidden, updated_at = $at::timestamp, arrival = b.arrival
FROM @batch(id text, is_hidden boolean, arrival bigint) b
WHERE fct_mention.id = b.id AND fct_mention.is_hidden <> b.is_hidden;

-- name: erase_mentions
-- Takes what leads to the author; labels and counts stay.
UPDATE fct_mention SET
    is_erased = TRUE, author_key = b.author_key, engagement = NULL, rating = NULL,
    updated_at = $at::timestamp, arrival = b.arrival
FROM @batch(id text, author_key text, arrival bigint) b WHERE fct_mention.id = b.id;

-- name: erase_private
-- Takes the words, and the platform's ids, handles and addresses.
DELETE FROM mention_private WHERE mention_id IN (SELECT id FROM @batch(id text) b);

-- name: erase_evidence
-- Takes the reasons for links, which quote the text.
UPDATE fct_link SET evidence = NULL WHERE mention_id IN (SELECT id FROM @batch(id text) b);

-- name: fct_erasure
-- Each receipt once.
INSERT INTO fct_erasure @new_rows(fct_erasure) ON CONFLICT (erasure_id) DO NOTHING;
