-- What columns mean, for docs/warehouse.md (`make dictionary`). Under [everywhere] stands what a name
-- means wherever it appears; under a view's or table's name what it means only there. *_p and *_sure
-- need no words of their own.

-- [everywhere]
-- app_version: version of an app that the post names
-- arrival: grows with every row written; a changed row gets a new one
-- author_key: keyed hash of the author's id on the platform; another token once the author is erased; NULL if unknown
-- campaign: why the watch sets the post aside as a brigade's (variants, hashtag, new_accounts); NULL otherwise
-- cause: why a source was blind; NULL where it was read
-- claim: what is claimed: hacked, data_leaked, ransomware, sabotage, insolvent
-- claims: claims that it makes (see claim), NULL or empty for none
-- component: part of the service that is named
-- components: parts of the service that the official word names
-- cost: what reading cost, in the currency of the settings
-- day: midnight UTC
-- decided_at: when a person settled it; NULL where the machine did
-- decided_by: who settled it
-- done_at: when it was done here
-- engagement: JSON of the platform's counts (likes, reposts, …)
-- event_at: when it happened by the platform's clock, at most 5 minutes after it was received; rules all windows
-- evidence: JSON list of {kind, value, weight}: the reasons; they may quote the text
-- first_report_at: event_at of the first linked report; of a proposal not before it began
-- first_seen_at: event_at of the first one
-- from_at: beginning of the span
-- handle: the author's name on the platform
-- hashtags: hashtags without #
-- history: JSON list of {at, status}
-- hour: beginning of the hour, UTC
-- id: the mention's id, source:external_id
-- impact: as its owner says it: none, minor, major, critical and so on
-- incident_id: the incident's id, provider:external_id; groundswell:… for our proposals
-- incident_version: how much was known of incidents when the link was made
-- incidents: number of official incidents
-- informative: yes or no: whether it tells anything about what happened
-- intent: report, question, complaint, praise, recovery, request or other, or a label of one's own; in views a person's word before the machine's
-- is_erased: erased for good; nothing the author wrote is left
-- is_gap: TRUE for a span in which the source could not be read
-- is_hidden: hidden for now by the platform or the author
-- is_informative: whether it tells anything about what happened
-- is_noise: whether it is advertising, spam or the like
-- is_official: whether an official incident names it
-- is_proposed: TRUE for a proposal of ours, FALSE for an official incident
-- is_removed: hidden or erased: the text is not shown, the row still counts
-- is_report: a report of a failure that counts: no noise, no mere repetition, no brigade
-- kind: post, reply, repost, quote, review or comment
-- label_evidence: JSON of the reasons for labels, by head
-- lang: language as the platform says it
-- language: language, as found
-- last_seen_at: event_at of the last one
-- lead_seconds: seconds that our proposal stood before the official opening; negative if after
-- link_by: auto, late (made after more was known) or person
-- link_p: probability of the link, 0 to 1; 1 or 0 by a person's word
-- link_state: linked (certain), suggested, or unlinked
-- links: addresses in the post
-- made_by: auto or late
-- mention_id: the mention's id, source:external_id
-- mention_version: the version of the mention that it was made for
-- mentions: number of mentions, repeats included
-- model: version of the models that labelled it
-- model_version: version of the models that labelled it
-- noise: yes or no: advertising, spam or the like
-- official_id: the official incident that a proposal became, or was merged into
-- opened_at: when the incident was opened by its owner, or proposed by us
-- p: probability, 0 to 1
-- phase: before, during or after the incident by its owner's word
-- place: place that the post speaks of, as found
-- place_in: the region or country of the place
-- quote_of: id of the post that it quotes
-- rating: stars of a review, 1 to 5
-- reads: posts that were paid for
-- recorded_at: from when on the record holds
-- regions: regions that the official word names
-- removed: how many of the mentions are hidden or erased
-- repeat_group: id that all tellings of one matter share
-- repeat_kind: original, copy, near, repost or echo (the same author again)
-- repeat_of: the earliest mention of its group; NULL for that itself
-- reply_to: id of the post that it answers
-- repost_of: id of the post that it repeats
-- resolved_at: when it was resolved by the official word; NULL while open
-- said_at: when it was said, by the platform's clock as told
-- said_place: place as the platform says it
-- says: broken or works
-- scope: whether a mention or an author was meant
-- seen_at: when we received it
-- sentiment: negative, neutral or positive
-- severity: harm, blocked, degraded, annoyed or none
-- source: platform the post stands on
-- started_at: when the incident began, by its owner or by the first reports
-- status: proposed, investigating, identified, monitoring, resolved, postmortem or dismissed
-- text: what was said, with phone, card and account numbers masked; NULL once removed
-- thread: id of the conversation
-- title: the incident's title
-- to_at: end of the span
-- told_at: when that was told
-- topic: what it is about: outage, performance, login, payment and so on, or a label of one's own
-- track: the first track that it matches, NULL for none
-- tracks: all tracks that it matches
-- updated_at: when anything about it was last written here
-- updates: JSON list of {id, status, body, display_at}: what the official channel said
-- url: its address
-- valid_from: since when this was what we made of it
-- valid_to: until when; from then on something newer was
-- verb: what was settled: relabel, link, unlink, accept, dismiss or merge
-- version: time of the edit in ms since 1970, 0 for none; of incidents a number that grows
-- witness: whom a report counts for: the author, or the mention itself where the author is unknown
-- witnesses: distinct authors of reports, after repeats

-- [coverage]
-- track: the track that was read for, NULL for all

-- [crowd]
-- normal: witnesses an hour on the day before it began
-- other_official: those of the other tracks whose owner opened an incident within an hour of this start
-- other_tracks: other tracks on which the same was said at the same time
-- recovered: people who said in this hour that it works again
-- stance: agrees, ahead, contradicts or elsewhere: how the crowd stands to the official word
-- still_broken: people who said so after "resolved"
-- unnamed_components: parts that people name and the official word does not
-- unnamed_regions: regions that people name and the official word does not
-- witnesses: people who said in this hour that it is broken

-- [erasures fct_erasure]
-- asked_at: when somebody asked for it
-- asked_by: who asked; NULL if nobody said
-- erasure_id: the receipt's number
-- mentions: mentions that lost their words
-- places: what was searched or written anew for it
-- reason: why, in the words of who asked
-- requests: mentions and authors named

-- [fct_campaign]
-- kind: variants, hashtag or new_accounts

-- [fct_coverage]
-- track: the track that was read for, '' for all

-- [fct_decision]
-- left_names: subjects and values it had before its id was used again
-- decision_id: made by the client
-- subject: id of a mention or an incident
-- value: HEAD=NAME for relabel, an incident's id for link, unlink and merge

-- [incident_as_known]
-- decided_by: who settled what people had settled by then; NULL before
-- into_id: the incident that people had merged it into
-- official_id: the official incident that the proposal had become; NULL for none
-- status: its status as it stood here, with people's words
-- told_status: its status as it stood here, without them
-- valid_from: since when this stood here
-- valid_to: until when; NULL for what stands here now
-- verb: what people had settled: accept, dismiss or merge; NULL before

-- [incident_history]
-- decided_by: who settled the last thing that people settled; NULL before
-- into_id: the incident that people merged it into
-- status: its status with people's words
-- told_status: its status as its owner told, or we
-- verb: what people settled last: accept, dismiss or merge; NULL before

-- [link_history]
-- decided_by: the person whose word it is; NULL where the machine said it
-- version: the version of the mention that it was said of; NULL for a person's word

-- [fct_link fct_link_version]
-- state: linked, suggested, or unlinked

-- [fct_mention]
-- left_at: times of event_at that a newer version took back
-- is_repeat: whether it was said to be of a group named after another
-- left_groups: groups of repeats that it was of before

-- [fct_removal]
-- asked_at: when it was asked for, the newest time
-- id: the mention's id, once there is such a mention
-- kind: hidden, shown or erased
-- subject: keyed hash of the mention's or author's id: this is the block row

-- [dim_incident]
-- record: JSON of the whole record

-- [mention_private]
-- author_id: the author's id, source:id
-- mentions: handles that the post names

-- [mention_tracks]
-- track: a track that it matches

-- [mentions_hourly]
-- track: the track, NULL for posts without; a post of two tracks counts for both

-- [meta]
-- key: program, schema, views, key_check or migration_NNNN
-- value: what is to be known of it

-- [removals]
-- asked_at: when it was asked for, the newest time
-- id: the mention's id; a keyed hash for an author, and for a mention that is not here
-- kind: hidden, shown or erased

-- [rumours]
-- first_id: the first mention
-- first_seen_at: event_at of the first one
-- incident_id: the incident it is about, NULL for posts that belong to none

-- [completeness]
-- causes: why it was blind, of all gaps in the hour, in order of the alphabet; NULL without any
-- is_complete: whether all of the hour was read
-- seconds_blind: how much of the hour is known to be lost
-- seconds_read: how much of the hour was read
-- share: share of the hour that was read, 0 to 1
-- track: the track that was read for, NULL for all

-- [decisions]
-- decision_id: made by the client
-- head: for relabel what was named: intent, topic, component and so on
-- id: the mention's id, NULL where an incident was settled
-- incident_id: the incident that is settled, or that a mention is linked to or not; NULL for relabel
-- into_id: for merge the incident that it became part of
-- name: for relabel the new name

-- [dim_component]
-- component: part of a service, as posts or the official word name it

-- [dim_date]
-- date_day: the day, UTC
-- day_of_month: 1 to 31
-- day_of_week: 1 (Monday) to 7 (Sunday)
-- is_weekend: Saturday or Sunday
-- month: 1 to 12
-- quarter: 1 to 4
-- week: week of ISO 8601, 1 to 53; the first days of January may be in the last one
-- year: year, as 2026

-- [dim_region]
-- region: place or region, as posts or the official word name it

-- [dim_source]
-- authors: number of different authors, by key
-- blind_to_at: when its last gap ended, NULL without any
-- read_from_at: from when on it was read, NULL if nothing tells
-- read_to_at: up to when it was read, NULL if nothing tells
-- source: platform that posts stand on, or a source's name in the settings

-- [dim_author]
-- source: platform of the author's account

-- [dim_track]
-- proposals: number of our proposals
-- track: the track's name in the settings

-- [fct_incident_update]
-- body: what the official channel said
-- display_at: when it was said
-- id: the incident's id, #, and the tool's own id of this word or its time
-- number: 1 for the first word on the incident, 2 for the next
-- status: status as its owner said it, NULL for none

-- [fct_proposal]
-- decided_at: when a person last settled it; NULL if nobody did
-- decided_by: who settled it last; NULL if nobody did
-- official_id: the official incident that took it over or that it was merged into
-- outcome: official, merged, accepted, dismissed, over or open
-- proposed_at: when we proposed it
-- witnesses_then: how many people had reported it when it was proposed or last told

-- [rollup]
-- arrival: counts at rest hold what had arrived up to this number
-- rolled_at: when they were made last

-- [agg_incident_settled]
-- into_id: the incident that it had been merged into; empty if it was dismissed
