-- +goose Up

ALTER TABLE accounts ADD COLUMN callers TEXT NOT NULL DEFAULT ''; -- JSON: how it names its callers, and which look-ups it keeps

-- The last look-ups.
CREATE TABLE calls (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	account TEXT NOT NULL,
	time    BIGINT NOT NULL,
	number  TEXT NOT NULL, -- masked or not
	reason  TEXT NOT NULL,
	answer  TEXT NOT NULL  -- JSON: with its explanation
);
CREATE INDEX calls_account ON calls (account, id);
CREATE INDEX calls_number ON calls (account, number);

-- Whom a look-up tells of.
CREATE TABLE call_contacts (
	call        BIGINT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
	account     TEXT NOT NULL,
	integration TEXT NOT NULL,
	contact     TEXT NOT NULL, -- its id in the external service
	PRIMARY KEY (account, integration, contact, call)
);
CREATE INDEX call_contacts_call ON call_contacts (call);

-- What became of an account's calls, by day.
CREATE TABLE recognition (
	account   TEXT NOT NULL,
	day       BIGINT NOT NULL,
	asked     BIGINT NOT NULL DEFAULT 0,
	named     BIGINT NOT NULL DEFAULT 0,
	ambiguous BIGINT NOT NULL DEFAULT 0,
	unknown   BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (account, day)
);
CREATE INDEX recognition_day ON recognition (day);
