-- +goose Up

ALTER TABLE contactbridge.hub_accounts ADD COLUMN callers TEXT COLLATE "C" NOT NULL DEFAULT ''; -- JSON: how it names its callers, and which look-ups it keeps

-- The last look-ups.
CREATE TABLE contactbridge.hub_calls (
	id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	account TEXT COLLATE "C" NOT NULL,
	time    BIGINT NOT NULL,
	number  TEXT COLLATE "C" NOT NULL, -- masked or not
	reason  TEXT COLLATE "C" NOT NULL,
	answer  TEXT COLLATE "C" NOT NULL  -- JSON: with its explanation
);
CREATE INDEX hub_calls_account ON contactbridge.hub_calls (account, id);
CREATE INDEX hub_calls_number ON contactbridge.hub_calls (account, number);

-- Whom a look-up tells of.
CREATE TABLE contactbridge.hub_call_contacts (
	call        BIGINT NOT NULL REFERENCES contactbridge.hub_calls (id) ON DELETE CASCADE,
	account     TEXT COLLATE "C" NOT NULL,
	integration TEXT COLLATE "C" NOT NULL,
	contact     TEXT COLLATE "C" NOT NULL, -- its id in the external service
	PRIMARY KEY (account, integration, contact, call)
);
CREATE INDEX hub_call_contacts_call ON contactbridge.hub_call_contacts (call);

-- What became of an account's calls, by day.
CREATE TABLE contactbridge.hub_recognition (
	account   TEXT COLLATE "C" NOT NULL,
	day       BIGINT NOT NULL,
	asked     BIGINT NOT NULL DEFAULT 0,
	named     BIGINT NOT NULL DEFAULT 0,
	ambiguous BIGINT NOT NULL DEFAULT 0,
	unknown   BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (account, day)
);
CREATE INDEX hub_recognition_day ON contactbridge.hub_recognition (day);
