-- +goose Up

-- A digest of the settings that the checkpoint, and the run, were made with; '' is not known.
ALTER TABLE integrations ADD COLUMN settings TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN settings TEXT NOT NULL DEFAULT '';

-- What a run's pages so far tell about who is gone.
ALTER TABLE runs ADD COLUMN isfull INTEGER NOT NULL DEFAULT 0;      -- 1: somebody asked for a full run
ALTER TABLE runs ADD COLUMN doubt TEXT NOT NULL DEFAULT '';         -- why it cannot tell; '' is that it can
ALTER TABLE runs ADD COLUMN interrupted INTEGER NOT NULL DEFAULT 0; -- 1: it was resumed at an exact position
ALTER TABLE runs ADD COLUMN exact INTEGER NOT NULL DEFAULT 0;       -- 1: its offset is an exact position
ALTER TABLE runs ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;    -- how often it began again from nothing
ALTER TABLE runs ADD COLUMN brought INTEGER NOT NULL DEFAULT 0;     -- contacts that this pass showed
UPDATE runs SET doubt = 'incremental' WHERE NOT judges;
-- Nothing is known of the pages that a half-done run has read: it counts as having brought somebody.
UPDATE runs SET brought = contacts;
ALTER TABLE runs DROP COLUMN judges;

-- Contacts that are to be deleted: when the run under way ends, or when somebody says yes.
CREATE TABLE held (
  contact     INTEGER PRIMARY KEY,
  integration INTEGER NOT NULL,
  named       INTEGER NOT NULL, -- 1: the bridge says that it is deleted
  run         INTEGER NOT NULL  -- that held it back; 0: the run under way decides
);
CREATE INDEX held_integration ON held (integration, contact);

-- +goose Down
DROP TABLE held;
ALTER TABLE runs ADD COLUMN judges INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET judges = doubt = '';
ALTER TABLE runs DROP COLUMN brought;
ALTER TABLE runs DROP COLUMN restarts;
ALTER TABLE runs DROP COLUMN exact;
ALTER TABLE runs DROP COLUMN interrupted;
ALTER TABLE runs DROP COLUMN doubt;
ALTER TABLE runs DROP COLUMN isfull;
ALTER TABLE runs DROP COLUMN settings;
ALTER TABLE integrations DROP COLUMN settings;
