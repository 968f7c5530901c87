-- Words stand in parts: mention_private by day, so that an erasure writes a day anew and no more, and
-- fct_link in one part, which a new one can replace while people read (see sinks/postgres_parts.py).

-- name: fct_mention_day
-- The day under which the words of a mention stand. It never changes, whatever an edit says.
ALTER TABLE fct_mention ADD COLUMN day date NOT NULL DEFAULT '2000-01-01';

-- name: fct_mention_days
-- Of those that are here: the table is written anew, which an UPDATE would double.
ALTER TABLE fct_mention ALTER COLUMN day TYPE date
    USING least(greatest(event_at::date, '2000-01-01'), now()::date + 1);

-- name: fct_mention_day_is_told
-- Who writes a mention says its day.
ALTER TABLE fct_mention ALTER COLUMN day DROP DEFAULT;

-- name: mention_private_undivided
-- What was there.
ALTER TABLE mention_private RENAME TO mention_private_undivided;

-- name: mention_private
-- What was said, who said it and where, by day.
CREATE TABLE mention_private (LIKE mention_private_undivided, day date NOT NULL)
    PARTITION BY RANGE (day);

-- name: mention_private_days
-- A part for every day of this month and the one before, for every month of this year and the one
-- before, for every year before that: of those that hold anything.
DO $make$
DECLARE span record;
BEGIN
    FOR span IN
        SELECT part AS from_at, part + CASE width WHEN 'day' THEN INTERVAL '1 day'
            WHEN 'month' THEN INTERVAL '1 month' ELSE INTERVAL '1 year' END AS to_at
        FROM (
            SELECT DISTINCT width, date_trunc(width, day) AS part
            FROM (
                SELECT day, CASE WHEN day >= date_trunc('month', now()) - INTERVAL '1 month' THEN 'day'
                    WHEN day >= date_trunc('year', now()) - INTERVAL '1 year' THEN 'month'
                    ELSE 'year' END AS width
                FROM (SELECT DISTINCT day FROM fct_mention) d
            ) w
        ) s
    LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF mention_private FOR VALUES FROM (%L) TO (%L)',
            'mention_private_' || to_char(span.from_at, 'YYYYMMDD'),
            span.from_at::date, span.to_at::date);
    END LOOP;
END $make$;

-- name: words_move
-- Each under its day.
INSERT INTO mention_private
SELECT p.*, m.day FROM mention_private_undivided p JOIN fct_mention m ON m.id = p.mention_id;

-- name: mention_private_is_divided
-- All of it has moved.
DROP TABLE mention_private_undivided;

-- name: mention_private_key
-- A mention has one row: writers come one after the other, and each looks up its day.
ALTER TABLE mention_private ADD PRIMARY KEY (mention_id, day);

-- name: mention_private_by_author
-- Whether an author's posts were ever kept, asked for every account that a stream tells of.
CREATE INDEX mention_private_by_author ON mention_private (author_id);

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

-- name: fct_link_undivided
-- Becomes the one part.
ALTER TABLE fct_link RENAME TO fct_link_all;

-- name: fct_link_undivided_key
-- The names of its indexes are wanted for the whole.
ALTER INDEX fct_link_pkey RENAME TO fct_link_all_pkey;

-- name: fct_link_undivided_index
-- As above.
ALTER INDEX fct_link_by_incident RENAME TO fct_link_all_by_incident;

-- name: fct_link
-- The machine's last word on a mention and an incident.
CREATE TABLE fct_link (LIKE fct_link_all INCLUDING DEFAULTS) PARTITION BY RANGE (mention_id);

-- name: fct_link_part
-- All of it.
ALTER TABLE fct_link ATTACH PARTITION fct_link_all FOR VALUES FROM (MINVALUE) TO (MAXVALUE);

-- name: fct_link_key
-- That of the part is taken over.
ALTER TABLE fct_link ADD PRIMARY KEY (mention_id, incident_id);

-- name: fct_link_by_incident
-- The posts of an incident.
CREATE INDEX fct_link_by_incident ON fct_link (incident_id);

-- name: fct_link_stays_here
-- Reasons quote the text.
ALTER TABLE fct_link ALTER COLUMN evidence SET STATISTICS 0;

-- name: due_part
-- Which parts hold bytes of what was erased, until they are written anew.
CREATE TABLE due_part (part text PRIMARY KEY, since timestamp NOT NULL);
