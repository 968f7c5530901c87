-- What paid sources cost.

-- name: fct_spend
-- What reading a paid source has cost on a day.
CREATE TABLE fct_spend (
    source @word NOT NULL,
    day timestamp NOT NULL,   -- midnight, UTC
    reads bigint NOT NULL,    -- what was paid in advance is counted
    cost double precision NOT NULL,
    told_at timestamp NOT NULL,
    PRIMARY KEY (source, day)
);
