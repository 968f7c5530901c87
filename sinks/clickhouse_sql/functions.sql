-- Functions of the common SQL that ClickHouse calls otherwise: a call of the function that a section
-- is named after becomes the section, with @1 for its first argument and so on.

-- name: split_part
-- The piece with the number @3 of a text (@1) cut at @2.
splitByString(@2, @1)[@3]

-- name: strpos
-- Where a text (@2) stands in another (@1), 0 if it does not.
position(@1, @2)

-- name: starts_with
-- Whether a text (@1) begins with another (@2).
startsWith(@1, @2)

-- name: bool_or
-- Whether something holds for any row of a group.
max(@1)

-- name: lower
-- A text in small letters.
lowerUTF8(@1)

-- name: date_trunc
-- The beginning of the minute, hour or day (@1) in which a time lies.
toDateTime64(date_trunc(@1, @2), 6, 'UTC')

-- name: gs_part_year
-- The year.
toYear(@1)

-- name: gs_part_quarter
-- The quarter.
toQuarter(@1)

-- name: gs_part_month
-- The month.
toMonth(@1)

-- name: gs_part_week
-- The week, as ISO counts them.
toISOWeek(@1)

-- name: gs_part_day
-- The day of the month.
toDayOfMonth(@1)

-- name: gs_part_isodow
-- The day of the week, 1 for Monday.
toDayOfWeek(@1)

-- name: gs_interval_hour
-- So many hours.
toIntervalHour(@1)

-- name: gs_interval_day
-- So many days.
toIntervalDay(@1)

-- name: lead
-- The value of the next row, NULL behind the last.
lead(toNullable(@1))
