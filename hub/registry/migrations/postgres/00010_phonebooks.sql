-- +goose Up

-- Phonebooks that somebody made. Those of the configuration file are not here.
CREATE TABLE contactbridge.hub_phonebooks (
	account TEXT COLLATE "C" NOT NULL REFERENCES contactbridge.hub_accounts (name) ON DELETE CASCADE,
	name    TEXT COLLATE "C" NOT NULL,
	config  TEXT COLLATE "C" NOT NULL, -- JSON
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	PRIMARY KEY (account, name)
);

-- What devices sign in with, of all phonebooks.
CREATE TABLE contactbridge.hub_phonebook_keys (
	id      TEXT COLLATE "C" PRIMARY KEY,
	account TEXT COLLATE "C" NOT NULL REFERENCES contactbridge.hub_accounts (name) ON DELETE CASCADE,
	book    TEXT COLLATE "C" NOT NULL,
	name    TEXT COLLATE "C" NOT NULL, -- of the device or the site
	kind    TEXT COLLATE "C" NOT NULL, -- password, digest, path
	digest  BYTEA NOT NULL UNIQUE, -- SHA-256 of the secret
	created BIGINT NOT NULL,
	made_by TEXT COLLATE "C" NOT NULL,
	UNIQUE (account, book, name)
);

-- Counts changes of phonebooks and new keys: other processes hear of them.
INSERT INTO contactbridge.hub_counters (name, value) VALUES ('phonebooks', 0);

-- +goose Down
DELETE FROM contactbridge.hub_counters WHERE name = 'phonebooks';
DROP TABLE contactbridge.hub_phonebook_keys;
DROP TABLE contactbridge.hub_phonebooks;
