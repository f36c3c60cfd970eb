-- +goose Up

-- Uploaded files, which sources inside the hub read.
CREATE TABLE contactbridge.hub_files (
	id       TEXT COLLATE "C" PRIMARY KEY,
	account  TEXT COLLATE "C" NOT NULL REFERENCES contactbridge.hub_accounts (name) ON DELETE CASCADE,
	name     TEXT COLLATE "C" NOT NULL,
	kind     TEXT COLLATE "C" NOT NULL, -- of the sources that read it
	size     BIGINT NOT NULL,
	digest   TEXT COLLATE "C" NOT NULL, -- SHA-256, hexadecimal
	uploaded BIGINT NOT NULL,
	uploader TEXT COLLATE "C" NOT NULL,
	whole    BOOLEAN NOT NULL,          -- all of its content is there
	staged   BOOLEAN NOT NULL,          -- waits to take the place of the one of its name
	over     TEXT COLLATE "C" NOT NULL  -- digest of the one that it is to replace
);
CREATE UNIQUE INDEX hub_files_name ON contactbridge.hub_files (account, name) WHERE NOT staged;

CREATE TABLE contactbridge.hub_file_chunks (
	file    TEXT COLLATE "C" NOT NULL REFERENCES contactbridge.hub_files (id) ON DELETE CASCADE,
	part    BIGINT NOT NULL, -- from 0 on
	content BYTEA NOT NULL,
	PRIMARY KEY (file, part)
);

-- +goose Down
DROP TABLE contactbridge.hub_file_chunks;
DROP TABLE contactbridge.hub_files;
