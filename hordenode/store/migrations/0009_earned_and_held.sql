-- How long a worker has been there since it was last rewarded for that; kudos set aside for running requests.

ALTER TABLE workers ADD COLUMN unpaid_s INTEGER NOT NULL DEFAULT 0;

CREATE TABLE holds (
    request_id  TEXT    PRIMARY KEY REFERENCES waiting_prompts (id) ON DELETE CASCADE,
    user_id     INTEGER NOT NULL,
    amount      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX holds_by_user ON holds (user_id);
