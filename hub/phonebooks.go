package hub

import (
	"context"

	"github.com/contactbridge/contactbridge/directory"
)

// Phonebooks returns what phonebooks of an account are read from: the directory, whose look-ups leave out the integrations that are
// being removed, these integrations, and the account's region. Who may read a phonebook is decided by whoever serves it: its credentials
// are the phonebook's, and not a user's.
func (h *Hub) Phonebooks(ctx context.Context, account string) (store directory.Store, hidden []string, region string, err error) {
	known, err := h.known(ctx, account)
	if err != nil {
		return nil, nil, "", err
	}
	store, err = h.shown(ctx, account)
	return store, known.hidden, known.Region, err
}
