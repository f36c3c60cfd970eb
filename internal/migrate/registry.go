package migrate

import (
	"context"
	"fmt"
	"slices"
)

// registryTables are all tables of a registry, in an order in which each finds what it belongs to. Their columns are the same in a
// file and in PostgreSQL.
func registryTables() []*table {
	all := []*table{
		{name: "accounts", columns: columns(same("name region time_zone"), flags("managed"), same("created going callers"))},
		{name: "integrations", columns: columns(same("account name config"), flags("scheduled paused managed"), same(`auth_set created updated health problem
			failures fresh last_full due asked asked_at taken token worker until late touched going version learned`))},
		{name: "secrets", columns: same("kind owner name sealed kept")},
		{name: "tokens", columns: columns(same("id account name digest scopes"), flags("managed"), same("created expires used maker parent made_by"))},
		{name: "users", columns: columns(same("id name folded role accounts password subject"), flags("disabled"), same("created last_seen email"))},
		{name: "sessions", columns: same("digest user_id created expires agent")},
		{name: counters, columns: same("name value")},
		{name: "events", columns: same("id time kind account subject data")},
		{name: "webhooks", columns: columns(same("id account url kinds"), flags("managed disabled"), same("created held failures way"))},
		{name: deliveries, columns: same("id webhook event attempts problem next ended tried status took answer")},
		{name: audit, columns: same("id time actor action account subject detail")},
		{name: calls, columns: same("id account time number reason answer")},
		{name: "call_contacts", columns: same("call account integration contact")},
		{name: "recognition", columns: same("account day asked named ambiguous unknown")},
		{name: "readers", columns: same("account book way name address device copies since last times")},
		{name: "erasures", columns: same("account book at")},
		{name: "phonebooks", columns: same("account name config created updated")},
		{name: "phonebook_keys", columns: same("id account book name kind digest created made_by")},
		{name: "samples", columns: same("account day contacts")},
		{name: "settings", columns: same("name value")},
		{name: "run_logs", columns: same("account name run log kept")},
		{name: "alerts", columns: same("account name state")},
		{name: "removed", columns: same("account name at until")},
		{name: "files", columns: columns(same("id account name kind size digest uploaded uploader"), flags("whole staged"), same("over"))},
		{name: "file_chunks", columns: same("file part content")},
		{name: "leases", columns: same("name holder until")},
	}
	for _, t := range all {
		t.name, t.from = registryPrefix+t.name, t.name+" t"
	}
	return all
}

const (
	registryPrefix = "hub_" // of the registry's tables in PostgreSQL

	counters = "counters" // the only table that holds something before it is used

	// The tables that give their keys by themselves.
	deliveries = "deliveries"
	audit      = "audit"
	calls      = "calls"
)

func columns(parts ...[]column) []column { return slices.Concat(parts...) }

// moveRegistry fills a registry's empty tables with everything that an embedded one holds. Claims come along as well: those of a
// process that has died are taken over there.
func (m *mover) moveRegistry(ctx context.Context, c *copier) error {
	if _, err := c.tx.Exec(ctx, "DELETE FROM contactbridge.hub_counters"); err != nil {
		return err
	}
	for _, t := range registryTables() {
		if err := c.copy(ctx, t, m.read(ctx, m.registry, t)); err != nil {
			return err
		}
	}
	for _, name := range []string{deliveries, audit, calls} {
		if err := m.continueKeys(ctx, c, name); err != nil {
			return fmt.Errorf("set the next key of %s: %w", name, err)
		}
	}
	return nil
}

// continueKeys makes sure that no key of a table is given again.
func (m *mover) continueKeys(ctx context.Context, c *copier, name string) error {
	var greatest int64
	if err := m.registry.Value(ctx, &greatest, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = $1", name); err != nil || greatest == 0 {
		return err
	}
	_, err := c.tx.Exec(ctx, "SELECT setval(pg_get_serial_sequence($1, 'id'), $2)", "contactbridge."+registryPrefix+name, greatest)
	return err
}
