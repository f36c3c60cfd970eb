package hub_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/outbound"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// Anyone who may write integrations must not have the hub ask the machines beside it: neither by the URL as it stands, nor by what a
// field puts into it, nor by where an answer leads.
func TestNoFieldLeadsToThisMachine(t *testing.T) {
	f := newHub(t)
	f.Outbound = outbound.New(outbound.Policy{})
	var asked atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(inside.Close)
	at := strings.TrimPrefix(inside.URL, "http://")
	host, port, _ := strings.Cut(at, ":")
	for _, c := range []struct {
		bridge string
		auth   map[string]string
		oauth  *registry.OAuth
	}{
		{inside.URL + "/contact_sync", nil, nil},
		{"http://localhost:" + port + "/contact_sync", nil, nil},
		{"http://[::ffff:" + host + "]:" + port + "/contact_sync", nil, nil},
		{"http://{{host}}/contact_sync", map[string]string{"host": at}, nil},
		{"http://{{host}}:{{port}}/contact_sync", map[string]string{"host": host, "port": port}, nil},
		{"http://{{ host }}/contact_sync", map[string]string{"host": at + "/x?"}, nil},
		{"http://bridge.invalid{{rest}}/contact_sync", map[string]string{"rest": "@" + at}, nil},
		{"{{scheme}}://" + at + "/contact_sync", map[string]string{"scheme": "http"}, nil},
		{"{{all}}", map[string]string{"all": inside.URL}, nil},
		{"http://{{host}}/contact_sync", map[string]string{"host": "user:pass@" + at}, nil},
		{"http://{{host}}/contact_sync", map[string]string{"host": at + "\\@bridge.invalid"}, nil},
		{"{{all}}", map[string]string{"all": "file:///etc/passwd"}, nil},
		{"{{all}}", map[string]string{"all": "gopher://" + at + "/"}, nil},
		{"unix:/run/hub.sock", nil, nil},
		{"http://bridge.invalid/contact_sync", map[string]string{"client_secret": "x"}, &registry.OAuth{Grant: "client_credentials", TokenURL: inside.URL, ClientID: "me"}},
	} {
		i := registry.Integration{Key: directory.Key{Account: "acme", Integration: "draft"}, Bridge: c.bridge, OAuth: c.oauth}
		result, err := f.TestDraft(t.Context(), i, c.auth)
		if result.OK || err != nil && failure.Of(err).Code != failure.Invalid || err == nil && result.Problem == nil {
			t.Errorf("%s with %v: %+v, %v", c.bridge, c.auth, result, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("this machine was asked %d times", n)
	}
}
