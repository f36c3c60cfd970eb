-- +goose Up
-- Every table is keyed by account first, so that a database can be partitioned or sharded by account. What bridges sent is kept
-- as bytes where it is compared or sent back: text here can hold no zero byte.
CREATE TABLE contactbridge.accounts (
  id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name bytea NOT NULL UNIQUE
);

CREATE TABLE contactbridge.integrations (
  account    integer NOT NULL,
  id         integer GENERATED ALWAYS AS IDENTITY,
  name       bytea NOT NULL,
  checkpoint bytea NOT NULL DEFAULT '', -- where the next run starts; '' is an initial one
  contacts   bigint NOT NULL DEFAULT 0,
  salt       bytea NOT NULL,            -- of the digests in suppressed
  suppressed bigint NOT NULL DEFAULT 0, -- how many there are
  PRIMARY KEY (account, id),
  UNIQUE (account, name)
);

-- A contact's pk is never used again, so that a run can tell by it which contacts are older than itself.
CREATE SEQUENCE contactbridge.contact_keys;

CREATE TABLE contactbridge.contacts (
  account     integer NOT NULL,
  pk          bigint NOT NULL,
  integration integer NOT NULL,
  id          bytea NOT NULL,    -- in the external service
  hash        bytea NOT NULL,    -- of the content and the numbers: what is equal is not rewritten
  data        bytea NOT NULL,    -- the contact as JSON
  words       tsvector NOT NULL, -- what it is found by, each with its account in front: "7.jane", "7@jane@example.com", "7#44171"
  PRIMARY KEY (account, pk),
  UNIQUE (account, integration, id)
);
ALTER TABLE contactbridge.contacts ALTER COLUMN data SET STORAGE MAIN;
CREATE INDEX contacts_words ON contactbridge.contacts USING gin (words);

CREATE TABLE contactbridge.numbers (
  account   integer NOT NULL,
  contact   bigint NOT NULL,
  position  integer NOT NULL,         -- in the contact's list
  reversed  text COLLATE "C" NOT NULL, -- all digits that lookups compare, last one first
  isfull    boolean NOT NULL,         -- the digits are an E.164 number's
  raw       bytea NOT NULL,           -- as the bridge sent it; '' where that is the E.164 number
  extension bytea NOT NULL,
  PRIMARY KEY (account, contact, position)
);
CREATE INDEX numbers_reversed ON contactbridge.numbers (account, reversed);

CREATE TABLE contactbridge.runs (
  account     integer NOT NULL,
  pk          bigint GENERATED ALWAYS AS IDENTITY,
  integration integer NOT NULL,
  kind        text NOT NULL,
  state       text NOT NULL,
  since       bytea NOT NULL,
  "offset"    bytea NOT NULL DEFAULT '',
  context     bytea,
  checkpoint  bytea NOT NULL DEFAULT '', -- the last one that a page set
  lease       text NOT NULL,
  lease_until bigint NOT NULL,           -- Unix time in ms, as all times here
  lease_ms    bigint NOT NULL,
  started     bigint NOT NULL,
  updated     bigint NOT NULL,
  finished    bigint NOT NULL DEFAULT 0,
  error       bytea NOT NULL DEFAULT '',
  judges      boolean NOT NULL,          -- complete, it tells who is gone
  newest      bigint NOT NULL,           -- greatest pk of a contact that is older than it, or its second pass
  had         bigint NOT NULL,           -- contacts of the integration when it, or its second pass, started
  pages       bigint NOT NULL DEFAULT 0,
  contacts    bigint NOT NULL DEFAULT 0,
  created     bigint NOT NULL DEFAULT 0,
  changed     bigint NOT NULL DEFAULT 0,
  unchanged   bigint NOT NULL DEFAULT 0,
  deleted     bigint NOT NULL DEFAULT 0,
  rejected    bigint NOT NULL DEFAULT 0,
  bytes       bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (account, pk)
);
CREATE INDEX runs_integration ON contactbridge.runs (account, integration, pk);

-- The contacts older than a run that it has shown. Emptied when the run ends.
CREATE TABLE contactbridge.seen (
  account integer NOT NULL,
  run     bigint NOT NULL,
  contact bigint NOT NULL,
  PRIMARY KEY (account, run, contact)
);

CREATE TABLE contactbridge.rejected (
  account     integer NOT NULL,
  pk          bigint GENERATED ALWAYS AS IDENTITY,
  integration integer NOT NULL,
  run         bigint NOT NULL,
  id          bytea NOT NULL,
  reason      bytea NOT NULL,
  PRIMARY KEY (account, pk)
);
CREATE INDEX rejected_integration ON contactbridge.rejected (account, integration, pk);

-- Contacts whose persons asked to be forgotten, as digests of their ids.
CREATE TABLE contactbridge.suppressed (
  account     integer NOT NULL,
  integration integer NOT NULL,
  digest      bytea NOT NULL,
  PRIMARY KEY (account, integration, digest)
);

-- Integrations that are being forgotten: their contacts are still to be deleted.
CREATE TABLE contactbridge.forgotten (
  account     integer NOT NULL,
  integration integer NOT NULL,
  PRIMARY KEY (account, integration)
);

-- +goose Down
DROP TABLE contactbridge.forgotten, contactbridge.suppressed, contactbridge.rejected, contactbridge.seen, contactbridge.runs, contactbridge.numbers,
  contactbridge.contacts, contactbridge.integrations, contactbridge.accounts;
DROP SEQUENCE contactbridge.contact_keys;
