-- +goose Up
CREATE TABLE accounts (
  pk   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE integrations (
  pk         INTEGER PRIMARY KEY,
  account    INTEGER NOT NULL REFERENCES accounts,
  name       TEXT NOT NULL,
  checkpoint TEXT NOT NULL DEFAULT '', -- where the next run starts; '' is an initial one
  contacts   INTEGER NOT NULL DEFAULT 0,
  UNIQUE (account, name)
);

-- A contact's pk is never used again, so that a run can tell by it which contacts are older than itself.
CREATE TABLE contacts (
  pk          INTEGER PRIMARY KEY AUTOINCREMENT,
  integration INTEGER NOT NULL,
  id          TEXT NOT NULL, -- in the external service
  hash        BLOB NOT NULL, -- of the content and the numbers: what is equal is not rewritten
  data        BLOB NOT NULL, -- the contact as JSON
  UNIQUE (integration, id)
);

-- A contact's numbers lie side by side, in its order: the pk says whose a number is, and which.
CREATE TABLE numbers (
  pk        INTEGER PRIMARY KEY, -- the contact's, times 4096, plus the place in its list
  contact   INTEGER AS (pk >> 12) VIRTUAL,
  position  INTEGER AS (pk & 4095) VIRTUAL,
  account   INTEGER NOT NULL,
  ending    INTEGER NOT NULL, -- the last nine digits, last one first: one small index for whole numbers and for endings
  reversed  TEXT NOT NULL,    -- all digits that lookups compare, last one first
  full      INTEGER NOT NULL, -- 1: the digits are an E.164 number's
  raw       TEXT NOT NULL,    -- as the bridge sent it; '' where that is the E.164 number
  extension TEXT NOT NULL
);
CREATE INDEX numbers_ending ON numbers (account, ending);

CREATE TABLE runs (
  pk          INTEGER PRIMARY KEY AUTOINCREMENT,
  integration INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  state       TEXT NOT NULL,
  since       TEXT NOT NULL,
  "offset"    TEXT NOT NULL DEFAULT '',
  context     BLOB,
  checkpoint  TEXT NOT NULL DEFAULT '', -- the last one that a page set
  lease       TEXT NOT NULL,
  lease_until INTEGER NOT NULL,         -- Unix time in ms, as all times here
  lease_ms    INTEGER NOT NULL,
  started     INTEGER NOT NULL,
  updated     INTEGER NOT NULL,
  finished    INTEGER NOT NULL DEFAULT 0,
  error       TEXT NOT NULL DEFAULT '',
  judges      INTEGER NOT NULL,         -- 1: complete, it tells who is gone
  newest      INTEGER NOT NULL,         -- greatest pk of a contact that is older than it, or its second pass
  had         INTEGER NOT NULL,         -- contacts of the integration when it, or its second pass, started
  pages       INTEGER NOT NULL DEFAULT 0,
  contacts    INTEGER NOT NULL DEFAULT 0,
  created     INTEGER NOT NULL DEFAULT 0,
  changed     INTEGER NOT NULL DEFAULT 0,
  unchanged   INTEGER NOT NULL DEFAULT 0,
  deleted     INTEGER NOT NULL DEFAULT 0,
  rejected    INTEGER NOT NULL DEFAULT 0,
  bytes       INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_integration ON runs (integration, pk);

-- The contacts older than a run that it has shown. Emptied when the run ends.
CREATE TABLE seen (
  run     INTEGER NOT NULL,
  contact INTEGER NOT NULL,
  PRIMARY KEY (run, contact)
) WITHOUT ROWID;

CREATE TABLE rejected (
  pk          INTEGER PRIMARY KEY,
  integration INTEGER NOT NULL,
  id          TEXT NOT NULL,
  reason      TEXT NOT NULL
);
CREATE INDEX rejected_integration ON rejected (integration, pk);

-- +goose Down
DROP TABLE rejected;
DROP TABLE seen;
DROP TABLE runs;
DROP TABLE numbers;
DROP TABLE contacts;
DROP TABLE integrations;
DROP TABLE accounts;
