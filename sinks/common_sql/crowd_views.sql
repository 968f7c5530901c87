-- The crowd against the official word. crowd and rumours are stable: columns may be added, never
-- renamed or taken away. What people said is folded by views.sql, the rules by crowd_templates.sql.

-- name: crowd_elsewhere
-- On which other tracks the same happened at once, by incident.
CREATE VIEW crowd_elsewhere AS
SELECT * FROM @crowd_elsewhere_of(incident_now, crowd_said) e

-- name: crowd_said
-- Who said what of every incident.
CREATE VIEW crowd_said AS
SELECT * FROM @crowd_said_of(incident_now, link_now, mention_now) s

-- name: crowd
-- A row per incident and hour (its beginning) in which the crowd spoke of it. stance: agrees,
-- ahead (of the official word), contradicts (it goes on after "resolved", or regions and components
-- that the official word leaves out), elsewhere (the same on other tracks at once). witnesses:
-- people who said that it is broken, still_broken: those after "resolved"; recovered: people who
-- said that it works again; normal: witnesses an hour on the day before it began. other_tracks: where
-- the same happened at once, other_official: those of them whose owner said so, too.
CREATE VIEW crowd AS
SELECT * FROM @crowd_of(incident_now, crowd_said) c

-- name: rumours
-- What people claim about causes and no official channel has said: counts and first seen, never to
-- be stated as fact. incident_id is NULL for posts that belong to none; first_id is the first post.
CREATE VIEW rumours AS
SELECT * FROM @rumour_of(mention_now, best_link) r
