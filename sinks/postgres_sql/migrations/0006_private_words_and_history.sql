-- What this server needs beside it.

-- name: mention_private_stays_here
-- The server's statistics would keep examples of what people wrote, also after an erasure.
ALTER TABLE mention_private
    ALTER COLUMN text SET STATISTICS 0, ALTER COLUMN said_place SET STATISTICS 0,
    ALTER COLUMN hashtags SET STATISTICS 0, ALTER COLUMN label_evidence SET STATISTICS 0,
    ALTER COLUMN author_id SET STATISTICS 0, ALTER COLUMN handle SET STATISTICS 0,
    ALTER COLUMN url SET STATISTICS 0, ALTER COLUMN reply_to SET STATISTICS 0,
    ALTER COLUMN repost_of SET STATISTICS 0, ALTER COLUMN quote_of SET STATISTICS 0,
    ALTER COLUMN thread SET STATISTICS 0, ALTER COLUMN mentions SET STATISTICS 0,
    ALTER COLUMN links SET STATISTICS 0;

-- name: mention_private_by_author
-- Whether an author's posts were ever kept, asked for every account that a stream tells of.
CREATE INDEX mention_private_by_author ON mention_private (author_id);

-- name: fct_mention_version_by_id
-- The history of a mention.
CREATE INDEX fct_mention_version_by_id ON fct_mention_version (id);

-- name: fct_link_version_by_mention
-- The history of its links.
CREATE INDEX fct_link_version_by_mention ON fct_link_version (mention_id);

-- name: fct_mention_anew
-- Columns that are dropped stay in a table's rows until it is written anew: so it is, at once.
CLUSTER fct_mention USING fct_mention_pkey;
