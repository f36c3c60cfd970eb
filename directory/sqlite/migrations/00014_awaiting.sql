-- +goose Up

-- Rows of the search index that are not entered yet: a large page leaves that for the end of the run.
CREATE TABLE awaiting (
  contact     INTEGER PRIMARY KEY,
  integration INTEGER NOT NULL,
  terms       TEXT NOT NULL
);
CREATE INDEX awaiting_integration ON awaiting (integration, contact);

-- +goose Down
INSERT INTO search (rowid, terms) SELECT contact, terms FROM awaiting ORDER BY contact;
DROP TABLE awaiting;
