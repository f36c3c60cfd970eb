-- +goose Up

-- Where tables are distributed over nodes, each node counts in a range of its own, which only a bigint has room for. Both tables are small.
ALTER TABLE contactbridge.integrations ALTER COLUMN id TYPE bigint;
ALTER TABLE contactbridge.books ALTER COLUMN id TYPE bigint;

-- +goose Down
ALTER TABLE contactbridge.books ALTER COLUMN id TYPE integer;
ALTER TABLE contactbridge.integrations ALTER COLUMN id TYPE integer;
