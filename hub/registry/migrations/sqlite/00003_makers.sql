-- +goose Up

ALTER TABLE tokens ADD COLUMN maker TEXT NOT NULL DEFAULT ''; -- id of the user who made it, themselves or by a token of theirs
ALTER TABLE tokens ADD COLUMN parent TEXT NOT NULL DEFAULT ''; -- id of the token that made it
ALTER TABLE tokens ADD COLUMN made_by TEXT NOT NULL DEFAULT ''; -- the maker's name then, as the audit log writes it
CREATE INDEX tokens_maker ON tokens (maker);
CREATE INDEX tokens_parent ON tokens (parent);

-- Of the tokens that there are, the audit log knows who made them.
UPDATE tokens SET made_by = COALESCE((SELECT a.actor FROM audit a WHERE a.action = 'token.create' AND a.subject = tokens.name
	AND a.account = COALESCE(tokens.account, '') ORDER BY a.id DESC LIMIT 1), '');
UPDATE tokens SET maker = COALESCE((SELECT u.id FROM users u WHERE 'user ' || u.name = tokens.made_by AND u.created <= tokens.created), '')
	WHERE NOT managed;

INSERT INTO counters (name, value) VALUES ('revocations', 0);
