-- +goose Up

-- The members of books by the first three letters of each word of their sort keys, in the order of names.
CREATE TABLE contactbridge.member_words (
  account integer NOT NULL,
  book    integer NOT NULL,
  word    text COLLATE "C" NOT NULL,
  sort    text COLLATE "C" NOT NULL,
  contact bigint NOT NULL,
  PRIMARY KEY (account, book, word, sort, contact)
);

INSERT INTO contactbridge.member_words (account, book, word, sort, contact)
SELECT DISTINCT m.account, m.book, left(w.word, 3), m.sort, m.contact
FROM contactbridge.members m CROSS JOIN LATERAL unnest(string_to_array(m.sort, ' ')) AS w (word) WHERE w.word <> '';

-- In which database the books' epochs were made. In another one, or one that was restored, devices may know changes that it does not.
ALTER TABLE contactbridge.books ADD COLUMN origin text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE contactbridge.books DROP COLUMN origin;
DROP TABLE contactbridge.member_words;
