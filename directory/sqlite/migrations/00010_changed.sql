-- +goose Up

-- When the run began that last changed the contact, in Unix milliseconds; 0: before this was kept.
ALTER TABLE contacts ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE contacts DROP COLUMN changed;
