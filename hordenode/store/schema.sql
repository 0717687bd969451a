-- The whole current schema: what a fresh database gets. Migrations lead to the same (tests/store/test_schema.py).
-- Kudos are integers in thousandths, times integer UTC milliseconds, booleans 0/1, documents JSON text that SQL never looks into.

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
    created_ms  INTEGER NOT NULL,
    name        TEXT    NOT NULL DEFAULT 'default',
    used_ms     INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_by_user ON api_keys (user_id, name);

-- What is rarely read of a user, apart from what every request reads.
CREATE TABLE user_private (
    user_id          INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    admin_comment    TEXT,
    monthly_kudos    INTEGER NOT NULL DEFAULT 0,
    monthly_paid_ms  INTEGER,
    proxy_passkey    TEXT    UNIQUE
);

-- Reasons to look closer at an untrusted user, or at one of its workers (contract 11). They never refuse anything.
CREATE TABLE suspicions (
    id         INTEGER PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    worker_id  TEXT    REFERENCES workers (id) ON DELETE CASCADE,
    reason     TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL
);
CREATE INDEX suspicions_by_user ON suspicions (user_id);
CREATE INDEX suspicions_by_worker ON suspicions (worker_id);

-- Codes that let somebody register, or a worker join, once; like API keys, only their keyed digests are stored.
-- joined_id: the account that the worker got.
CREATE TABLE invitations (
    digest      BLOB    PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_ms  INTEGER NOT NULL,
    expires_ms  INTEGER,
    uses_left   INTEGER NOT NULL CHECK (uses_left >= 0),
    trusted     INTEGER NOT NULL DEFAULT 0,
    worker      INTEGER NOT NULL DEFAULT 0,
    joined_id   INTEGER REFERENCES users (id) ON DELETE SET NULL,
    joined_ms   INTEGER
) WITHOUT ROWID;
CREATE INDEX invitations_by_user ON invitations (user_id);
CREATE INDEX invitations_by_joined ON invitations (joined_id) WHERE joined_id IS NOT NULL;

-- budget and utilized in thousandths; a budget of NULL is without limit, limits of -1 are none, no models means any.
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

-- `folded` is the name as names are compared: ignoring case. Uptime in seconds, kudos in thousandths.
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

-- A user's account has the user's id; the node's own accounts are negative (domain/ledger.py).
CREATE TABLE accounts (
    id       INTEGER PRIMARY KEY,
    balance  INTEGER NOT NULL
);

-- Append-only. One row moves one amount from one account to another, so all balances sum to zero.
-- user_id: whose page the row stands on; note: how the amount came about (domain/receipts.py).
CREATE TABLE ledger (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms       INTEGER NOT NULL,
    source      INTEGER NOT NULL,
    target      INTEGER NOT NULL,
    amount      INTEGER NOT NULL CHECK (amount > 0),
    reason      TEXT    NOT NULL,
    request_id  TEXT,
    job_id      TEXT,
    user_id     INTEGER,
    note        TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX ledger_by_user ON ledger (user_id, id);

-- What users sent each other. name and amount as they were asked for, so that a repeated call is recognised.
CREATE TABLE transfers (
    id               INTEGER PRIMARY KEY,
    source           INTEGER NOT NULL,
    target           INTEGER NOT NULL,
    name             TEXT    NOT NULL,
    amount           INTEGER NOT NULL,
    at_ms            INTEGER NOT NULL,
    idempotency_key  TEXT
);
CREATE UNIQUE INDEX transfers_by_key ON transfers (source, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX transfers_by_pair ON transfers (source, target, at_ms);

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
    kudos_uptime         INTEGER NOT NULL DEFAULT 0,
    team_id              TEXT    REFERENCES teams (id) ON DELETE SET NULL,
    hour_aborted         INTEGER NOT NULL DEFAULT 0,
    hour_ms              INTEGER NOT NULL DEFAULT 0,
    unpaid_s             INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX workers_by_user ON workers (user_id);
CREATE INDEX workers_by_team ON workers (team_id) WHERE team_id IS NOT NULL;

-- For one worker, or for all when worker_id is NULL.
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
    expires_ms    INTEGER NOT NULL,
    sharedkey_id  TEXT    REFERENCES shared_keys (id) ON DELETE SET NULL
);
CREATE INDEX waiting_prompts_fair ON waiting_prompts (lane_id, signature_id, order_key DESC, arrival) WHERE n > 0;
CREATE INDEX waiting_prompts_lane ON waiting_prompts (lane_id, order_key DESC, arrival, signature_id) WHERE n > 0;
CREATE INDEX waiting_prompts_reference ON waiting_prompts (signature_id, order_key DESC, arrival) WHERE n > 0;
CREATE INDEX waiting_prompts_expiry ON waiting_prompts (expires_ms);
CREATE INDEX waiting_prompts_by_user ON waiting_prompts (user_id);
CREATE INDEX waiting_prompts_by_sharedkey ON waiting_prompts (sharedkey_id) WHERE sharedkey_id IS NOT NULL;

-- What was asked, apart from the counters above so that a counter's change does not rewrite a long prompt.
CREATE TABLE request_specs (
    request_id       TEXT PRIMARY KEY REFERENCES waiting_prompts (id) ON DELETE CASCADE,
    spec             TEXT NOT NULL,
    client_agent     TEXT NOT NULL,
    address          TEXT NOT NULL,
    proxied_account  TEXT
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
    reward        INTEGER NOT NULL DEFAULT 0,
    done_seq      INTEGER,
    logprobs      TEXT
);
CREATE INDEX jobs_by_request ON jobs (request_id);
CREATE INDEX jobs_done ON jobs (done_seq) WHERE done_seq IS NOT NULL;
CREATE INDEX jobs_by_worker ON jobs (worker_id) WHERE state = 'processing';
CREATE INDEX jobs_deadline ON jobs (deadline_ms) WHERE state = 'processing';

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

-- A style: prompt template, parameters (what the wire has, JSON) and models under a name (contract 13).
CREATE TABLE styles (
    id            TEXT    PRIMARY KEY,
    kind          TEXT    NOT NULL,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    prompt        TEXT    NOT NULL,
    params        TEXT    NOT NULL,
    created_ms    INTEGER NOT NULL,
    info          TEXT,
    public        INTEGER NOT NULL,
    nsfw          INTEGER NOT NULL,
    sharedkey_id  TEXT    REFERENCES shared_keys (id) ON DELETE SET NULL,
    uses          INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user_id, name)
);
CREATE INDEX styles_by_name ON styles (name);
CREATE INDEX styles_popular ON styles (kind, uses DESC, created_ms, id) WHERE public = 1;
CREATE INDEX styles_age ON styles (kind, created_ms, id) WHERE public = 1;
CREATE INDEX styles_by_sharedkey ON styles (sharedkey_id) WHERE sharedkey_id IS NOT NULL;

CREATE TABLE style_models (
    style_id  TEXT    NOT NULL REFERENCES styles (id) ON DELETE CASCADE,
    place     INTEGER NOT NULL,
    model     TEXT    NOT NULL,
    PRIMARY KEY (style_id, place)
) WITHOUT ROWID;
CREATE INDEX style_models_by_model ON style_models (model, style_id);

CREATE TABLE style_tags (
    style_id  TEXT    NOT NULL REFERENCES styles (id) ON DELETE CASCADE,
    place     INTEGER NOT NULL,
    tag       TEXT    NOT NULL,
    PRIMARY KEY (style_id, place)
) WITHOUT ROWID;
CREATE INDEX style_tags_by_tag ON style_tags (tag, style_id);

CREATE TABLE style_examples (
    id          TEXT    PRIMARY KEY,
    style_id    TEXT    NOT NULL REFERENCES styles (id) ON DELETE CASCADE,
    url         TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    main        INTEGER NOT NULL,
    UNIQUE (style_id, url)
);

CREATE TABLE collections (
    id          TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    info        TEXT,
    public      INTEGER NOT NULL,
    uses        INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user_id, name)
);
CREATE INDEX collections_by_name ON collections (name);
CREATE INDEX collections_popular ON collections (uses DESC, created_ms, id) WHERE public = 1;
CREATE INDEX collections_age ON collections (created_ms, id) WHERE public = 1;

CREATE TABLE collection_styles (
    collection_id  TEXT    NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    place          INTEGER NOT NULL,
    style_id       TEXT    NOT NULL REFERENCES styles (id) ON DELETE CASCADE,
    PRIMARY KEY (collection_id, place)
) WITHOUT ROWID;
CREATE INDEX collection_styles_by_style ON collection_styles (style_id);

-- Prompt filters of moderators; the set is compiled in memory.
CREATE TABLE filters (
    id           TEXT    PRIMARY KEY,
    regex        TEXT    NOT NULL,
    filter_type  INTEGER NOT NULL,
    user_id      INTEGER NOT NULL,
    description  TEXT,
    replacement  TEXT    NOT NULL,
    UNIQUE (filter_type, regex)
);

-- Kudos set aside for running requests that need them in advance (coordinator/upfront.py).
CREATE TABLE holds (
    request_id  TEXT    PRIMARY KEY REFERENCES waiting_prompts (id) ON DELETE CASCADE,
    user_id     INTEGER NOT NULL,
    amount      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX holds_by_user ON holds (user_id);

-- Calls that are owed for delivered jobs (coordinator/webhooks.py). base_url: the address by which the requester came.
CREATE TABLE webhooks (
    job_id    TEXT    PRIMARY KEY,
    user_id   INTEGER NOT NULL,
    url       TEXT    NOT NULL,
    base_url  TEXT    NOT NULL,
    next_ms   INTEGER NOT NULL,
    tries     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX webhooks_due ON webhooks (next_ms);

-- What the owner has switched for the whole horde (domain/house.py).
CREATE TABLE modes (
    name     TEXT    PRIMARY KEY,
    enabled  INTEGER NOT NULL
) WITHOUT ROWID;

-- Addresses and CIDR blocks that may neither ask nor pop until then.
CREATE TABLE ip_timeouts (
    network   TEXT    PRIMARY KEY,
    until_ms  INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO accounts (id, balance) VALUES (-1, 0), (-2, 0), (-3, 0), (-4, 0), (-5, 0);
INSERT INTO users (id, name, created_ms, active_ms, concurrency, public_workers) VALUES (0, 'Anonymous', 0, 0, 500, 1);
INSERT INTO accounts (id, balance) VALUES (0, 0);
