package console_test

import (
	"bufio"
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/console"
)

var streamAddress = regexp.MustCompile(`sse-connect="([^"]*)"`)

// changed reports whether a page's stream says that there is something new, soon after it was opened.
func (v *visitor) changed(address string, within time.Duration) bool {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.site.server.URL+address, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	response, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		v.t.Fatal(address, response.Status)
	}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.TrimSpace(lines.Text()) == "event: changed" {
			return true
		}
	}
	return false
}

// stream is the address of a page's stream.
func (v *visitor) stream(page string) string {
	v.t.Helper()
	found := streamAddress.FindStringSubmatch(v.must(page).text)
	if found == nil {
		v.t.Fatal(page, "is not kept up to date")
	}
	return html.UnescapeString(found[1])
}

func TestAPageHearsOfWhatChangedBeforeItListened(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	overview, integration := v.stream("/"), v.stream(console.IntegrationPage(key))
	for _, address := range []string{overview, integration} {
		if v.changed(address, 300*time.Millisecond) {
			t.Error(address, "tells of a change although nothing has changed")
		}
	}
	// A run that ends between the page and its stream, as short ones do.
	s.bridge.setPassword("changed")
	if err := s.hub.Ask(context.Background(), key, registry.Ask{Run: true}); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, key, registry.HealthBroken)
	for _, address := range []string{overview, integration} {
		if !v.changed(address, 10*time.Second) {
			t.Error(address, "does not tell what changed since the page was made")
		}
	}
}

func TestABrowserThatHasGoneIsNoFailure(t *testing.T) {
	s := newSite(t)
	v := s.administrator(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := v.request(http.MethodGet, "/", nil).WithContext(ctx)
	for _, c := range v.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	s.server.Config.Handler.ServeHTTP(httptest.NewRecorder(), r)
	if said := s.log.String(); strings.Contains(said, "level=ERROR") {
		t.Error(said)
	}
}
