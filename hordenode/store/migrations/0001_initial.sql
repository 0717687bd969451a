-- The first schema: people, keys, ledger, workers, the queue, jobs and blobs.

CREATE TABLE users (
    id                INTEGER PRIMARY KEY,
    name              TEXT    NOT NULL,
    created_ms        INTEGER NOT NULL,
    active_ms         INTEGER NOT NULL,
    concurrency       INTEGER NOT NULL DEFAULT 30,
    worker_invited    INTEGER NOT NULL DEFAULT 0,
    usage_multiplier  INTEGER NOT NULL DEFAULT 1000,
    moderator         INTEGER NOT NULL DEFAULT 0,
    admin             INTEGER NOT NULL DEFAULT 0,
    trusted           INTEGER NOT NULL DEFAULT 0,
    flagged           INTEGER NOT NULL DEFAULT 0,
    deleted           INTEGER NOT NULL DEFAULT 0,
    service           INTEGER NOT NULL DEFAULT 0,
    education         INTEGER NOT NULL DEFAULT 0,
    customizer        INTEGER NOT NULL DEFAULT 0,
    special           INTEGER NOT NULL DEFAULT 0,
    vpn               INTEGER NOT NULL DEFAULT 0,
    pseudonymous      INTEGER NOT NULL DEFAULT 0,
    public_workers    INTEGER NOT NULL DEFAULT 0,
    contact           TEXT
);

-- Only keyed digests of API keys are stored (HMAC-SHA-256 with the node's secret).
CREATE TABLE api_keys (
    digest      BLOB    PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_ms  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX api_keys_by_user ON api_keys (user_id);

-- A user's account has the user's id; the node's own accounts are negative (domain/ledger.py).
CREATE TABLE accounts (
    id       INTEGER PRIMARY KEY,
    balance  INTEGER NOT NULL
);

-- Append-only. One row moves one amount from one account to another, so all balances sum to zero.
CREATE TABLE ledger (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms       INTEGER NOT NULL,
    source      INTEGER NOT NULL,
    target      INTEGER NOT NULL,
    amount      INTEGER NOT NULL CHECK (amount > 0),
    reason      TEXT    NOT NULL,
    request_id  TEXT,
    job_id      TEXT
);

-- kudos_details of a user: what its balance is made of (contract 10.5).
CREATE TABLE user_kudos (
    user_id      INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    accumulated  INTEGER NOT NULL DEFAULT 0,
    gifted       INTEGER NOT NULL DEFAULT 0,
    donated      INTEGER NOT NULL DEFAULT 0,
    admin        INTEGER NOT NULL DEFAULT 0,
    received     INTEGER NOT NULL DEFAULT 0,
    recurring    INTEGER NOT NULL DEFAULT 0,
    awarded      INTEGER NOT NULL DEFAULT 0,
    styled       INTEGER NOT NULL DEFAULT 0,
    evaluating   INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE user_records (
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind         TEXT    NOT NULL,
    requested    INTEGER NOT NULL DEFAULT 0,
    used         INTEGER NOT NULL DEFAULT 0,
    fulfilled    INTEGER NOT NULL DEFAULT 0,
    contributed  INTEGER NOT NULL DEFAULT 0,
    styled       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, kind)
) WITHOUT ROWID;

CREATE TABLE workers (
    id                   TEXT    PRIMARY KEY,
    name                 TEXT    NOT NULL UNIQUE,
    kind                 TEXT    NOT NULL,
    user_id              INTEGER NOT NULL REFERENCES users (id),
    created_ms           INTEGER NOT NULL,
    seen_ms              INTEGER NOT NULL,
    address              TEXT    NOT NULL,
    bridge_agent         TEXT    NOT NULL,
    offer                TEXT    NOT NULL,
    info                 TEXT,
    paused               INTEGER NOT NULL DEFAULT 0,
    maintenance          INTEGER NOT NULL DEFAULT 0,
    maintenance_message  TEXT,
    uptime_s             INTEGER NOT NULL DEFAULT 0,
    speed                REAL,
    fulfilled            INTEGER NOT NULL DEFAULT 0,
    contributed          INTEGER NOT NULL DEFAULT 0,
    aborted              INTEGER NOT NULL DEFAULT 0,
    kudos_generated      INTEGER NOT NULL DEFAULT 0,
    kudos_uptime         INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX workers_by_user ON workers (user_id);

-- One row per distinct set of needs (domain/needs.py). The counters cover requests that still have jobs to hand out,
-- so that matching, skipped reasons and totals never look at requests.
CREATE TABLE signatures (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    kind      TEXT    NOT NULL,
    needs     TEXT    NOT NULL,
    requests  INTEGER NOT NULL DEFAULT 0,
    waiting   INTEGER NOT NULL DEFAULT 0,
    jobs      INTEGER NOT NULL DEFAULT 0,
    things    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, needs)
);
CREATE INDEX signatures_waiting ON signatures (kind, id) WHERE requests > 0;

-- A lane is what fair share is counted by: a user, or one client address of the anonymous user. `turn` grows with each
-- job handed out (coordinator/context.py), so the smallest one was served least recently.
CREATE TABLE lanes (
    id         INTEGER PRIMARY KEY,
    kind       TEXT    NOT NULL,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    address    TEXT    NOT NULL,
    band       INTEGER NOT NULL,
    turn       INTEGER NOT NULL,
    waiting    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, user_id, address)
);
CREATE INDEX lanes_fair ON lanes (kind, band DESC, turn, id) WHERE waiting > 0;

-- Where a lane has something waiting; band and turn repeat the lane's so that one index gives the fair order.
CREATE TABLE lane_signatures (
    lane_id       INTEGER NOT NULL REFERENCES lanes (id) ON DELETE CASCADE,
    signature_id  INTEGER NOT NULL REFERENCES signatures (id) ON DELETE CASCADE,
    requests      INTEGER NOT NULL,
    band          INTEGER NOT NULL,
    turn          INTEGER NOT NULL,
    PRIMARY KEY (lane_id, signature_id)
) WITHOUT ROWID;
CREATE INDEX lane_signatures_fair ON lane_signatures (signature_id, band DESC, turn, lane_id);

CREATE TABLE waiting_prompts (
    id            TEXT    PRIMARY KEY,
    kind          TEXT    NOT NULL,
    user_id       INTEGER NOT NULL REFERENCES users (id),
    lane_id       INTEGER NOT NULL REFERENCES lanes (id),
    signature_id  INTEGER NOT NULL REFERENCES signatures (id),
    order_key     INTEGER NOT NULL,
    arrival       INTEGER NOT NULL,
    n             INTEGER NOT NULL CHECK (n >= 0),
    jobs          INTEGER NOT NULL,
    processing    INTEGER NOT NULL DEFAULT 0 CHECK (processing >= 0),
    finished      INTEGER NOT NULL DEFAULT 0,
    restarted     INTEGER NOT NULL DEFAULT 0,
    faulted       INTEGER NOT NULL DEFAULT 0,
    cancelled     INTEGER NOT NULL DEFAULT 0,
    things        INTEGER NOT NULL,
    price         INTEGER NOT NULL,
    consumed      INTEGER NOT NULL DEFAULT 0,
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL
);
CREATE INDEX waiting_prompts_fair ON waiting_prompts (lane_id, signature_id, order_key DESC, arrival) WHERE n > 0;
CREATE INDEX waiting_prompts_lane ON waiting_prompts (lane_id, order_key DESC, arrival, signature_id) WHERE n > 0;
CREATE INDEX waiting_prompts_reference ON waiting_prompts (signature_id, order_key DESC, arrival) WHERE n > 0;
CREATE INDEX waiting_prompts_expiry ON waiting_prompts (expires_ms);
CREATE INDEX waiting_prompts_by_user ON waiting_prompts (user_id);

-- What was asked, apart from the counters above so that a counter's change does not rewrite a long prompt.
CREATE TABLE request_specs (
    request_id    TEXT PRIMARY KEY REFERENCES waiting_prompts (id) ON DELETE CASCADE,
    spec          TEXT NOT NULL,
    client_agent  TEXT NOT NULL,
    address       TEXT NOT NULL
);

CREATE TABLE jobs (
    id            TEXT    PRIMARY KEY,
    request_id    TEXT    NOT NULL REFERENCES waiting_prompts (id) ON DELETE CASCADE,
    worker_id     TEXT    NOT NULL REFERENCES workers (id),
    model         TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    in_process    INTEGER NOT NULL,
    popped_ms     INTEGER NOT NULL,
    deadline_ms   INTEGER NOT NULL,
    finished_ms   INTEGER,
    seed          INTEGER,
    result        TEXT,
    outcome       TEXT,
    censored      INTEGER NOT NULL DEFAULT 0,
    gen_metadata  TEXT,
    reward        INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX jobs_by_request ON jobs (request_id);
CREATE INDEX jobs_by_worker ON jobs (worker_id) WHERE state = 'processing';
CREATE INDEX jobs_deadline ON jobs (deadline_ms) WHERE state = 'processing';

CREATE TABLE blobs (
    bucket      TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    size        INTEGER NOT NULL,
    digest      TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    expires_ms  INTEGER NOT NULL,
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
CREATE INDEX blobs_expiry ON blobs (expires_ms);

INSERT INTO accounts (id, balance) VALUES (-1, 0), (-2, 0), (-3, 0), (-4, 0), (-5, 0);
INSERT INTO users (id, name, created_ms, active_ms, concurrency, public_workers) VALUES (0, 'Anonymous', 0, 0, 500, 1);
INSERT INTO accounts (id, balance) VALUES (0, 0);
