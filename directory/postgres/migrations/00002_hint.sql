-- +goose Up

-- What to do about the error.
ALTER TABLE contactbridge.runs ADD COLUMN hint bytea NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE contactbridge.runs DROP COLUMN hint;
