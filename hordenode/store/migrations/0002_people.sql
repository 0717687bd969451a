-- Named keys, invitations, shared keys, teams, worker messages, suspicions, and what is rarely read of a user.

ALTER TABLE api_keys ADD COLUMN name TEXT NOT NULL DEFAULT 'default';
ALTER TABLE api_keys ADD COLUMN used_ms INTEGER;
DROP INDEX api_keys_by_user;
CREATE UNIQUE INDEX api_keys_by_user ON api_keys (user_id, name);

CREATE TABLE user_private (
    user_id          INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    admin_comment    TEXT,
    monthly_kudos    INTEGER NOT NULL DEFAULT 0,
    monthly_paid_ms  INTEGER,
    proxy_passkey    TEXT    UNIQUE
);

CREATE TABLE suspicions (
    id         INTEGER PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    worker_id  TEXT    REFERENCES workers (id) ON DELETE CASCADE,
    reason     TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL
);
CREATE INDEX suspicions_by_user ON suspicions (user_id);
CREATE INDEX suspicions_by_worker ON suspicions (worker_id);

CREATE TABLE invitations (
    digest      BLOB    PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_ms  INTEGER NOT NULL,
    expires_ms  INTEGER,
    uses_left   INTEGER NOT NULL CHECK (uses_left >= 0),
    trusted     INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX invitations_by_user ON invitations (user_id);

CREATE TABLE shared_keys (
    id                TEXT    PRIMARY KEY,
    user_id           INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name              TEXT,
    created_ms        INTEGER NOT NULL,
    expires_ms        INTEGER,
    budget            INTEGER CHECK (budget >= 0),
    utilized          INTEGER NOT NULL DEFAULT 0,
    max_image_pixels  INTEGER NOT NULL DEFAULT -1,
    max_image_steps   INTEGER NOT NULL DEFAULT -1,
    max_text_tokens   INTEGER NOT NULL DEFAULT -1,
    models            TEXT    NOT NULL DEFAULT '[]'
);
CREATE INDEX shared_keys_by_user ON shared_keys (user_id);

CREATE TABLE teams (
    id           TEXT    PRIMARY KEY,
    name         TEXT    NOT NULL,
    folded       TEXT    NOT NULL UNIQUE,
    info         TEXT,
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_ms   INTEGER NOT NULL,
    fulfilled    INTEGER NOT NULL DEFAULT 0,
    contributed  INTEGER NOT NULL DEFAULT 0,
    kudos        INTEGER NOT NULL DEFAULT 0,
    uptime_s     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX teams_by_user ON teams (user_id);

CREATE TABLE worker_messages (
    id          TEXT    PRIMARY KEY,
    worker_id   TEXT    REFERENCES workers (id) ON DELETE CASCADE,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    message     TEXT    NOT NULL,
    origin      TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    expires_ms  INTEGER NOT NULL
);
CREATE INDEX worker_messages_by_worker ON worker_messages (worker_id);
CREATE INDEX worker_messages_by_user ON worker_messages (user_id);
CREATE INDEX worker_messages_expiry ON worker_messages (expires_ms);

ALTER TABLE workers ADD COLUMN team_id TEXT REFERENCES teams (id) ON DELETE SET NULL;
ALTER TABLE workers ADD COLUMN hour_aborted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN hour_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX workers_by_team ON workers (team_id) WHERE team_id IS NOT NULL;

ALTER TABLE waiting_prompts ADD COLUMN sharedkey_id TEXT REFERENCES shared_keys (id) ON DELETE SET NULL;
CREATE INDEX waiting_prompts_by_sharedkey ON waiting_prompts (sharedkey_id) WHERE sharedkey_id IS NOT NULL;
ALTER TABLE request_specs ADD COLUMN proxied_account TEXT;
