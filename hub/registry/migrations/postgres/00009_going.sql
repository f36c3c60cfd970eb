-- +goose Up

-- Workers look every few seconds for accounts that are being removed: among very many they must not read all.
CREATE INDEX hub_accounts_going ON contactbridge.hub_accounts (name) WHERE going > 0;

-- An account's look-ups are kept where the account is: what leads from one row to another contains it.
ALTER TABLE contactbridge.hub_call_contacts DROP CONSTRAINT hub_call_contacts_call_fkey;
DROP INDEX contactbridge.hub_call_contacts_call;
ALTER TABLE contactbridge.hub_calls DROP CONSTRAINT hub_calls_pkey;
DROP INDEX contactbridge.hub_calls_account;
ALTER TABLE contactbridge.hub_calls ADD PRIMARY KEY (account, id);
CREATE INDEX hub_call_contacts_call ON contactbridge.hub_call_contacts (account, call);
ALTER TABLE contactbridge.hub_call_contacts ADD FOREIGN KEY (account, call) REFERENCES contactbridge.hub_calls (account, id) ON DELETE CASCADE;

-- +goose Down
ALTER TABLE contactbridge.hub_call_contacts DROP CONSTRAINT hub_call_contacts_account_call_fkey;
DROP INDEX contactbridge.hub_call_contacts_call;
ALTER TABLE contactbridge.hub_calls DROP CONSTRAINT hub_calls_pkey;
ALTER TABLE contactbridge.hub_calls ADD PRIMARY KEY (id);
CREATE INDEX hub_calls_account ON contactbridge.hub_calls (account, id);
CREATE INDEX hub_call_contacts_call ON contactbridge.hub_call_contacts (call);
ALTER TABLE contactbridge.hub_call_contacts ADD CONSTRAINT hub_call_contacts_call_fkey FOREIGN KEY (call) REFERENCES contactbridge.hub_calls (id) ON DELETE CASCADE;
DROP INDEX contactbridge.hub_accounts_going;
