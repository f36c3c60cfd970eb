package hub

import "github.com/contactbridge/contactbridge/directory"

// Store returns the hub's directory with everything that is in it.
func (h *Hub) Store() directory.Store { return h.store }

// SetStore puts another directory in the place of the hub's.
func (h *Hub) SetStore(s directory.Store) { h.store = s }
