-- Kudos set aside for running requests.

CREATE TABLE holds (
    request_id  TEXT    PRIMARY KEY REFERENCES waiting_prompts (id) ON DELETE CASCADE,
    user_id     INTEGER NOT NULL,
    amount      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX holds_by_user ON holds (user_id);
