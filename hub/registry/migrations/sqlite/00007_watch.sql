-- +goose Up

ALTER TABLE deliveries ADD COLUMN tried BIGINT NOT NULL DEFAULT 0;  -- when it was sent last
ALTER TABLE deliveries ADD COLUMN status BIGINT NOT NULL DEFAULT 0; -- of HTTP, of the last answer; 0: there was none
ALTER TABLE deliveries ADD COLUMN took BIGINT NOT NULL DEFAULT 0;   -- microseconds until then
ALTER TABLE deliveries ADD COLUMN answer TEXT NOT NULL DEFAULT ''; -- its beginning
CREATE INDEX deliveries_newest ON deliveries (webhook, id);
ALTER TABLE webhooks ADD COLUMN way TEXT NOT NULL DEFAULT ''; -- how it is told: events by POST, or alerts: chat, email

-- How runs went, besides what is counted: only of those that something is to be said of.
CREATE TABLE run_logs (
	account TEXT NOT NULL,
	name    TEXT NOT NULL,
	run     BIGINT NOT NULL,
	log     TEXT NOT NULL, -- JSON
	kept    BIGINT NOT NULL,
	PRIMARY KEY (account, name, run),
	FOREIGN KEY (account, name) REFERENCES integrations (account, name) ON DELETE CASCADE
);
CREATE INDEX run_logs_kept ON run_logs (kept);

-- What is wrong with integrations, and what was told of that.
CREATE TABLE alerts (
	account TEXT NOT NULL,
	name    TEXT NOT NULL,
	state   TEXT NOT NULL, -- JSON
	PRIMARY KEY (account, name)
);

-- +goose Down
DROP TABLE alerts;
DROP TABLE run_logs;
ALTER TABLE webhooks DROP COLUMN way;
DROP INDEX deliveries_newest;
ALTER TABLE deliveries DROP COLUMN answer;
ALTER TABLE deliveries DROP COLUMN took;
ALTER TABLE deliveries DROP COLUMN status;
ALTER TABLE deliveries DROP COLUMN tried;
