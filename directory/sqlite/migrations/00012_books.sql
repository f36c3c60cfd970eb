-- +goose Up

-- Selections of an account's contacts, such as phonebooks. A book's pk is never used again: words in the search index hold it. One
-- without a name is being removed.
CREATE TABLE books (
  pk      INTEGER PRIMARY KEY AUTOINCREMENT,
  account INTEGER NOT NULL REFERENCES accounts,
  name    TEXT,
  rule    TEXT NOT NULL,              -- who is in it
  epoch   BLOB NOT NULL,              -- random
  secret  BLOB NOT NULL,              -- the key of the names of cards
  seq     INTEGER NOT NULL DEFAULT 0, -- of the last change
  floor   INTEGER NOT NULL DEFAULT 0, -- changes up to this one are not known any more
  members INTEGER NOT NULL DEFAULT 0,
  walked  INTEGER NOT NULL DEFAULT 0, -- contacts up to this pk have been judged by the rule
  upto    INTEGER NOT NULL,           -- those above were judged when they were stored
  filled  INTEGER NOT NULL DEFAULT 0, -- 1: every contact has been judged once
  UNIQUE (account, name)
);

CREATE TABLE members (
  book    INTEGER NOT NULL,
  contact INTEGER NOT NULL,
  seq     INTEGER NOT NULL, -- of the change that it had last
  sort    TEXT NOT NULL,
  PRIMARY KEY (book, contact)
) WITHOUT ROWID;
CREATE INDEX members_seq ON members (book, seq);
CREATE INDEX members_sort ON members (book, sort, contact);

-- Contacts that have left a book.
CREATE TABLE leavers (
  book    INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  contact INTEGER NOT NULL,
  at      INTEGER NOT NULL, -- Unix ms
  PRIMARY KEY (book, seq)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE leavers;
DROP TABLE members;
DROP TABLE books;
