-- What has to be said differently here; the other templates stand in common_sql.

-- name: best_link_of
-- The one incident to name with a mention, of words on links (@1) and incidents (@2): a person's link
-- first, then linked before suggested, an official incident before a proposal that it took over,
-- then p.
SELECT mention_id, best.1 AS incident_id, best.2 AS link_state, best.3 AS link_p, best.4 AS link_by,
    updated_at
FROM (
    SELECT l.mention_id,
        argMax((l.incident_id, l.link_state, l.link_p, l.link_by),
            (l.link_by = 'person', l.link_state = 'linked', i.official_id IS NULL, l.link_p,
                l.incident_id)) AS best,
        max(l.updated_at) AS updated_at
    FROM @1 l LEFT JOIN @2 i ON i.incident_id = l.incident_id
    WHERE l.link_state IN ('linked', 'suggested')
    GROUP BY l.mention_id
) b
