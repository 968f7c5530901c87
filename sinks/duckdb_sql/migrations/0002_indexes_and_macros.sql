-- What views needed before they were written out.

-- name: drop_repeat_head_of
-- The rules of views were macros; they are templates now.
DROP MACRO TABLE IF EXISTS repeat_head_of;

-- name: drop_mention_now_of
-- As above.
DROP MACRO TABLE IF EXISTS mention_now_of;

-- name: drop_link_now_of
-- As above.
DROP MACRO TABLE IF EXISTS link_now_of;

-- name: drop_best_link_of
-- As above.
DROP MACRO TABLE IF EXISTS best_link_of;

-- name: drop_incident_count_of
-- As above.
DROP MACRO TABLE IF EXISTS incident_count_of;

-- name: drop_crowd_said_of
-- As above.
DROP MACRO TABLE IF EXISTS crowd_said_of;

-- name: drop_crowd_of
-- As above.
DROP MACRO TABLE IF EXISTS crowd_of;

-- name: drop_rumour_of
-- As above.
DROP MACRO TABLE IF EXISTS rumour_of;
