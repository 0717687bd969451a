-- Whose page a ledger line stands on and how its amount came about; what users sent each other.

ALTER TABLE ledger ADD COLUMN user_id INTEGER;
ALTER TABLE ledger ADD COLUMN note TEXT NOT NULL DEFAULT '';
UPDATE ledger SET user_id = CASE WHEN source >= 0 THEN source WHEN target >= 0 THEN target END;
CREATE INDEX ledger_by_user ON ledger (user_id, id);

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
