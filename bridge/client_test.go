package bridge_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
)

// serve runs a handler over loopback HTTP and gives a client for it.
func serve(t testing.TB, h http.Handler) *bridge.Client {
	t.Helper()
	server := httptest.NewServer(h)
	c := &bridge.Client{URL: server.URL + "/crm/contact_sync", Auth: credentials}
	t.Cleanup(func() {
		c.CloseIdleConnections()
		server.Close()
	})
	return c
}

func TestClientSmoke(t *testing.T) {
	c := serve(t, handlerOf(numbered(5), bridge.Limits{Contacts: 2}))
	var q bridge.PageRequest
	for {
		p, err := c.Page(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", p)
		if q.Offset = p.NextOffset; q.Offset == "" {
			break
		}
	}
	t.Log(c.Validate(t.Context(), c.URL+"/../auth_validation"))
	_, err := c.Page(t.Context(), bridge.PageRequest{Offset: "nonsense"})
	t.Logf("%v %+v", err, err)
}
