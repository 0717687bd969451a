-- Calls that are owed for delivered jobs.

CREATE TABLE webhooks (
    job_id    TEXT    PRIMARY KEY,
    user_id   INTEGER NOT NULL,
    url       TEXT    NOT NULL,
    base_url  TEXT    NOT NULL,
    next_ms   INTEGER NOT NULL,
    tries     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX webhooks_due ON webhooks (next_ms);
