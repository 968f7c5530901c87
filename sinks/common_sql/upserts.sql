-- The writes. @new_rows(table) are the rows that a write brings to a table, one row per key; a row
-- replaces another only if its revision is higher (strict >, in DuckDB also four times faster than
-- >=). @batch(column type, …) are the rows of a smaller batch, with these columns.

-- name: fct_mention
-- Newest version, then newest model; of the same one the first time it was seen.
INSERT INTO fct_mention @new_rows(fct_mention)
ON CONFLICT (id) DO UPDATE SET
    source = excluded.source, kind = excluded.kind, author_key = excluded.author_key,
    text = excluded.text, lang = excluded.lang, said_place = excluded.said_place,
    hashtags = excluded.hashtags, rating = excluded.rating, engagement = excluded.engagement,
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
    label_evidence = excluded.label_evidence,
    is_hidden = excluded.is_hidden, is_erased = excluded.is_erased,
    updated_at = excluded.updated_at, arrival = excluded.arrival
WHERE (excluded.version, excluded.model) > (fct_mention.version, fct_mention.model)
   OR (excluded.version = fct_mention.version AND excluded.model = fct_mention.model
       AND excluded.seen_at < fct_mention.seen_at);

-- name: mention_identity
-- Newest version; what a model makes of a mention does not touch it.
INSERT INTO mention_identity @new_rows(mention_identity)
ON CONFLICT (mention_id) DO UPDATE SET
    version = excluded.version, author_id = excluded.author_id, handle = excluded.handle,
    url = excluded.url, reply_to = excluded.reply_to, repost_of = excluded.repost_of,
    quote_of = excluded.quote_of, thread = excluded.thread, mentions = excluded.mentions,
    links = excluded.links
WHERE excluded.version > mention_identity.version;

-- name: fct_link
-- Newest (mention version, model, incident version); p and state only decide between twins.
INSERT INTO fct_link @new_rows(fct_link)
ON CONFLICT (mention_id, incident_id) DO UPDATE SET
    mention_version = excluded.mention_version, model = excluded.model,
    incident_version = excluded.incident_version, state = excluded.state, p = excluded.p,
    made_by = excluded.made_by, evidence = excluded.evidence, updated_at = excluded.updated_at
WHERE (excluded.mention_version, excluded.model, excluded.incident_version, excluded.p,
       excluded.state)
    > (fct_link.mention_version, fct_link.model, fct_link.incident_version, fct_link.p,
       fct_link.state);

-- name: fct_campaign
-- The word on the newest version; the kind only decides between twins.
INSERT INTO fct_campaign @new_rows(fct_campaign)
ON CONFLICT (mention_id) DO UPDATE SET
    mention_version = excluded.mention_version, kind = excluded.kind,
    updated_at = excluded.updated_at
WHERE (excluded.mention_version, excluded.kind) > (fct_campaign.mention_version, fct_campaign.kind);

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
    updated_at = excluded.updated_at
WHERE (excluded.version, excluded.recorded_at, excluded.record::text COLLATE "C")
    > (dim_incident.version, dim_incident.recorded_at, dim_incident.record::text COLLATE "C");

-- name: fct_decision
-- Each decision once; should a client use an id again, the later word under it stays.
INSERT INTO fct_decision @new_rows(fct_decision)
ON CONFLICT (decision_id) DO UPDATE SET
    subject = excluded.subject, verb = excluded.verb, value = excluded.value,
    decided_by = excluded.decided_by, decided_at = excluded.decided_at,
    updated_at = excluded.updated_at
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

-- name: show_or_hide
-- Hides or shows mentions.
UPDATE fct_mention SET is_hidden = b.is_hidden, updated_at = $at::timestamp
FROM @batch(id text, is_hidden boolean) b
WHERE fct_mention.id = b.id AND fct_mention.is_hidden <> b.is_hidden;

-- name: erase_mentions
-- Takes the words and what leads to the author; labels and counts stay.
UPDATE fct_mention SET
    is_erased = TRUE, author_key = b.author_key, text = NULL, said_place = NULL, hashtags = NULL,
    engagement = NULL, rating = NULL, label_evidence = NULL, updated_at = $at::timestamp
FROM @batch(id text, author_key text) b WHERE fct_mention.id = b.id;

-- name: erase_identity
-- Takes the platform's ids, handles and addresses.
DELETE FROM mention_identity WHERE mention_id IN (SELECT id FROM @batch(id text) b);

-- name: erase_evidence
-- Takes the reasons for links, which quote the text.
UPDATE fct_link SET evidence = NULL WHERE mention_id IN (SELECT id FROM @batch(id text) b);

-- name: fct_erasure
-- Each receipt once.
INSERT INTO fct_erasure @new_rows(fct_erasure) ON CONFLICT (erasure_id) DO NOTHING;
