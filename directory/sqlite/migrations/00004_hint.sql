-- +goose Up

-- What to do about the error.
ALTER TABLE runs ADD COLUMN hint TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE runs DROP COLUMN hint;
