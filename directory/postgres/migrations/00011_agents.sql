-- +goose Up

-- Users of the external service, by its ids.
CREATE TABLE contactbridge.agents (
  account     integer NOT NULL,
  integration integer NOT NULL,
  id          bytea NOT NULL,
  name        bytea NOT NULL,
  email       bytea NOT NULL,
  folded      bytea NOT NULL, -- the address as it is compared
  PRIMARY KEY (account, integration, id)
);
CREATE INDEX agents_folded ON contactbridge.agents (account, folded);

ALTER TABLE contactbridge.integrations ADD COLUMN agents_synced bigint NOT NULL DEFAULT 0; -- when they were stored last; 0: never
ALTER TABLE contactbridge.integrations ADD COLUMN agents_error bytea NOT NULL DEFAULT '';  -- of the last attempt, where it failed
ALTER TABLE contactbridge.integrations ADD COLUMN agents_hint bytea NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE contactbridge.integrations DROP COLUMN agents_hint;
ALTER TABLE contactbridge.integrations DROP COLUMN agents_error;
ALTER TABLE contactbridge.integrations DROP COLUMN agents_synced;
DROP TABLE contactbridge.agents;
