-- Words (see sinks/dialect.py) that most databases say alike; one that says one of them otherwise has
-- a section of the same name in its own words.sql. @1 is the first thing in the brackets that follow
-- the word.

-- name: no_words
-- An empty list of texts.
ARRAY[]::text[]

-- name: overlaps
-- Whether two lists have anything in common.
(@1 && @2)

-- name: each_or_none
-- A row for each item of a list; one row with NULL for an empty one.
unnest(CASE WHEN @1 = ARRAY[]::text[] THEN ARRAY[NULL]::text[] ELSE @1 END)

-- name: first_word
-- The first item of a list of texts, NULL for an empty one.
@1[1]

-- name: sorted_set
-- The different texts (@1) of a group for which something holds (@2), in order.
array_agg(DISTINCT @1 ORDER BY @1) FILTER (WHERE @2)

-- name: joined_set
-- The same in one text; NULL without any.
nullif(array_to_string(@sorted_set(@1, @2), ', '), '')

-- name: first_of
-- The value (@1) of a group's row that comes first in the order of two columns.
(array_agg(@1 ORDER BY @2, @3))[1]

-- name: last_of
-- The value (@1) of the last row of a group, in the order of two columns, for which @4 holds; NULL
-- without any.
(array_agg(@1 ORDER BY @2 DESC, @3 DESC) FILTER (WHERE @4))[1]

-- name: quantile
-- The quantile @1 of a group's numbers.
percentile_cont(@1) WITHIN GROUP (ORDER BY @2)

-- name: seconds
-- How many seconds a time (@1) lies after another (@2).
CAST(extract(epoch FROM @1 - @2) AS double precision)

-- name: long_ago
-- A time before all others.
'-infinity'::timestamp

-- name: names_any
-- Whether a text (@1) names any of a list (@2), in capitals or not.
EXISTS (SELECT 1 FROM unnest(@2) r WHERE strpos(lower(@1), lower(r)) > 0)

-- name: believed
-- What was made of a mention, as its history keeps it; @1 (nothing, or a name and its dot) stands before
-- each column.
@1tracks, @1repeat_kind, @1repeat_group,
    @1intent, @1intent_p, @1intent_sure,
    @1topic, @1topic_p, @1topic_sure,
    @1severity, @1severity_p, @1severity_sure,
    @1sentiment, @1sentiment_p, @1sentiment_sure,
    @1informative, @1informative_p, @1informative_sure,
    @1noise, @1noise_p, @1noise_sure,
    @1language, @1language_p, @1language_sure,
    @1component, @1component_p, @1component_sure,
    @1place, @1place_p, @1place_sure,
    @1app_version, @1app_version_p, @1app_version_sure,
    @1claims, @1place_in

-- name: json_text
-- What stands under a key (@2) of a JSON object, as text.
(@1 ->> @2)

-- name: json_in
-- What stands under a key (@2) of a JSON object, as JSON.
(@1 -> @2)

-- name: json_item
-- The item of a JSON list with the number @2, counted from 0.
(@1 -> @2)

-- name: private_of
-- Joins to mentions (@1) what was said, who said it and where, as @2.
LEFT JOIN mention_private @2 ON @2.mention_id = @1.id

-- name: mentions_of
-- The mentions with these ids (@1, as id).
(SELECT * FROM fct_mention WHERE id IN (@1))
