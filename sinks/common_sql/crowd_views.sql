-- The crowd against the official word. crowd and rumours are stable: columns may be added, never
-- renamed or taken away. What people said is folded by views.sql, the rules by crowd_templates.sql.

-- name: crowd_elsewhere
-- Which other tracks had a proposal on the same topic within half an hour of an incident's start.
CREATE VIEW crowd_elsewhere AS
SELECT i.incident_id, array_agg(DISTINCT o.track ORDER BY o.track) AS tracks
FROM (
    SELECT n.incident_id, n.started_at, n.tracks, coalesce(n.topic, p.topic) AS topic
    FROM incident_now n LEFT JOIN incident_now p ON p.official_id = n.incident_id
) i
JOIN incident_now o ON o.topic = i.topic AND o.is_proposed AND o.status <> 'dismissed'
    AND o.started_at BETWEEN i.started_at - INTERVAL '30 minutes'
        AND i.started_at + INTERVAL '30 minutes'
    AND o.tracks <> ARRAY[]::text[] AND i.tracks <> ARRAY[]::text[] AND NOT o.tracks && i.tracks
WHERE i.topic <> 'other'
GROUP BY i.incident_id;

-- name: crowd_said
-- Who said what of every incident.
CREATE VIEW crowd_said AS
SELECT * FROM @crowd_said_of(incident_now, link_now, mention_now) s

-- name: crowd
-- A row per incident and hour (its beginning) in which the crowd spoke of it. stance: agrees,
-- ahead (of the official word), contradicts (it goes on after "resolved", or regions and components
-- that the official word leaves out), elsewhere (the same on other tracks at once). witnesses:
-- people who said that it is broken, still_broken: those after "resolved"; recovered: people who
-- said that it works again; normal: witnesses an hour on the day before it began.
CREATE VIEW crowd AS
SELECT * FROM @crowd_of(incident_now, crowd_said) c

-- name: claim_words
-- What an official word holds once its owner has made a claim itself, as a regular expression.
CREATE VIEW claim_words AS
SELECT * FROM (VALUES
    ('hacked', 'hack|cyber|attack|intrusion|unauthori[sz]ed|compromised|breach'),
    ('data_leaked', 'leak|breach|exposed|unauthori[sz]ed access|stolen'),
    ('ransomware', 'ransom|extort'),
    ('sabotage', 'sabotage|vandal|arson|deliberate|cut cable|cable cut'),
    ('insolvent', 'insolven|bankrupt|administration|liquidat')
) w (claim, said);

-- name: rumours
-- What people claim about causes and no official channel has said: counts and first seen, never to
-- be stated as fact. incident_id is NULL for posts that belong to none; first_id is the first post.
CREATE VIEW rumours AS
SELECT * FROM @rumour_of(mention_now, best_link) r
