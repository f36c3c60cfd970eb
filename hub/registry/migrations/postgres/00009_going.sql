-- +goose Up

-- Workers look every few seconds for accounts that are being removed: among very many they must not read all.
CREATE INDEX hub_accounts_going ON contactbridge.hub_accounts (name) WHERE going > 0;

-- +goose Down
DROP INDEX contactbridge.hub_accounts_going;
