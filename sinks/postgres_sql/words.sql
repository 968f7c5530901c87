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
