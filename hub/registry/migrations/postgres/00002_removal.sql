-- +goose Up
ALTER TABLE contactbridge.hub_accounts ADD COLUMN going BIGINT NOT NULL DEFAULT 0;      -- since when it is being removed
ALTER TABLE contactbridge.hub_integrations ADD COLUMN going BIGINT NOT NULL DEFAULT 0;  -- since when it is being removed: no worker gets it any more
ALTER TABLE contactbridge.hub_integrations ADD COLUMN version BIGINT NOT NULL DEFAULT 1; -- counts changes of configuration and auth values
ALTER TABLE contactbridge.hub_integrations ADD COLUMN learned TEXT COLLATE "C" NOT NULL DEFAULT ''; -- names of the auth values that the bridge gave
-- Nobody remembers where these came from. What the configuration file declares is taken out at the next start.
UPDATE contactbridge.hub_integrations SET learned = auth_set WHERE managed;
CREATE INDEX hub_integrations_going ON contactbridge.hub_integrations (account, name) WHERE going > 0;

-- What was removed, so that contacts which a late worker still stored are found and removed as well.
CREATE TABLE contactbridge.hub_removed (
	account TEXT COLLATE "C" NOT NULL,
	name    TEXT COLLATE "C" NOT NULL,
	at      BIGINT NOT NULL,
	until   BIGINT NOT NULL DEFAULT 0, -- until when one process is removing its contacts; none of its name can be added meanwhile
	PRIMARY KEY (account, name)
);

-- What one process at a time may do.
CREATE TABLE contactbridge.hub_leases (
	name   TEXT COLLATE "C" PRIMARY KEY,
	holder TEXT COLLATE "C" NOT NULL,
	until  BIGINT NOT NULL
);

ALTER TABLE contactbridge.hub_webhooks ADD COLUMN held BIGINT NOT NULL DEFAULT 0;     -- until when a process is sending it something
ALTER TABLE contactbridge.hub_webhooks ADD COLUMN failures BIGINT NOT NULL DEFAULT 0; -- in a row
CREATE INDEX hub_deliveries_waiting ON contactbridge.hub_deliveries (webhook, next, id) WHERE next > 0;
