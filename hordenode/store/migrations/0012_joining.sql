-- Codes with which a worker joins, once, and who joined.

ALTER TABLE invitations ADD COLUMN worker INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invitations ADD COLUMN joined_id INTEGER REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE invitations ADD COLUMN joined_ms INTEGER;
CREATE INDEX invitations_by_joined ON invitations (joined_id) WHERE joined_id IS NOT NULL;
