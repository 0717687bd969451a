-- Each form of an alchemy request is a row of waiting_prompts; these tables say which belong together. All of a
-- request's rows expire at the same moment (store/alchemy.py).
CREATE TABLE alchemy_requests (
    id          TEXT    PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES users (id),
    source      TEXT    NOT NULL,
    expires_ms  INTEGER NOT NULL
);
CREATE INDEX alchemy_requests_by_user ON alchemy_requests (user_id);
CREATE INDEX alchemy_requests_expiry ON alchemy_requests (expires_ms);

CREATE TABLE alchemy_forms (
    request_id  TEXT    PRIMARY KEY REFERENCES waiting_prompts (id) ON DELETE CASCADE,
    alchemy_id  TEXT    NOT NULL REFERENCES alchemy_requests (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    form        TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX alchemy_forms_by_request ON alchemy_forms (alchemy_id, position);
