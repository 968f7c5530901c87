-- What the watch sets aside as a brigade's, and what an official word claims itself.

-- name: fct_campaign
-- Which mentions the watch set aside as a brigade's: they witness nothing.
CREATE TABLE fct_campaign (
    mention_id @word PRIMARY KEY,
    mention_version bigint NOT NULL,  -- the word holds for this version only
    kind @word NOT NULL,              -- variants, hashtag, new_accounts
    updated_at timestamp NOT NULL
);

-- name: dim_incident_claims
-- The claims that the official word makes itself: what is no rumour any more.
ALTER TABLE dim_incident ADD COLUMN claims @words;

-- name: dim_incident_no_claims
-- Incidents that were here before are read for the English words that were looked for until now.
UPDATE dim_incident SET claims = ARRAY[]::text[];

-- name: dim_incident_hacked
-- Attacks.
UPDATE dim_incident SET claims = array_append(claims, 'hacked') WHERE NOT is_proposed
    AND @matches(lower(concat_ws(' ', title, updates::text)),
        'hack|cyber|attack|intrusion|unauthori[sz]ed|compromised|breach');

-- name: dim_incident_leaked
-- Leaks of data.
UPDATE dim_incident SET claims = array_append(claims, 'data_leaked') WHERE NOT is_proposed
    AND @matches(lower(concat_ws(' ', title, updates::text)),
        'leak|breach|exposed|unauthori[sz]ed access|stolen');

-- name: dim_incident_ransomware
-- Extortion.
UPDATE dim_incident SET claims = array_append(claims, 'ransomware') WHERE NOT is_proposed
    AND @matches(lower(concat_ws(' ', title, updates::text)), 'ransom|extort');

-- name: dim_incident_sabotage
-- Deliberate damage.
UPDATE dim_incident SET claims = array_append(claims, 'sabotage') WHERE NOT is_proposed
    AND @matches(lower(concat_ws(' ', title, updates::text)),
        'sabotage|vandal|arson|deliberate|cut cable|cable cut');

-- name: dim_incident_insolvent
-- The end of the money.
UPDATE dim_incident SET claims = array_append(claims, 'insolvent') WHERE NOT is_proposed
    AND @matches(lower(concat_ws(' ', title, updates::text)),
        'insolven|bankrupt|administration|liquidat');
