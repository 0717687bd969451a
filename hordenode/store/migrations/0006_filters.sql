-- Prompt filters; deliveries are numbered, so that statistics can go on counting where they stopped.

CREATE TABLE filters (
    id           TEXT    PRIMARY KEY,
    regex        TEXT    NOT NULL,
    filter_type  INTEGER NOT NULL,
    user_id      INTEGER NOT NULL,
    description  TEXT,
    replacement  TEXT    NOT NULL,
    UNIQUE (filter_type, regex)
);

ALTER TABLE jobs ADD COLUMN done_seq INTEGER;
CREATE INDEX jobs_done ON jobs (done_seq) WHERE done_seq IS NOT NULL;
