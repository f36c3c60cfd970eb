-- +goose Up

ALTER TABLE users ADD COLUMN email TEXT NOT NULL DEFAULT ''; -- by which agents of external services are known to be them

-- +goose Down
ALTER TABLE users DROP COLUMN email;
