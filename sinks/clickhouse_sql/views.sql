-- Views that are made otherwise here; the others stand in common_sql.

-- name: incident_feedback
-- Instead of the common one: a question within another's row asks for the right to read files, if what
-- it is about is a view.
CREATE VIEW incident_feedback AS
SELECT mention_id AS id, incident_id, link_state, link_p, link_by, evidence, decided_at
FROM link_now l WHERE link_state IN ('linked', 'suggested')
    AND mention_id NOT IN (SELECT id FROM fct_mention WHERE is_hidden OR is_erased);
