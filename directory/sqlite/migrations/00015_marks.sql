-- +goose Up

-- What each page of a run has shown of the contacts older than the run: their keys. Emptied when the run ends. A run under way that has
-- marks of the former kind counts as interrupted: it does not say who is gone.
UPDATE runs SET doubt = 'interrupted' WHERE kind = 'initial' AND doubt = '' AND state IN ('running', 'failed') AND pages > 0;
DROP TABLE seen;
CREATE TABLE seen (
  run   INTEGER NOT NULL,
  page  INTEGER NOT NULL,
  marks BLOB NOT NULL,
  PRIMARY KEY (run, page)
) WITHOUT ROWID;

-- +goose Down
UPDATE runs SET doubt = 'interrupted' WHERE kind = 'initial' AND doubt = '' AND state IN ('running', 'failed') AND pages > 0;
DROP TABLE seen;
CREATE TABLE seen (
  run     INTEGER NOT NULL,
  contact INTEGER NOT NULL,
  PRIMARY KEY (run, contact)
) WITHOUT ROWID;
