-- The whole current schema of telemetry.db: what is counted, apart from what the horde works with. Nobody's prompt or key is here.
-- Times are integer UTC milliseconds.

-- Up to where each source of the main database has been counted; it moves in the transaction that counts.
CREATE TABLE positions (
    source    TEXT    PRIMARY KEY,
    position  INTEGER NOT NULL
) WITHOUT ROWID;

-- Delivered jobs and their things (pixelsteps, tokens) for ever, and by slices of time as long as a window needs them.
CREATE TABLE stats_totals (
    kind    TEXT    NOT NULL,
    model   TEXT    NOT NULL,
    jobs    INTEGER NOT NULL,
    things  INTEGER NOT NULL,
    PRIMARY KEY (kind, model)
) WITHOUT ROWID;

CREATE TABLE stats_slices (
    kind      TEXT    NOT NULL,
    width_ms  INTEGER NOT NULL,
    start_ms  INTEGER NOT NULL,
    model     TEXT    NOT NULL,
    jobs      INTEGER NOT NULL,
    things    INTEGER NOT NULL,
    PRIMARY KEY (kind, width_ms, start_ms, model)
) WITHOUT ROWID;
CREATE INDEX stats_slices_age ON stats_slices (width_ms, start_ms);
