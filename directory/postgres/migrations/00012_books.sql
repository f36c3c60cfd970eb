-- +goose Up

-- Selections of an account's contacts, such as phonebooks. One without a name is being removed.
CREATE TABLE contactbridge.books (
  account integer NOT NULL,
  id      integer GENERATED ALWAYS AS IDENTITY,
  name    bytea,
  rule    bytea NOT NULL,            -- who is in it
  epoch   bytea NOT NULL,            -- random
  secret  bytea NOT NULL,            -- the key of the names of cards
  seq     bigint NOT NULL DEFAULT 0, -- of the last change
  floor   bigint NOT NULL DEFAULT 0, -- changes up to this one are not known any more
  members bigint NOT NULL DEFAULT 0,
  walked  bigint NOT NULL DEFAULT 0, -- contacts up to this key have been judged by the rule
  upto    bigint NOT NULL,           -- those above were judged when they were stored
  filled  boolean NOT NULL DEFAULT false, -- every contact has been judged once
  PRIMARY KEY (account, id),
  UNIQUE (account, name)
);

CREATE TABLE contactbridge.members (
  account integer NOT NULL,
  book    integer NOT NULL,
  contact bigint NOT NULL,
  seq     bigint NOT NULL,           -- of the change that it had last
  sort    text COLLATE "C" NOT NULL,
  PRIMARY KEY (account, book, contact)
);
CREATE INDEX members_seq ON contactbridge.members (account, book, seq);
CREATE INDEX members_sort ON contactbridge.members (account, book, sort, contact);

-- Contacts that have left a book.
CREATE TABLE contactbridge.leavers (
  account integer NOT NULL,
  book    integer NOT NULL,
  seq     bigint NOT NULL,
  contact bigint NOT NULL,
  at      bigint NOT NULL, -- Unix ms
  PRIMARY KEY (account, book, seq)
);

-- +goose Down
DROP TABLE contactbridge.leavers, contactbridge.members, contactbridge.books;
