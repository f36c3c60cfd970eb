-- +goose Up

-- A digest of the settings that the checkpoint, and the run, were made with; '' is not known.
ALTER TABLE contactbridge.integrations ADD COLUMN settings bytea NOT NULL DEFAULT '';

-- What a run's pages so far tell about who is gone.
ALTER TABLE contactbridge.runs
  ADD COLUMN settings    bytea NOT NULL DEFAULT '',
  ADD COLUMN isfull      boolean NOT NULL DEFAULT false, -- somebody asked for a full run
  ADD COLUMN doubt       text NOT NULL DEFAULT '',       -- why it cannot tell; '' is that it can
  ADD COLUMN interrupted boolean NOT NULL DEFAULT false, -- it was resumed at an exact position
  ADD COLUMN exact       boolean NOT NULL DEFAULT false, -- its offset is an exact position
  ADD COLUMN restarts    bigint NOT NULL DEFAULT 0,      -- how often it began again from nothing
  ADD COLUMN brought     bigint NOT NULL DEFAULT 0;      -- contacts that this pass showed
-- Nothing is known of the pages that a half-done run has read: it counts as having brought somebody.
UPDATE contactbridge.runs SET doubt = CASE WHEN judges THEN '' ELSE 'incremental' END, brought = contacts;
ALTER TABLE contactbridge.runs DROP COLUMN judges;

-- Contacts that are to be deleted: when the run under way ends, or when somebody says yes.
CREATE TABLE contactbridge.held (
  account     integer NOT NULL,
  contact     bigint NOT NULL,
  integration integer NOT NULL,
  named       boolean NOT NULL, -- the bridge says that it is deleted
  run         bigint NOT NULL,  -- that held it back; 0: the run under way decides
  PRIMARY KEY (account, contact)
);
CREATE INDEX held_integration ON contactbridge.held (account, integration, contact);

-- +goose Down
DROP TABLE contactbridge.held;
ALTER TABLE contactbridge.runs ADD COLUMN judges boolean NOT NULL DEFAULT false;
UPDATE contactbridge.runs SET judges = doubt = '';
ALTER TABLE contactbridge.runs DROP COLUMN settings, DROP COLUMN isfull, DROP COLUMN doubt, DROP COLUMN interrupted, DROP COLUMN exact,
  DROP COLUMN restarts, DROP COLUMN brought;
ALTER TABLE contactbridge.integrations DROP COLUMN settings;
