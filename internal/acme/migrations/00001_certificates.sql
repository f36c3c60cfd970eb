-- +goose Up

-- What several processes share: accounts at the authority, keys, certificates, and challenges under way. Values are sealed.
CREATE TABLE contactbridge.certificates (
  key      text PRIMARY KEY, -- a path with slashes
  value    bytea NOT NULL,
  modified timestamptz NOT NULL DEFAULT now()
);

-- Who does what only one process may do at a time, and until when it counts as alive.
CREATE TABLE contactbridge.certificate_locks (
  name   text PRIMARY KEY,
  holder text NOT NULL,
  until  timestamptz NOT NULL
);

-- +goose Down
DROP TABLE contactbridge.certificate_locks;
DROP TABLE contactbridge.certificates;
