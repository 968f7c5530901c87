-- Writers come one after the other; the other writes stand in common_sql.

-- name: lock
-- Makes this the one writer until the commit; gives the last arrival and whether anything was removed.
UPDATE state SET revision = revision + 1
RETURNING arrival, EXISTS (SELECT 1 FROM fct_removal) AS has_removals;

-- name: arrived
-- Notes the last arrival number given.
UPDATE state SET arrival = $arrival::bigint;
