package telephony_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/source/memory"
)

const token = "0123456789abcdef0123456789abcdef"

// startHub starts a hub that knows the callers from a bridge, and waits until it does.
func startHub(t *testing.T) (address string) {
	t.Helper()
	var contacts []contact.Contact
	for n := range calls {
		if !stranger(n) {
			// As people write it: the hub makes it whole.
			contacts = append(contacts, contact.Contact{ID: fmt.Sprint(n), Name: callerName(n), Phones: []string{fmt.Sprintf("(415) 555-%04d", n)}})
		}
	}
	return hubWith(t, "US", nameShown(calls-2), callerNumber(calls-2), contacts...)
}

// hubWith starts a hub with an account of a region that has contacts, and waits until a number has its name.
func hubWith(t *testing.T, region, name, number string, contacts ...contact.Contact) (address string) {
	t.Helper()
	crm := memory.NewStore(nil)
	for _, c := range contacts {
		crm.Put(c)
	}
	source := httptest.NewServer(&bridge.Handler{Open: crm.Factory().Open, Authenticate: bridge.AllowAnyone, Digest: "memory"})
	t.Cleanup(source.Close)
	file := filepath.Join(t.TempDir(), "hub.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
listen: 127.0.0.1:0
accounts: {acme: {region: %s, integrations: {crm: {bridge: "%s/crm/contact_sync"}}}}
tokens: {pbx: {account: acme, scopes: [callers:read], value: %s}}
network: {allow: [127.0.0.1/32]}
`, region, source.URL, token), 0o600); err != nil {
		t.Fatal(err)
	}
	address = serve(t, file)
	for deadline := time.Now().Add(30 * time.Second); ask(t, address, "number="+url.QueryEscape(number)) != name; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the hub does not learn who is calling")
		}
	}
	return address
}

// serve runs a hub until the test ends.
func serve(t *testing.T, file string) string {
	t.Helper()
	cfg, err := hubconfig.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	// Whether 45 ms are enough depends on the load of the machine.
	server, err := hubserver.New(t.Context(), cfg, hubserver.ServerOptions{CallerIDWithin: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	l, err := listener.Open(t.Context(), cfg.Listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return listener.URL(l, false)
}

// ask asks as a telephone system does.
func ask(t *testing.T, address, query string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/callerid?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", query, response.Status, err)
	}
	return string(text)
}
