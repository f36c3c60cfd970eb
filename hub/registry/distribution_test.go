package registry_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/test/distribution"
)

// plan is how the registry is distributed: see docs/scaling.md. What grows with an account's contacts, calls and devices is distributed; what
// a worker claims, or what is looked for before the account is known, is on one node.
var plan = distribution.Plan{
	Schema: "contactbridge", Tables: "hub_", Column: "account",
	Local: map[string]string{
		"hub_accounts":       "listed, and locked while something is added to one; a row of some hundred bytes for each account",
		"hub_integrations":   "any worker claims whichever of all accounts is due the longest, and leaves out locked rows, which one node alone can do; a kilobyte for each integration",
		"hub_secrets":        "read with its integration, in the same statement; webhooks and what is under way have no account",
		"hub_run_logs":       "belongs to hub_integrations; only of runs that something is to be said of",
		"hub_files":          "looked for by its id, and locked with the integrations that read it",
		"hub_file_chunks":    "belongs to hub_files; bounded by files_bytes of each account",
		"hub_tokens":         "looked for by its digest, before the account is known",
		"hub_phonebooks":     "read whole by every process; a row for each phonebook that somebody made",
		"hub_phonebook_keys": "looked for by the digest of its secret, before the account is known; a row for each device or site",
		"hub_users":          "users are of several accounts",
		"hub_sessions":       "belongs to hub_users",
		"hub_counters":       "locks of the whole hub",
		"hub_leases":         "what one process of the whole hub may do",
		"hub_settings":       "of the whole hub",
		"hub_events":         "numbered in one order, in which they become visible, for readers of all accounts; kept for a week",
		"hub_webhooks":       "some are told of all accounts",
		"hub_deliveries":     "belongs to hub_webhooks and hub_events",
		"hub_audit":          "numbered in one order; entries of the whole hub have no account",
	},
}

// TestTheTablesCanBeDistributedByAccount reads the catalogue. It fails for a table that breaks a rule, and says which rule and how to mend it.
func TestTheTablesCanBeDistributedByAccount(t *testing.T) {
	db := server.Database(t)
	r := got(registry.Open(t.Context(), db.DSN, registry.OpenOptions{}))(t)
	ok(t, r.Close())
	conn := got(pgx.Connect(t.Context(), db.DSN))(t)
	defer conn.Close(t.Context())
	found, err := distribution.Check(t.Context(), conn, plan)
	ok(t, err)
	for _, broken := range found {
		t.Error(broken)
	}
}
