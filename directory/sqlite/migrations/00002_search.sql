-- +goose Up

-- What contacts are found by when somebody types: one row a contact, by its pk. What stands in terms is described in terms.go.
-- The lengths of prefix are those of the beginnings that are found at once, however many contacts have them: one character for
-- the account, and up to six of the word.
CREATE VIRTUAL TABLE search USING fts5(terms, columnsize = 0, detail = none, tokenize = 'ascii', prefix = '2 3 4 5 6 7');

-- An integration's pk is never used again: others may still remember whose it was. One without a name is being forgotten.
CREATE TABLE named (
  pk         INTEGER PRIMARY KEY AUTOINCREMENT,
  account    INTEGER NOT NULL REFERENCES accounts,
  name       TEXT,
  checkpoint TEXT NOT NULL DEFAULT '', -- where the next run starts; '' is an initial one
  contacts   INTEGER NOT NULL DEFAULT 0,
  UNIQUE (account, name)
);
INSERT INTO named (pk, account, name, checkpoint, contacts) SELECT pk, account, name, checkpoint, contacts FROM integrations;
DROP TABLE integrations;
ALTER TABLE named RENAME TO integrations;

-- Which run rejected it.
ALTER TABLE rejected ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
UPDATE rejected SET run = coalesce((SELECT max(pk) FROM runs WHERE runs.integration = rejected.integration), 0);

-- Ids that are not stored again, as HMAC-SHA-256 with this file's salt.
CREATE TABLE suppressed (
  account     TEXT NOT NULL, -- by name: it may never have run
  integration TEXT NOT NULL,
  digest      BLOB NOT NULL,
  PRIMARY KEY (account, integration, digest)
) WITHOUT ROWID;

CREATE TABLE notes (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO notes VALUES ('salt', randomblob(32));

-- +goose Down
DELETE FROM integrations WHERE name IS NULL;
DROP TABLE notes;
DROP TABLE suppressed;
ALTER TABLE rejected DROP COLUMN run;
DROP TABLE search;
