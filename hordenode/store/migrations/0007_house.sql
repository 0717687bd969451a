-- Modes of the whole horde, and addresses in timeout.

CREATE TABLE modes (
    name     TEXT    PRIMARY KEY,
    enabled  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE ip_timeouts (
    network   TEXT    PRIMARY KEY,
    until_ms  INTEGER NOT NULL
) WITHOUT ROWID;
