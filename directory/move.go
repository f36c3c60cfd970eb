package directory

import (
	"context"
	"iter"
)

// Tables of a directory as they are when the whole of it is moved into another kind of store. Each row is a list of values:
// nil, bool, int64, string for words of our own, and []byte for what bridges sent. Keys mean the same in every table.
const (
	MovedAccounts     = "accounts"     // account, name
	MovedIntegrations = "integrations" // account, integration, name, checkpoint, contacts, settings
	// MovedContacts ascend by contact: account, contact, integration, id, hash, data. Data is JSON.
	MovedContacts = "contacts"
	// MovedNumbers ascend by contact and position: account, contact, position, digits last one first, whether they are E.164, raw
	// where it is something else, extension.
	MovedNumbers = "numbers"
	// MovedRuns are account, run, integration, kind, state, since, offset, context, checkpoint, lease, lease_until, lease_ms,
	// started, updated, finished, error, newest, had, pages, contacts, created, changed, unchanged, deleted, rejected, bytes, hint,
	// full, settings, doubt, interrupted, exact, restarts, brought.
	MovedRuns       = "runs"
	MovedSeen       = "seen"       // account, run, contact: those older than a run under way that it has shown
	MovedHeld       = "held"       // account, contact, integration, named, run: contacts whose deletion waits
	MovedRejected   = "rejected"   // account, key, integration, run, id, reason
	MovedSuppressed = "suppressed" // account's name, integration's name, digest: such an integration need not be there
	MovedSalt       = "salt"       // of the digests: HMAC-SHA-256 of the id
	MovedKeys       = "keys"       // table, greatest key that it has ever had: none is used again
)

// A Mover gives all rows of a directory, one of the tables above at a time. Contacts and numbers may be read side by side. What
// is being forgotten ([Store.Forget]) is not among them.
type Mover interface {
	Rows(ctx context.Context, table string) iter.Seq2[[]any, error]
}
