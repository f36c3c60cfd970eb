-- +goose Up

ALTER TABLE contactbridge.hub_deliveries ADD COLUMN tried BIGINT NOT NULL DEFAULT 0;  -- when it was sent last
ALTER TABLE contactbridge.hub_deliveries ADD COLUMN status BIGINT NOT NULL DEFAULT 0; -- of HTTP, of the last answer; 0: there was none
ALTER TABLE contactbridge.hub_deliveries ADD COLUMN took BIGINT NOT NULL DEFAULT 0;   -- microseconds until then
ALTER TABLE contactbridge.hub_deliveries ADD COLUMN answer TEXT COLLATE "C" NOT NULL DEFAULT ''; -- its beginning
CREATE INDEX hub_deliveries_newest ON contactbridge.hub_deliveries (webhook, id);
ALTER TABLE contactbridge.hub_webhooks ADD COLUMN way TEXT COLLATE "C" NOT NULL DEFAULT ''; -- how it is told: events by POST, or alerts: chat, email

-- How runs went, besides what is counted: only of those that something is to be said of.
CREATE TABLE contactbridge.hub_run_logs (
	account TEXT COLLATE "C" NOT NULL,
	name    TEXT COLLATE "C" NOT NULL,
	run     BIGINT NOT NULL,
	log     TEXT COLLATE "C" NOT NULL, -- JSON
	kept    BIGINT NOT NULL,
	PRIMARY KEY (account, name, run),
	FOREIGN KEY (account, name) REFERENCES contactbridge.hub_integrations (account, name) ON DELETE CASCADE
);
CREATE INDEX hub_run_logs_kept ON contactbridge.hub_run_logs (kept);

-- What is wrong with integrations, and what was told of that.
CREATE TABLE contactbridge.hub_alerts (
	account TEXT COLLATE "C" NOT NULL,
	name    TEXT COLLATE "C" NOT NULL,
	state   TEXT COLLATE "C" NOT NULL, -- JSON
	PRIMARY KEY (account, name)
);

-- +goose Down
DROP TABLE contactbridge.hub_alerts;
DROP TABLE contactbridge.hub_run_logs;
ALTER TABLE contactbridge.hub_webhooks DROP COLUMN way;
DROP INDEX contactbridge.hub_deliveries_newest;
ALTER TABLE contactbridge.hub_deliveries DROP COLUMN answer;
ALTER TABLE contactbridge.hub_deliveries DROP COLUMN took;
ALTER TABLE contactbridge.hub_deliveries DROP COLUMN status;
ALTER TABLE contactbridge.hub_deliveries DROP COLUMN tried;
