-- What has to be said differently here; the other templates stand in common_sql.

-- name: best_link_of
-- The one incident to name with a mention, of words on links (@1) and incidents (@2): a person's link
-- first, then linked before suggested, an official incident before a proposal that it took over,
-- then p.
SELECT mention_id, best.incident_id, best.link_state, best.link_p, best.link_by, updated_at
FROM (
    SELECT mention_id,
        arg_max({'incident_id': l.incident_id, 'link_state': link_state, 'link_p': link_p,
                'link_by': link_by},
            ROW(link_by = 'person', link_state = 'linked', i.official_id IS NULL, link_p,
                l.incident_id)) AS best,
        max(l.updated_at) AS updated_at
    FROM @1 l LEFT JOIN @2 i ON i.incident_id = l.incident_id
    WHERE link_state IN ('linked', 'suggested')
    GROUP BY mention_id
)
