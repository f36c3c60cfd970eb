package hub

import (
	"context"
	"encoding/json"
	"fmt"

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

// mostCalled is how many kept look-ups are read for the order of those who called last.
const mostCalled = 2000

// CalledLast returns the contacts that named the last calls of an account that are kept, the last one first, each once. As with
// Phonebooks, whoever serves them decides who may read them.
func (h *Hub) CalledLast(ctx context.Context, account string) (refs []directory.Ref, err error) {
	calls, err := h.Registry.Calls(ctx, account, 0, mostCalled)
	if err != nil {
		return nil, err
	}
	seen := map[directory.Ref]bool{}
	for _, c := range calls {
		var answer struct {
			Named *struct {
				Integration string `json:"integration"`
				ID          string `json:"id"`
			} `json:"named"`
		}
		if err := json.Unmarshal(c.Answer, &answer); err != nil {
			return nil, fmt.Errorf("read a kept look-up: %w", err)
		}
		if answer.Named == nil || answer.Named.ID == "" {
			continue
		}
		ref := directory.Ref{Integration: answer.Named.Integration, ID: answer.Named.ID}
		if !seen[ref] {
			seen[ref] = true
			refs = append(refs, ref)
		}
	}
	return refs, nil
}
