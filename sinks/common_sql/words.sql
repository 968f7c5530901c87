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
