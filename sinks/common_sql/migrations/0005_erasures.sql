-- Receipts of erasures.

-- name: fct_erasure
-- What was erased, when, why and by whom: without ids, names or words.
CREATE TABLE fct_erasure (
    erasure_id @word PRIMARY KEY,
    asked_at timestamp NOT NULL,  -- when somebody asked for it
    done_at timestamp NOT NULL,   -- when all of it was done here
    asked_by @word,               -- who asked; NULL if nobody said
    reason @word,                 -- why, in the words of who asked
    requests bigint NOT NULL,     -- mentions and authors named
    mentions bigint NOT NULL,     -- mentions that lost their words
    places @words NOT NULL        -- what was searched or written anew for it
);
