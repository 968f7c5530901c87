-- Words: how this database says what the SQL in common_sql leaves open. @name stands for the section of
-- that name; @1 in it is the first thing in the
-- brackets that follow it, @* is all of them.

-- name: word
-- A text that is compared by its bytes.
VARCHAR

-- name: words
-- A list of them.
VARCHAR[]

-- name: new_rows
-- What a write brings to a table: the Arrow table ``batch``, by the names of its columns.
BY NAME SELECT * FROM batch

-- name: brought
-- What a write brings to the table @1, to be read.
batch

-- name: batch
-- A small batch: an Arrow table of the same name.
batch

-- name: heads_of
-- Joins the earliest mention of the group of m, whatever arrived first: head_id and head_kind of h,
-- NULL for a group that @1 does not name, and for one that has no repeat. One in ten is a repeat: only
-- these are searched, and what they name is looked up.
LEFT JOIN (
    WITH repeats AS MATERIALIZED (
        SELECT repeat_group, id, event_at, repeat_kind FROM fct_mention
        WHERE is_repeat AND repeat_group IN (SELECT repeat_group FROM @1)
    )
    SELECT repeat_group, arg_min(id, ROW(event_at, id)) AS head_id,
        arg_min(repeat_kind, ROW(event_at, id)) AS head_kind
    FROM (
        SELECT * FROM repeats
        UNION ALL
        SELECT repeat_group, id, event_at, repeat_kind FROM fct_mention
        WHERE repeat_group = id AND id IN (SELECT repeat_group FROM repeats)
    ) member
    GROUP BY repeat_group
) h ON h.repeat_group = m.repeat_group

-- name: json_object
-- A JSON object of names and values.
json_object(@*)

-- name: json_items
-- The items of a JSON list, a row each.
unnest(from_json(@1, '["JSON"]'))

-- name: holds
-- Whether a list (@1) holds a value (@2). As = ANY it is planned as a subquery that materialises all
-- rows with all their columns: most of what a question of the page cost.
list_contains(@1, @2)

-- name: matches
-- Whether a text (@1) holds a regular expression (@2).
regexp_matches(@1, @2)

-- name: rfc3339
-- A time as JSON has it.
strftime(@1, '%Y-%m-%dT%H:%M:%SZ')

-- name: series
-- A row for each hour or day (@3) from the one in which @1 lies to the one of @2.
unnest(generate_series(date_trunc('@3', @1), @2, INTERVAL 1 @3))

-- name: part
-- A part (@1) of a date or time as a whole number: year, quarter, month, week, day, isodow.
CAST(extract(@1 FROM @2) AS bigint)
