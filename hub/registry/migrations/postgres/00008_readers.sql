-- +goose Up

-- Devices that read phonebooks.
CREATE TABLE contactbridge.hub_readers (
	account TEXT COLLATE "C" NOT NULL,
	book    TEXT COLLATE "C" NOT NULL,
	way     TEXT COLLATE "C" NOT NULL, -- http, ldap, carddav
	name    TEXT COLLATE "C" NOT NULL, -- with which it signed in
	address TEXT COLLATE "C" NOT NULL,
	device  TEXT COLLATE "C" NOT NULL, -- what it says it is
	copies  BIGINT NOT NULL, -- 1: it keeps a copy of the phonebook
	since   BIGINT NOT NULL, -- when it read first
	last    BIGINT NOT NULL,
	times   BIGINT NOT NULL,
	PRIMARY KEY (account, book, way, name, address, device)
);
CREATE INDEX hub_readers_last ON contactbridge.hub_readers (account, book, last);

-- When somebody was purged last who was in a phonebook.
CREATE TABLE contactbridge.hub_erasures (
	account TEXT COLLATE "C" NOT NULL,
	book    TEXT COLLATE "C" NOT NULL,
	at      BIGINT NOT NULL,
	PRIMARY KEY (account, book)
);

-- +goose Down
DROP TABLE contactbridge.hub_erasures;
DROP TABLE contactbridge.hub_readers;
