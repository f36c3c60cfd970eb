-- +goose Up

-- Users of the external service, by its ids.
CREATE TABLE agents (
  integration INTEGER NOT NULL,
  id          TEXT NOT NULL,
  name        TEXT NOT NULL,
  email       TEXT NOT NULL,
  folded      TEXT NOT NULL, -- the address as it is compared
  PRIMARY KEY (integration, id)
) WITHOUT ROWID;
CREATE INDEX agents_folded ON agents (folded);

ALTER TABLE integrations ADD COLUMN agents_synced INTEGER NOT NULL DEFAULT 0;  -- when they were stored last; 0: never
ALTER TABLE integrations ADD COLUMN agents_error TEXT NOT NULL DEFAULT '';     -- of the last attempt, where it failed
ALTER TABLE integrations ADD COLUMN agents_hint TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE integrations DROP COLUMN agents_hint;
ALTER TABLE integrations DROP COLUMN agents_error;
ALTER TABLE integrations DROP COLUMN agents_synced;
DROP TABLE agents;
