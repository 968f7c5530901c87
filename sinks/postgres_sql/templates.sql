-- What has to be said differently here; the other templates stand in common_sql.

-- name: best_link_of
-- The one incident to name with a mention, of words on links (@1) and incidents (@2): a person's link
-- first, then linked before suggested, an official incident before a proposal that it took over,
-- then p.
SELECT DISTINCT ON (l.mention_id) l.mention_id, l.incident_id, l.link_state, l.link_p, l.link_by,
    max(l.updated_at) OVER (PARTITION BY l.mention_id) AS updated_at
FROM @1 l LEFT JOIN @2 i ON i.incident_id = l.incident_id
WHERE l.link_state IN ('linked', 'suggested')
ORDER BY l.mention_id, l.link_by = 'person' DESC, l.link_state = 'linked' DESC,
    i.official_id IS NULL DESC, l.link_p DESC, l.incident_id DESC
