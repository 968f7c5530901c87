-- Words: how this database says what the SQL in common_sql leaves open. @name stands for the section of
-- that name; @1 in it is the first thing in the
-- brackets that follow it, @* is all of them.

-- name: word
-- A text that is compared by its bytes.
text COLLATE "C"

-- name: words
-- A list of them.
text[] COLLATE "C"

-- name: new_rows
-- What a write brings to a table: a temporary table of the same form.
SELECT * FROM new_@1

-- name: brought
-- What a write brings to the table @1, to be read.
new_@1

-- name: heads_of
-- Joins the earliest mention of the group of m, whatever arrived first: head_id and head_kind of h.
CROSS JOIN LATERAL (
    SELECT g.id AS head_id, g.repeat_kind AS head_kind FROM fct_mention g
    WHERE g.repeat_group = m.repeat_group ORDER BY g.event_at, g.id LIMIT 1
) h

-- name: json_object
-- A JSON object of names and values.
json_build_object(@*)

-- name: json_items
-- The items of a JSON list, a row each.
json_array_elements(@1)

-- name: holds
-- Whether a list (@1) holds a value (@2).
(@2 = ANY (@1))

-- name: matches
-- Whether a text (@1) holds a regular expression (@2).
(@1 ~ @2)

-- name: rfc3339
-- A time as JSON has it.
to_char(@1, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')

-- name: series
-- A row for each hour or day (@3) from the one in which @1 lies to the one of @2.
generate_series(date_trunc('@3', @1), @2, INTERVAL '1 @3')

-- name: part
-- A part (@1) of a date or time as a whole number: year, quarter, month, week, day, isodow.
CAST(extract(@1 FROM @2) AS bigint)

-- name: private_of
-- Joins to mentions (@1) what was said, who said it and where, as @2: looked up under its day, one
-- after the other, for the planner would take each to stand in every part.
LEFT JOIN LATERAL (
    SELECT w.* FROM fct_mention f JOIN mention_private w ON w.mention_id = f.id AND w.day = f.day
    WHERE f.id = @1.id LIMIT 1
) @2 ON TRUE

-- name: mentions_of
-- The mentions with these ids (@1, as id), each looked up by itself: the planner takes a few ids for
-- many and reads the whole table.
(SELECT m.* FROM (@1) wanted CROSS JOIN LATERAL (
    SELECT * FROM fct_mention WHERE id = wanted.id LIMIT 1) m)
