-- +goose Up

-- The members of books by the first three letters of each word of their sort keys, in the order of names.
CREATE TABLE member_words (
  book    INTEGER NOT NULL,
  word    TEXT NOT NULL,
  sort    TEXT NOT NULL,
  contact INTEGER NOT NULL,
  PRIMARY KEY (book, word, sort, contact)
) WITHOUT ROWID;

INSERT OR IGNORE INTO member_words
WITH RECURSIVE parts (book, contact, sort, word, rest) AS (
  SELECT book, contact, sort, '', sort || ' ' FROM members
  UNION ALL
  SELECT book, contact, sort, substr(rest, 1, instr(rest, ' ') - 1), substr(rest, instr(rest, ' ') + 1) FROM parts WHERE rest <> ''
)
SELECT book, substr(word, 1, 3), sort, contact FROM parts WHERE word <> '';

-- +goose Down
DROP TABLE member_words;
