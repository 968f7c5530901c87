-- Words: how ClickHouse says what the SQL in common_sql leaves open. @name stands for the section of
-- that name; @1 in it is the first thing in the brackets that follow it, @* is all of them. Lists are
-- never NULL here: none is an empty one.

-- name: word
-- A text that is compared by its bytes.
String

-- name: words
-- A list of them.
Array(String)

-- name: heads_of
-- Joins the earliest mention of the group of m, whatever arrived first: head_id and head_kind of h,
-- NULL for a group that @1 does not name.
LEFT JOIN (
    SELECT repeat_group, argMin(id, (event_at, id)) AS head_id,
        argMin(repeat_kind, (event_at, id)) AS head_kind
    FROM fct_mention WHERE repeat_group IN (SELECT repeat_group FROM @1)
    GROUP BY repeat_group
) h ON h.repeat_group = m.repeat_group

-- name: json_items
-- The items of a JSON list, a row each.
arrayJoin(JSONExtractArrayRaw(@1))

-- name: json_text
-- What stands under a key (@2) of a JSON object, as text.
JSONExtract(@1, @2, 'Nullable(String)')

-- name: json_in
-- What stands under a key (@2) of a JSON object, as JSON.
JSONExtractRaw(@1, @2)

-- name: json_item
-- The item of a JSON list with the number @2, counted from 0.
JSONExtractRaw(@1, @2 + 1)

-- name: holds
-- Whether a list (@1) holds a value (@2).
has(@1, @2)

-- name: overlaps
-- Whether two lists have anything in common.
hasAny(@1, @2)

-- name: no_words
-- An empty list of texts.
CAST([], 'Array(String)')

-- name: each_or_none
-- A row for each item of a list; one row with NULL for an empty one.
arrayJoin(if(empty(@1), CAST([NULL], 'Array(Nullable(String))'), CAST(@1, 'Array(Nullable(String))')))

-- name: first_word
-- The first item of a list of texts, NULL for an empty one.
nullIf(@1[1], '')

-- name: sorted_set
-- The different texts (@1) of a group for which something holds (@2), in order.
arraySort(groupUniqArrayIf(assumeNotNull(@1), @2))

-- name: first_of
-- The value (@1) of a group's row that comes first in the order of two columns.
argMin(@1, (@2, @3))

-- name: last_of
-- The value (@1) of the last row of a group, in the order of two columns, for which @4 holds; NULL
-- without any.
argMaxOrNullIf(@1, (@2, @3), @4)

-- name: quantile
-- The quantile @1 of a group's numbers.
quantileExactInclusiveOrNull(@1)(@2)

-- name: seconds
-- How many seconds a time (@1) lies after another (@2).
(dateDiff('microsecond', @2, @1) / 1000000)

-- name: long_ago
-- A time before all others.
toDateTime64('1900-01-01 00:00:00', 6, 'UTC')

-- name: names_any
-- Whether a text (@1) names any of a list (@2), in capitals or not.
arrayExists(r -> position(lowerUTF8(@1), lowerUTF8(r)) > 0, @2)

-- name: matches
-- Whether a text (@1) holds a regular expression (@2).
match(@1, @2)

-- name: rfc3339
-- A time as JSON has it.
formatDateTime(@1, '%Y-%m-%dT%H:%i:%SZ')

-- name: series
-- A row for each hour or day (@3) from the one in which @1 lies to the one of @2.
arrayJoin(arrayMap(n -> date_trunc('@3', assumeNotNull(@1)) + gs_interval_@3(n),
    range(toUInt64(dateDiff('@3', assumeNotNull(@1), assumeNotNull(@2)) + 1))))

-- name: part
-- A part (@1) of a date or time as a whole number: year, quarter, month, week, day, isodow.
toInt64(gs_part_@1(@2))

-- name: time
-- A time.
DateTime64(6, 'UTC')

-- name: revision
-- A number that compares as its four parts do one after the other, each of 64 bits.
bitOr(bitOr(bitShiftLeft(toUInt256(@1), 192), bitShiftLeft(toUInt256(@2), 128)), bitOr(bitShiftLeft(toUInt256(@3), 64), toUInt256(@4)))

-- name: after
-- A number that is higher for a later time.
toUInt64(4611686018427387904 + toUnixTimestamp64Micro(@1))

-- name: before
-- A number that is higher for an earlier time.
toUInt64(4611686018427387904 - toUnixTimestamp64Micro(@1))

-- name: turn
-- Of two rows of one revision: a changed one (@1) before one that only came, the later (by the number
-- @2) of changed ones, the earlier of those that came.
if(@1, toUInt64(4611686018427387904 + @2), toUInt64(4611686018427387904 - @2))

-- name: link_revision
-- The revision of a link: mention version (48 bits), model (48), incident version (40), p (52),
-- state (2), whether it was changed (1), and the earlier before the later (64).
bitOr(bitOr(bitOr(bitShiftLeft(toUInt256(mention_version), 207), bitShiftLeft(toUInt256(model_rank), 159)), bitOr(bitShiftLeft(toUInt256(incident_version), 119), bitShiftLeft(toUInt256(least(toUInt64(p * 4503599627370496), 4503599627370495)), 67))), bitOr(bitOr(bitShiftLeft(toUInt256(indexOf(['linked', 'suggested', 'unlinked'], state)), 65), bitShiftLeft(toUInt256(changed), 64)), toUInt256(@turn(FALSE, arrival))))
