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
	_, told := v.hears(address, "changed", within)
	return told
}

// hears returns the data of the first event of a name that a page's stream tells soon after it was opened.
func (v *visitor) hears(address, name string, within time.Duration) (data string, told bool) {
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
		switch line := strings.TrimSpace(lines.Text()); {
		case line == "event: "+name:
			told = true
		case told && line == "":
			return data, true
		case told:
			data += strings.TrimSpace(strings.TrimPrefix(line, "data:"))
		}
	}
	return "", false
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

// A run that ends before the page's stream begins is not shown as under way for ever.
func TestAPageHearsThatItsRunIsOver(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	s.bridge.hold()
	if err := s.hub.Ask(context.Background(), key, registry.Ask{Run: true}); err != nil {
		t.Fatal(err)
	}
	page := console.IntegrationPage(key)
	eventually(t, "the run under way", func() bool { return strings.Contains(v.must(page).text, "run under way") })
	stream := v.stream(page)
	s.bridge.release()
	s.waitFor(t, key, registry.HealthOK)
	if panel, told := v.hears(stream, "run", 10*time.Second); !told || panel != "" {
		t.Errorf("told: %t, of the run: %q", told, panel)
	}
}

// What is asked of a broken integration waits until it is corrected, and the page does not say otherwise.
func TestABrokenIntegrationIsNotAboutToRun(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	s.bridge.setPassword("changed")
	if err := s.hub.Ask(context.Background(), key, registry.Ask{Run: true}); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, key, registry.HealthBroken)
	page := v.must(console.IntegrationPage(key)).text
	if strings.Contains(page, "as soon as there is a worker") || !strings.Contains(page, "when it is corrected") {
		t.Error(page)
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
