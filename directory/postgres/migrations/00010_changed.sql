-- +goose Up

-- When the run began that last changed the contact, in Unix milliseconds; 0: before this was kept.
ALTER TABLE contactbridge.contacts ADD COLUMN changed bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE contactbridge.contacts DROP COLUMN changed;
