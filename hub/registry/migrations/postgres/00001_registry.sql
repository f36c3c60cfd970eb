-- +goose Up
-- Times are Unix microseconds; 0 is no time. Lists and objects are JSON; an empty one is ''.

CREATE TABLE contactbridge.hub_accounts (
	name      TEXT COLLATE "C" PRIMARY KEY,
	region    TEXT COLLATE "C" NOT NULL,
	time_zone TEXT COLLATE "C" NOT NULL,
	managed   BOOLEAN NOT NULL,
	created   BIGINT NOT NULL
);

CREATE TABLE contactbridge.hub_integrations (
	account   TEXT COLLATE "C" NOT NULL REFERENCES contactbridge.hub_accounts (name) ON DELETE CASCADE,
	name      TEXT COLLATE "C" NOT NULL,
	config    TEXT COLLATE "C" NOT NULL,
	scheduled BOOLEAN NOT NULL,           -- runs by itself unless it is paused
	paused    BOOLEAN NOT NULL,
	managed   BOOLEAN NOT NULL,
	auth_set  TEXT COLLATE "C" NOT NULL DEFAULT '',   -- names of the auth fields that have a value
	created   BIGINT NOT NULL,
	updated   BIGINT NOT NULL,

	health    TEXT COLLATE "C" NOT NULL DEFAULT 'new',
	problem   TEXT COLLATE "C" NOT NULL DEFAULT '',
	failures  BIGINT NOT NULL DEFAULT 0,
	fresh     BIGINT NOT NULL DEFAULT 0,
	last_full BIGINT NOT NULL DEFAULT 0,
	due       BIGINT NOT NULL DEFAULT 0,  -- 0 as well while it is paused or has no schedule

	asked     INTEGER NOT NULL DEFAULT 0, -- what no claim has taken: 1 run, 2 full, 4 accept deletions, 8 cancel
	asked_at  BIGINT NOT NULL DEFAULT 0,
	taken     INTEGER NOT NULL DEFAULT 0, -- what the claim answers
	token     TEXT COLLATE "C" NOT NULL DEFAULT '',   -- of the claim
	worker    TEXT COLLATE "C" NOT NULL DEFAULT '',
	until     BIGINT NOT NULL DEFAULT 0,
	late      BIGINT NOT NULL DEFAULT 0,  -- when what is claimed was due
	touched   INTEGER NOT NULL DEFAULT 0, -- since it was claimed: 1 its auth values changed, 2 its schedule or configuration

	-- When a worker may take it; 0: never.
	ready     BIGINT NOT NULL GENERATED ALWAYS AS (CASE WHEN asked & 7 <> 0 AND (due = 0 OR asked_at < due) THEN asked_at ELSE due END) STORED,
	PRIMARY KEY (account, name)
);
CREATE INDEX hub_integrations_ready ON contactbridge.hub_integrations (ready) WHERE token = '' AND ready > 0;
CREATE INDEX hub_integrations_until ON contactbridge.hub_integrations (until) WHERE token <> '';

-- Sealed values: an integration's auth values (kind auth), other secrets of integrations and webhooks (kind secret).
CREATE TABLE contactbridge.hub_secrets (
	kind   TEXT COLLATE "C" NOT NULL,
	owner  TEXT COLLATE "C" NOT NULL,
	name   TEXT COLLATE "C" NOT NULL,
	sealed BYTEA NOT NULL,
	kept   BIGINT NOT NULL,
	PRIMARY KEY (owner, kind, name)
);

CREATE TABLE contactbridge.hub_tokens (
	id      TEXT COLLATE "C" PRIMARY KEY,
	account TEXT COLLATE "C" REFERENCES contactbridge.hub_accounts (name) ON DELETE CASCADE, -- NULL: all accounts
	name    TEXT COLLATE "C" NOT NULL,
	digest  BYTEA NOT NULL UNIQUE,
	scopes  TEXT COLLATE "C" NOT NULL,
	managed BOOLEAN NOT NULL,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	used    BIGINT NOT NULL
);
CREATE UNIQUE INDEX hub_tokens_name ON contactbridge.hub_tokens (COALESCE(account, ''), name);
CREATE INDEX hub_tokens_account ON contactbridge.hub_tokens (account);

CREATE TABLE contactbridge.hub_users (
	id        TEXT COLLATE "C" PRIMARY KEY,
	name      TEXT COLLATE "C" NOT NULL,
	folded    TEXT COLLATE "C" NOT NULL UNIQUE, -- the name as names are compared
	role      TEXT COLLATE "C" NOT NULL,
	accounts  TEXT COLLATE "C" NOT NULL,
	password  TEXT COLLATE "C" NOT NULL,
	subject   TEXT COLLATE "C" NOT NULL,
	disabled  BOOLEAN NOT NULL,
	created   BIGINT NOT NULL,
	last_seen BIGINT NOT NULL
);
CREATE UNIQUE INDEX hub_users_subject ON contactbridge.hub_users (subject) WHERE subject <> '';

CREATE TABLE contactbridge.hub_sessions (
	digest  BYTEA PRIMARY KEY,
	user_id TEXT COLLATE "C" NOT NULL REFERENCES contactbridge.hub_users (id) ON DELETE CASCADE,
	created BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	agent   TEXT COLLATE "C" NOT NULL
);
CREATE INDEX hub_sessions_user ON contactbridge.hub_sessions (user_id);

-- A row here is also a lock: whoever has changed it goes before whoever wants to.
CREATE TABLE contactbridge.hub_counters (
	name  TEXT COLLATE "C" PRIMARY KEY,
	value BIGINT NOT NULL
);
INSERT INTO contactbridge.hub_counters (name, value) VALUES ('events', 0), ('users', 0);

CREATE TABLE contactbridge.hub_events (
	id      BIGINT PRIMARY KEY,
	time    BIGINT NOT NULL,
	kind    TEXT COLLATE "C" NOT NULL,
	account TEXT COLLATE "C" NOT NULL,
	subject TEXT COLLATE "C" NOT NULL,
	data    TEXT COLLATE "C" NOT NULL
);
CREATE INDEX hub_events_account ON contactbridge.hub_events (account, id);
CREATE INDEX hub_events_time ON contactbridge.hub_events (time);

CREATE TABLE contactbridge.hub_webhooks (
	id       TEXT COLLATE "C" PRIMARY KEY,
	account  TEXT COLLATE "C" REFERENCES contactbridge.hub_accounts (name) ON DELETE CASCADE, -- NULL: all accounts
	url      TEXT COLLATE "C" NOT NULL,
	kinds    TEXT COLLATE "C" NOT NULL,
	managed  BOOLEAN NOT NULL,
	disabled BOOLEAN NOT NULL,
	created  BIGINT NOT NULL
);
CREATE INDEX hub_webhooks_account ON contactbridge.hub_webhooks (account);

CREATE TABLE contactbridge.hub_deliveries (
	id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	webhook  TEXT COLLATE "C" NOT NULL REFERENCES contactbridge.hub_webhooks (id) ON DELETE CASCADE,
	event    BIGINT NOT NULL REFERENCES contactbridge.hub_events (id) ON DELETE CASCADE,
	attempts BIGINT NOT NULL DEFAULT 0,
	problem  TEXT COLLATE "C" NOT NULL DEFAULT '',
	next     BIGINT NOT NULL,            -- 0: it is over
	ended    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX hub_deliveries_next ON contactbridge.hub_deliveries (next, id) WHERE next > 0;
CREATE INDEX hub_deliveries_webhook ON contactbridge.hub_deliveries (webhook);
CREATE INDEX hub_deliveries_event ON contactbridge.hub_deliveries (event);

CREATE TABLE contactbridge.hub_audit (
	id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	time    BIGINT NOT NULL,
	actor   TEXT COLLATE "C" NOT NULL,
	action  TEXT COLLATE "C" NOT NULL,
	account TEXT COLLATE "C" NOT NULL,
	subject TEXT COLLATE "C" NOT NULL,
	detail  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX hub_audit_account ON contactbridge.hub_audit (account, id);
CREATE INDEX hub_audit_time ON contactbridge.hub_audit (time);

-- +goose StatementBegin
CREATE FUNCTION contactbridge.hub_audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'audit entries are never changed';
END $$;
-- +goose StatementEnd
CREATE TRIGGER hub_audit_stays BEFORE UPDATE OR TRUNCATE ON contactbridge.hub_audit FOR EACH STATEMENT EXECUTE FUNCTION contactbridge.hub_audit_stays();

CREATE TABLE contactbridge.hub_samples (
	account  TEXT COLLATE "C" NOT NULL,
	day      BIGINT NOT NULL,
	contacts BIGINT NOT NULL,
	PRIMARY KEY (account, day)
);
CREATE INDEX hub_samples_day ON contactbridge.hub_samples (day);

CREATE TABLE contactbridge.hub_settings (
	name  TEXT COLLATE "C" PRIMARY KEY,
	value TEXT COLLATE "C" NOT NULL
);
