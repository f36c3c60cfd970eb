-- +goose Up

-- Phonebooks that somebody made. Those of the configuration file are not here.
CREATE TABLE phonebooks (
	account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
	name    TEXT NOT NULL,
	config  TEXT NOT NULL, -- JSON
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	PRIMARY KEY (account, name)
);

-- What devices sign in with, of all phonebooks.
CREATE TABLE phonebook_keys (
	id      TEXT PRIMARY KEY,
	account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
	book    TEXT NOT NULL,
	name    TEXT NOT NULL, -- of the device or the site
	kind    TEXT NOT NULL, -- password, digest, path
	digest  BLOB NOT NULL UNIQUE, -- SHA-256 of the secret
	created BIGINT NOT NULL,
	made_by TEXT NOT NULL,
	UNIQUE (account, book, name)
);

-- Counts changes of phonebooks and new keys: other processes hear of them.
INSERT INTO counters (name, value) VALUES ('phonebooks', 0);

-- +goose Down
DELETE FROM counters WHERE name = 'phonebooks';
DROP TABLE phonebook_keys;
DROP TABLE phonebooks;
