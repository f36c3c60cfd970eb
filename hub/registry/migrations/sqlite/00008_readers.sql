-- +goose Up

-- Devices that read phonebooks.
CREATE TABLE readers (
	account TEXT NOT NULL,
	book    TEXT NOT NULL,
	way     TEXT NOT NULL, -- http, ldap, carddav
	name    TEXT NOT NULL, -- with which it signed in
	address TEXT NOT NULL,
	device  TEXT NOT NULL, -- what it says it is
	copies  BIGINT NOT NULL, -- 1: it keeps a copy of the phonebook
	since   BIGINT NOT NULL, -- when it read first
	last    BIGINT NOT NULL,
	times   BIGINT NOT NULL,
	PRIMARY KEY (account, book, way, name, address, device)
);
CREATE INDEX readers_last ON readers (account, book, last);

-- When somebody was purged last who was in a phonebook.
CREATE TABLE erasures (
	account TEXT NOT NULL,
	book    TEXT NOT NULL,
	at      BIGINT NOT NULL,
	PRIMARY KEY (account, book)
);

-- +goose Down
DROP TABLE erasures;
DROP TABLE readers;
