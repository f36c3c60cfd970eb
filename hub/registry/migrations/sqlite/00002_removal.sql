-- +goose Up
ALTER TABLE accounts ADD COLUMN going BIGINT NOT NULL DEFAULT 0;      -- since when it is being removed
ALTER TABLE integrations ADD COLUMN going BIGINT NOT NULL DEFAULT 0;  -- since when it is being removed: no worker gets it any more
ALTER TABLE integrations ADD COLUMN version BIGINT NOT NULL DEFAULT 1; -- counts changes of configuration and auth values
ALTER TABLE integrations ADD COLUMN learned TEXT NOT NULL DEFAULT ''; -- names of the auth values that the bridge gave
-- Nobody remembers where these came from. What the configuration file declares is taken out at the next start.
UPDATE integrations SET learned = auth_set WHERE managed;
CREATE INDEX integrations_going ON integrations (account, name) WHERE going > 0;

-- What was removed, so that contacts which a late worker still stored are found and removed as well.
CREATE TABLE removed (
	account TEXT NOT NULL,
	name    TEXT NOT NULL,
	at      BIGINT NOT NULL,
	until   BIGINT NOT NULL DEFAULT 0, -- until when one process is removing its contacts; none of its name can be added meanwhile
	PRIMARY KEY (account, name)
);

-- What one process at a time may do.
CREATE TABLE leases (
	name   TEXT PRIMARY KEY,
	holder TEXT NOT NULL,
	until  BIGINT NOT NULL
);

ALTER TABLE webhooks ADD COLUMN held BIGINT NOT NULL DEFAULT 0;     -- until when a process is sending it something
ALTER TABLE webhooks ADD COLUMN failures BIGINT NOT NULL DEFAULT 0; -- in a row
CREATE INDEX deliveries_waiting ON deliveries (webhook, next, id) WHERE next > 0;
