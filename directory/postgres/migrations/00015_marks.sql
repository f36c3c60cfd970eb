-- +goose Up

-- What each page of a run has shown of the contacts older than the run: their keys. Emptied when the run ends. A run under way that has
-- marks of the former kind counts as interrupted: it does not say who is gone.
UPDATE contactbridge.runs SET doubt = 'interrupted' WHERE kind = 'initial' AND doubt = '' AND state IN ('running', 'failed') AND pages > 0;
DROP TABLE contactbridge.seen;
CREATE TABLE contactbridge.seen (
  account integer NOT NULL,
  run     bigint NOT NULL,
  page    bigint NOT NULL,
  marks   bytea NOT NULL,
  PRIMARY KEY (account, run, page)
);

-- +goose Down
UPDATE contactbridge.runs SET doubt = 'interrupted' WHERE kind = 'initial' AND doubt = '' AND state IN ('running', 'failed') AND pages > 0;
DROP TABLE contactbridge.seen;
CREATE TABLE contactbridge.seen (
  account integer NOT NULL,
  run     bigint NOT NULL,
  contact bigint NOT NULL,
  PRIMARY KEY (account, run, contact)
);
