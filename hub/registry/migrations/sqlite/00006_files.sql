-- +goose Up

-- Uploaded files, which sources inside the hub read.
CREATE TABLE files (
	id       TEXT PRIMARY KEY,
	account  TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
	name     TEXT NOT NULL,
	kind     TEXT NOT NULL, -- of the sources that read it
	size     BIGINT NOT NULL,
	digest   TEXT NOT NULL, -- SHA-256, hexadecimal
	uploaded BIGINT NOT NULL,
	uploader TEXT NOT NULL,
	whole    BOOLEAN NOT NULL,          -- all of its content is there
	staged   BOOLEAN NOT NULL,          -- waits to take the place of the one of its name
	over     TEXT NOT NULL  -- digest of the one that it is to replace
);
CREATE UNIQUE INDEX files_name ON files (account, name) WHERE NOT staged;

CREATE TABLE file_chunks (
	file    TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
	part    BIGINT NOT NULL, -- from 0 on
	content BLOB NOT NULL,
	PRIMARY KEY (file, part)
);

-- +goose Down
DROP TABLE file_chunks;
DROP TABLE files;
