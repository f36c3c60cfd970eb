-- +goose Up
-- Times are Unix microseconds; 0 is no time. Lists and objects are JSON; an empty one is ''.

CREATE TABLE accounts (
	name      TEXT PRIMARY KEY,
	region    TEXT NOT NULL,
	time_zone TEXT NOT NULL,
	managed   BOOLEAN NOT NULL,
	created   BIGINT NOT NULL
);

CREATE TABLE integrations (
	account   TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
	name      TEXT NOT NULL,
	config    TEXT NOT NULL,
	scheduled BOOLEAN NOT NULL,           -- runs by itself unless it is paused
	paused    BOOLEAN NOT NULL,
	managed   BOOLEAN NOT NULL,
	auth_set  TEXT NOT NULL DEFAULT '',   -- names of the auth fields that have a value
	created   BIGINT NOT NULL,
	updated   BIGINT NOT NULL,

	health    TEXT NOT NULL DEFAULT 'new',
	problem   TEXT NOT NULL DEFAULT '',
	failures  BIGINT NOT NULL DEFAULT 0,
	fresh     BIGINT NOT NULL DEFAULT 0,
	last_full BIGINT NOT NULL DEFAULT 0,
	due       BIGINT NOT NULL DEFAULT 0,  -- 0 as well while it is paused or has no schedule

	asked     INTEGER NOT NULL DEFAULT 0, -- what no claim has taken: 1 run, 2 full, 4 accept deletions, 8 cancel
	asked_at  BIGINT NOT NULL DEFAULT 0,
	taken     INTEGER NOT NULL DEFAULT 0, -- what the claim answers
	token     TEXT NOT NULL DEFAULT '',   -- of the claim
	worker    TEXT NOT NULL DEFAULT '',
	until     BIGINT NOT NULL DEFAULT 0,
	late      BIGINT NOT NULL DEFAULT 0,  -- when what is claimed was due
	touched   INTEGER NOT NULL DEFAULT 0, -- since it was claimed: 1 its auth values changed, 2 its schedule or configuration

	-- When a worker may take it; 0: never.
	ready     BIGINT NOT NULL GENERATED ALWAYS AS (CASE WHEN asked & 7 <> 0 AND (due = 0 OR asked_at < due) THEN asked_at ELSE due END) STORED,
	PRIMARY KEY (account, name)
);
CREATE INDEX integrations_ready ON integrations (ready) WHERE token = '' AND ready > 0;
CREATE INDEX integrations_until ON integrations (until) WHERE token <> '';

-- Sealed values: an integration's auth values (kind auth), other secrets of integrations and webhooks (kind secret).
CREATE TABLE secrets (
	kind   TEXT NOT NULL,
	owner  TEXT NOT NULL,
	name   TEXT NOT NULL,
	sealed BLOB NOT NULL,
	kept   BIGINT NOT NULL,
	PRIMARY KEY (owner, kind, name)
);

CREATE TABLE tokens (
	id      TEXT PRIMARY KEY,
	account TEXT REFERENCES accounts (name) ON DELETE CASCADE, -- NULL: all accounts
	name    TEXT NOT NULL,
	digest  BLOB NOT NULL UNIQUE,
	scopes  TEXT NOT NULL,
	managed BOOLEAN NOT NULL,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	used    BIGINT NOT NULL
);
CREATE UNIQUE INDEX tokens_name ON tokens (COALESCE(account, ''), name);
CREATE INDEX tokens_account ON tokens (account);

CREATE TABLE users (
	id        TEXT PRIMARY KEY,
	name      TEXT NOT NULL,
	folded    TEXT NOT NULL UNIQUE, -- the name as names are compared
	role      TEXT NOT NULL,
	accounts  TEXT NOT NULL,
	password  TEXT NOT NULL,
	subject   TEXT NOT NULL,
	disabled  BOOLEAN NOT NULL,
	created   BIGINT NOT NULL,
	last_seen BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_subject ON users (subject) WHERE subject <> '';

CREATE TABLE sessions (
	digest  BLOB PRIMARY KEY,
	user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	agent   TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

-- A row here is also a lock: whoever has changed it goes before whoever wants to.
CREATE TABLE counters (
	name  TEXT PRIMARY KEY,
	value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('events', 0), ('users', 0);

CREATE TABLE events (
	id      BIGINT PRIMARY KEY,
	time    BIGINT NOT NULL,
	kind    TEXT NOT NULL,
	account TEXT NOT NULL,
	subject TEXT NOT NULL,
	data    TEXT NOT NULL
);
CREATE INDEX events_account ON events (account, id);
CREATE INDEX events_time ON events (time);

CREATE TABLE webhooks (
	id       TEXT PRIMARY KEY,
	account  TEXT REFERENCES accounts (name) ON DELETE CASCADE, -- NULL: all accounts
	url      TEXT NOT NULL,
	kinds    TEXT NOT NULL,
	managed  BOOLEAN NOT NULL,
	disabled BOOLEAN NOT NULL,
	created  BIGINT NOT NULL
);
CREATE INDEX webhooks_account ON webhooks (account);

CREATE TABLE deliveries (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	webhook  TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
	event    BIGINT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
	attempts BIGINT NOT NULL DEFAULT 0,
	problem  TEXT NOT NULL DEFAULT '',
	next     BIGINT NOT NULL,            -- 0: it is over
	ended    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX deliveries_next ON deliveries (next, id) WHERE next > 0;
CREATE INDEX deliveries_webhook ON deliveries (webhook);
CREATE INDEX deliveries_event ON deliveries (event);

CREATE TABLE audit (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	time    BIGINT NOT NULL,
	actor   TEXT NOT NULL,
	action  TEXT NOT NULL,
	account TEXT NOT NULL,
	subject TEXT NOT NULL,
	detail  TEXT NOT NULL
);
CREATE INDEX audit_account ON audit (account, id);
CREATE INDEX audit_time ON audit (time);

-- +goose StatementBegin
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN
	SELECT RAISE(ABORT, 'audit entries are never changed');
END;
-- +goose StatementEnd

CREATE TABLE samples (
	account  TEXT NOT NULL,
	day      BIGINT NOT NULL,
	contacts BIGINT NOT NULL,
	PRIMARY KEY (account, day)
);
CREATE INDEX samples_day ON samples (day);

CREATE TABLE settings (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
);
