-- +goose Up

-- Workers look every few seconds for accounts that are being removed: among very many they must not read all.
CREATE INDEX accounts_going ON accounts (name) WHERE going > 0;

-- +goose Down
DROP INDEX accounts_going;
