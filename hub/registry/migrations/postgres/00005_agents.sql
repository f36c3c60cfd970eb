-- +goose Up

ALTER TABLE contactbridge.hub_users ADD COLUMN email TEXT COLLATE "C" NOT NULL DEFAULT ''; -- by which agents of external services are known to be them

-- +goose Down
ALTER TABLE contactbridge.hub_users DROP COLUMN email;
