package preview_test

import (
	"testing"

	"github.com/contactbridge/contactbridge/internal/preview"
)

const several = `
endpoints:
  crm:
    auth: none
    sources:
      customers: {kind: memory, prefix: "", contacts: [{id: 1, name: Jane Doe, updated: 2024-05-01}, {id: 2, name: No Stamp}]}
      partners: {kind: memory, contacts: [{id: 1, name: Partner}]}
`

func TestPreviewOfSeveralSourcesSaysWhichIsMeant(t *testing.T) {
	golden(t, "sources.txt", printed(t, look(t, endpoint(t, several), preview.Options{Limit: 10, Examine: 10}), 100))
}
