-- What is not told here yet; see crowd_views.sql.

-- name: incident_crowd
-- Instead of the common one: no rows, as the view crowd.
SELECT *, witnesses AS broken_since, witnesses AS recovered_since, witnesses AS recovered_in_all,
    witnesses AS witnesses_in_all
FROM crowd WHERE incident_id = $id::text;
