-- +goose Up

ALTER TABLE contactbridge.hub_tokens ADD COLUMN maker TEXT COLLATE "C" NOT NULL DEFAULT ''; -- id of the user who made it, themselves or by a token of theirs
ALTER TABLE contactbridge.hub_tokens ADD COLUMN parent TEXT COLLATE "C" NOT NULL DEFAULT ''; -- id of the token that made it
ALTER TABLE contactbridge.hub_tokens ADD COLUMN made_by TEXT COLLATE "C" NOT NULL DEFAULT ''; -- the maker's name then, as the audit log writes it
CREATE INDEX hub_tokens_maker ON contactbridge.hub_tokens (maker);
CREATE INDEX hub_tokens_parent ON contactbridge.hub_tokens (parent);

-- Of the tokens that there are, the audit log knows who made them.
UPDATE contactbridge.hub_tokens AS t SET made_by = COALESCE((SELECT a.actor FROM contactbridge.hub_audit a WHERE a.action = 'token.create' AND a.subject = t.name
	AND a.account = COALESCE(t.account, '') ORDER BY a.id DESC LIMIT 1), '');
UPDATE contactbridge.hub_tokens AS t SET maker = COALESCE((SELECT u.id FROM contactbridge.hub_users u WHERE 'user ' || u.name = t.made_by AND u.created <= t.created), '')
	WHERE NOT managed;

INSERT INTO contactbridge.hub_counters (name, value) VALUES ('revocations', 0);
