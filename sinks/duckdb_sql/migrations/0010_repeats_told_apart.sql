-- Heads of groups without reading all mentions: DuckDB has no index on groups.

-- name: fct_mention_is_repeat
-- Whether the mention was said to be of another's group; its own is named after it.
ALTER TABLE fct_mention ADD COLUMN is_repeat BOOLEAN;

-- name: fct_mention_repeats
-- Of those that are here.
UPDATE fct_mention SET is_repeat = repeat_group <> id;
