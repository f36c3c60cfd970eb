package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web"
	"github.com/contactbridge/contactbridge/web/api"
)

func TestTheCommittedDocumentIsCurrent(t *testing.T) {
	committed, err := os.ReadFile("../schema/hub/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(api.New(api.Options{Hub: &hub.Hub{}}).Document()) != string(committed) {
		t.Error("schema/hub/openapi.json is stale: go generate ./schema/hub")
	}
}

func TestTheDocumentIsServedToAnybodyAndComesFromNowhereElse(t *testing.T) {
	f := newFixture(t)
	for path, contentType := range map[string]string{"/api/v1/openapi.json": "application/openapi+json", "/api/v1/openapi.yaml": "application/openapi+yaml"} {
		r := f.ask(t, "GET", path, "", "")
		if r.status != http.StatusOK || r.header.Get("Content-Type") != contentType || !strings.Contains(r.body, "lookUpCaller") {
			t.Errorf("%s: %d %q", path, r.status, r.header.Get("Content-Type"))
		}
		if strings.Contains(r.body, "http://") || strings.Contains(r.body, "<script") {
			t.Errorf("%s loads something", path)
		}
	}
}

func TestHealthIsToldToAnybody(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		if r := f.ask(t, "GET", path, "", ""); r.status != http.StatusOK || r.body != "ok\n" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if err := f.hub.Registry.Close(); err != nil {
		t.Fatal(err)
	}
	if r := f.ask(t, "GET", "/readyz", "", ""); r.status != http.StatusServiceUnavailable {
		t.Errorf("without a database: %d %s", r.status, r.body)
	}
	if r := f.ask(t, "GET", "/healthz", "", ""); r.status != http.StatusOK {
		t.Errorf("the process is alive: %d", r.status)
	}
}

func TestEverythingElseIsTheConsoles(t *testing.T) {
	f := newFixture(t, func(o *web.HandlerOptions) {
		o.Console = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "console "+r.URL.Path) })
	})
	for _, path := range []string{"/", "/accounts/acme/integrations/crm", "/calleridx", "/apis"} {
		if r := f.ask(t, "GET", path, "", ""); r.body != "console "+path {
			t.Errorf("%s: %s", path, r.body)
		}
	}
	if r := newFixture(t).ask(t, "GET", "/", "", ""); r.status != http.StatusOK || !strings.Contains(r.body, "/api/v1/openapi.json") {
		t.Errorf("without a console: %d %s", r.status, r.body)
	}
}

func TestTheLogHoldsNoNumbersTokensOrQueries(t *testing.T) {
	f := newFixture(t)
	pbx := f.token(t, "acme", registry.ScopeCallers)
	f.ask(t, "GET", "/api/v1/callers/%2B442079460958", pbx, "")
	f.ask(t, "GET", "/callerid?number=02079460958&token="+pbx, "", "")
	f.ask(t, "GET", "/callerid?number=02079460958&token=wrong-token-value", "", "")
	f.ask(t, "GET", "/api/v1/contacts/crm/7?account=acme", f.admin, "")
	f.ask(t, "GET", "/api/v1/contacts?account=acme&q=jane", f.admin, "")
	f.ask(t, "GET", "/nowhere/02079460958", "", "")
	text := f.log.String()
	for _, secret := range []string{pbx, f.admin, "wrong-token-value", "2079460958", "jane", "crm/7"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds %q:\n%s", secret, text)
		}
	}
	for _, part := range []string{"route=/api/v1/callers/{number} status=200", "account=acme", `actor="token token-2"`, "route=/callerid status=401", "request_id="} {
		if !strings.Contains(text, part) {
			t.Errorf("the log does not hold %q:\n%s", part, text)
		}
	}
}

func TestCallerIDNeverSendsAPage(t *testing.T) {
	f := newFixture(t)
	pbx, reader := f.token(t, "acme", registry.ScopeCallers), f.token(t, "acme", registry.ScopeContacts)
	for _, c := range []struct {
		query, token string
		status       int
		body         string
		reason       string
	}{
		{"number=02079460958&token=" + pbx, "", 200, "Jane Doe (Example Ltd)", "exact"},
		{"number=02079460958", pbx, 200, "Jane Doe (Example Ltd)", "exact"},
		{"number=+442079460958&max=8&uniqueid=1", pbx, 200, "Jane Doe", "exact"},
		{"number=%2B14155550100", pbx, 200, `Sam (Slash) & 'Co'`, "exact"}, // what would end a quoted name does not
		{"number=08888888888", pbx, 200, "", "dummy"},
		{"number=+442079469999", pbx, 200, "", "unknown"},
		{"number=+442079460500", pbx, 200, "", "ambiguous"},
		{"number=%28415%29+555-0100&region=DE", pbx, 200, "", "wrong_region"},
		{"number=00000000", pbx, 200, "", "dummy"},
		{"number=ask+Jane", pbx, 200, "", "invalid"},
		{"number=020+7946+9999&region=XX", pbx, 200, "", "wrong_region"},
		{"number=anonymous", pbx, 200, "", "withheld"},
		{"number=9460958", pbx, 200, "", "suffix_only"}, // only the last digits agree
		{"number=", pbx, 200, "", "withheld"},           // what FreePBX sends for a caller who shows none
		{"number=%20", pbx, 200, "", "withheld"},
		{"numer=02079460958", pbx, 400, "", ""},
		{"number=02079460958&region=UK", pbx, 200, "Jane Doe (Example Ltd)", "exact"}, // no region: the account's
		{"number=1&format=html", pbx, 400, "", ""},
		{"number=1&numbers=roman", pbx, 400, "", ""},
		{"number=1&wait=soon", pbx, 400, "", ""},
		{"number=1&wait=-1s", pbx, 400, "", ""},
		{"number=1&wait=99999999999999999999h", pbx, 400, "", ""},
		{"number=%2B442079469999&wait=1000h", pbx, 200, "", "unknown"}, // nobody is to be asked
		{"number=02079460958", "", 401, "", ""},
		{"number=02079460958&token=wrong", "", 401, "", ""},
		{"number=02079460958", reader, 403, "", ""},
		{"number=02079460958&account=other", pbx, 403, "", ""},
		{"number=02079460958", f.admin, 403, "", ""},
	} {
		r := f.ask(t, "GET", "/callerid?"+c.query, c.token, "")
		if r.status != c.status || r.body != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.query, r.status, r.body, c.status, c.body)
		}
		if reason := r.header.Get("X-Contactbridge-Reason"); reason != c.reason {
			t.Errorf("%s: the reason is %q, want %q", c.query, reason, c.reason)
		}
	}
}

func TestCallerIDUnderstandsWhatTelephoneSystemsSend(t *testing.T) {
	f := newFixture(t)
	pbx := f.token(t, "acme", registry.ScopeCallers)
	at := strings.TrimPrefix(f.server.URL, "http://")
	for who, request := range map[string]string{
		"Asterisk, URIENCODE":             "GET /callerid?number=%2B442079460958&max=40 HTTP/1.1\r\nHost: h\r\nUser-Agent: asterisk-libcurl-agent/1.0\r\nAccept: */*\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n",
		"Asterisk, token in the query":    "GET /callerid?number=02079460958&token=TOKEN HTTP/1.1\r\nHost: h\r\nUser-Agent: asterisk-libcurl-agent/1.0\r\nConnection: close\r\n\r\n",
		"FreePBX, as it was dialled":      "GET /callerid?number=+442079460958&token=TOKEN&max=40 HTTP/1.1\r\nHost: h\r\nUser-Agent: asterisk-libcurl-agent/1.0\r\nConnection: close\r\n\r\n",
		"FreePBX, a path with a slash":    "GET /callerid/?number=+442079460958&token=TOKEN HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"an address with a slash behind":  "GET //callerid?number=02079460958&token=TOKEN HTTP/1.0\r\n\r\n",
		"a path below":                    "GET /callerid/pbx?number=02079460958&token=TOKEN HTTP/1.0\r\n\r\n",
		"a path far below":                "GET /callerid//pbx/lookup/?number=02079460958&token=TOKEN HTTP/1.0\r\n\r\n",
		"a parameter of the path":         "GET /callerid;v=1?number=02079460958&token=TOKEN HTTP/1.0\r\n\r\n",
		"HTTP Basic":                      "GET /callerid?number=02079460958 HTTP/1.0\r\nAuthorization: Basic BASIC\r\n\r\n",
		"HTTP Basic, a path below":        "GET /callerid/x?number=02079460958 HTTP/1.0\r\nAuthorization: basic BASIC\r\n\r\n",
		"a path in capitals":              "GET /CallerID?number=02079460958&token=TOKEN HTTP/1.0\r\n\r\n",
		"FreeSWITCH, digits only":         "GET /callerid?number=442079460958&token=TOKEN&max=40 HTTP/1.1\r\nHost: h\r\nUser-Agent: freeswitch-cidlookup/1.0\r\nAccept: */*\r\nConnection: close\r\n\r\n",
		"Kamailio, a user's escape":       "GET /callerid?number=%2b442079460958&max=40 HTTP/1.1\r\nHost: h\r\nUser-Agent: kamailio (5.6.3)\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n\r\n",
		"HTTP/1.0 without a Host":         "GET /callerid?number=02079460958&token=TOKEN HTTP/1.0\r\n\r\n",
		"a SIP URI as it is":              "GET /callerid?number=sip:+442079460958@carrier.example;user=phone&token=TOKEN HTTP/1.0\r\n\r\n",
		"a SIP URI with a port, encoded":  "GET /callerid?number=sip%3A%2B442079460958%40192.0.2.1%3A5060%3Buser%3Dphone&token=TOKEN HTTP/1.0\r\n\r\n",
		"a name-addr":                     "GET /callerid?number=%22Room%2012%22%20%3Csip:+442079460958@192.0.2.1%3E&token=TOKEN HTTP/1.0\r\n\r\n",
		"a tel URI":                       "GET /callerid?number=tel:+44-20-7946-0958;ext=&token=TOKEN HTTP/1.0\r\n\r\n",
		"a stray percent sign":            "GET /callerid?prefix=%&number=02079460958&token=TOKEN HTTP/1.0\r\n\r\n",
		"parameters of the system's own":  "GET /callerid?uniqueid=1.2&number=02079460958&token=TOKEN&did=%2B44 HTTP/1.0\r\n\r\n",
		"the number's own spelling, in +": "GET /callerid?number=020+7946+0958&token=TOKEN HTTP/1.0\r\n\r\n",
	} {
		response, err := http.ReadResponse(bufio.NewReader(exchangeWith(t, at, strings.NewReplacer("TOKEN", pbx, "BASIC", base64.StdEncoding.EncodeToString([]byte("pbx:"+pbx))).Replace(request))), nil)
		if err != nil {
			t.Errorf("%s: %v", who, err)
			continue
		}
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusOK || string(body) != "Jane Doe (Example Ltd)" {
			t.Errorf("%s: %s %q", who, response.Status, body)
		}
	}
}

// What cannot be answered below /callerid is not a page, and no redirect that repeats the token.
func TestNothingBelowCallerIDIsAPageOrARedirect(t *testing.T) {
	f := newFixture(t, func(o *web.HandlerOptions) {
		o.Console = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/sign-in?next="+r.URL.RequestURI(), http.StatusSeeOther)
		})
	})
	for _, path := range []string{"/callerid/", "/callerid/02079460958", "/callerid/../callerid/x", "//callerid/x", "/CALLERID/x/y", "/callerid/%2e%2e/x", "/callerid;x/y"} {
		for _, method := range []string{"GET", "POST", "HEAD"} {
			r := f.ask(t, method, path+"?token=wrong-token&number=1", "", "")
			if r.status < 400 || r.status >= 500 || r.body != "" || r.header.Get("Location") != "" {
				t.Errorf("%s %s: %d %q %q", method, path, r.status, r.header.Get("Location"), r.body)
			}
			if ways := r.header.Values("WWW-Authenticate"); r.status == http.StatusUnauthorized && len(ways) != 2 {
				t.Errorf("%s: %q", path, ways)
			}
		}
	}
}

// exchangeWith sends a request as it is written, and returns what comes back.
func exchangeWith(t *testing.T, address, request string) io.Reader {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(answer)
}

// A slowStore answers lookups when it is told to.
type slowStore struct {
	directory.Store
	release chan struct{}
}

func (s slowStore) ByE164(context.Context, string, []string, int) ([]directory.Match, error) {
	<-s.release
	return nil, nil
}

func TestCallerIDIsEmptyWhenTheTimeIsUp(t *testing.T) {
	f := newFixture(t)
	pbx := f.token(t, "acme", registry.ScopeCallers)
	slow := slowStore{Store: f.store, release: make(chan struct{})}
	late := hub.New(f.hub.Registry, slow)
	server := httptest.NewServer(web.Handler(web.HandlerOptions{Hub: late}))
	defer server.Close()
	defer close(slow.release)
	f.server = server
	began := time.Now()
	r := f.ask(t, "GET", "/callerid?number=02079460958", pbx, "")
	if r.status != http.StatusOK || r.body != "" || time.Since(began) < 45*time.Millisecond {
		t.Errorf("%d %q after %v", r.status, r.body, time.Since(began))
	}
	if reason := r.header.Get("X-Contactbridge-Reason"); reason != "too_late" {
		t.Errorf("the reason is %q", reason)
	}
	if r := f.ask(t, "GET", "/metrics", "", ""); !strings.Contains(r.body, `contactbridge_callers_total{result="late"} 1`) {
		t.Error("the late answer is not counted")
	}
}

// An askedStore says that it is asked, and answers when nobody waits any more.
type askedStore struct {
	directory.Store
	asked chan struct{}
}

func (s askedStore) ByE164(ctx context.Context, _ string, _ []string, _ int) ([]directory.Match, error) {
	s.asked <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAnswerThatComesTooLateIsLoggedWithItsAccount(t *testing.T) {
	f := newFixture(t)
	pbx, log := f.token(t, "acme", registry.ScopeCallers), &bytes.Buffer{}
	store := askedStore{Store: f.store, asked: make(chan struct{}, 10)}
	server := httptest.NewServer(web.Handler(web.HandlerOptions{
		Hub: hub.New(f.hub.Registry, store), Logger: slog.New(slog.NewTextHandler(log, nil)), CallerIDWithin: time.Hour,
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/callerid?number=02079460958&token="+pbx, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			err = answer.Body.Close()
		}
		ended <- err
	}()
	<-store.asked
	cancel() // ends the time of the question
	<-ended
	server.Close()
	for _, part := range []string{"route=/callerid", "account=acme", "reason=too_late"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log lacks %s: %s", part, log)
		}
	}
}

// A brokenStore cannot look.
type brokenStore struct{ directory.Store }

func (brokenStore) ByE164(context.Context, string, []string, int) ([]directory.Match, error) {
	return nil, errors.New("the disk is gone")
}

func TestCallerIDThatCannotLookSaysSo(t *testing.T) {
	f := newFixture(t)
	pbx := f.token(t, "acme", registry.ScopeCallers)
	server := httptest.NewServer(web.Handler(web.HandlerOptions{Hub: hub.New(f.hub.Registry, brokenStore{f.store}), CallerIDWithin: time.Minute}))
	defer server.Close()
	f.server = server
	if r := f.ask(t, "GET", "/callerid?number=02079460958", pbx, ""); r.status != http.StatusOK || r.body != "" || r.header.Get("X-Contactbridge-Reason") != "error" {
		t.Errorf("%d %q, the reason is %q", r.status, r.body, r.header.Get("X-Contactbridge-Reason"))
	}
}

// State answers when it is told to.
func (s slowStore) State(context.Context, directory.Key) (directory.State, error) {
	<-s.release
	return directory.State{}, nil
}

func TestAHubWhoseDatabaseHangsIsNotReady(t *testing.T) {
	f := newFixture(t)
	slow := slowStore{Store: f.store, release: make(chan struct{})}
	server := httptest.NewServer(web.Handler(web.HandlerOptions{Hub: hub.New(f.hub.Registry, slow)}))
	defer server.Close()
	client := &http.Client{Timeout: 30 * time.Second}
	response, err := client.Get(server.URL + "/readyz")
	if err != nil {
		close(slow.release)
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("it hangs: %s", response.Status)
	}
	close(slow.release)
	if response, err = client.Get(server.URL + "/readyz"); err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("it answers again: %s", response.Status)
	}
}

func TestMetricsOfAHubWithoutItsDatabaseGoOnFromTheLastTime(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	f := newFixture(t, func(o *web.HandlerOptions) {
		o.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	pass(time.Minute)
	f.ask(t, "GET", "/metrics", "", "")
	if err := f.hub.Registry.Close(); err != nil {
		t.Fatal(err)
	}
	pass(time.Hour)
	for range 3 { // several servers scrape: a database that hangs is not waited for by each
		r := f.ask(t, "GET", "/metrics", "", "")
		fresh := regexp.MustCompile(`contactbridge_integration_freshness_seconds\{account="acme",integration="crm"\} (36\d\d)`)
		if !fresh.MatchString(r.body) || !strings.Contains(r.body, "contactbridge_registry_read_failed 1") {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if n := strings.Count(f.log.String(), "metrics: read the registry"); n != 1 {
		t.Errorf("it asked the database %d times", n)
	}
}

func TestMetricsSayHowFreshEverythingIs(t *testing.T) {
	f := newFixture(t)
	f.ask(t, "GET", "/api/v1/callers/02079460958?account=acme", f.admin, "")
	f.ask(t, "BREW", "/api/v1/callers/02079460958?account=acme", f.admin, "")
	r := f.ask(t, "GET", "/metrics", "", "")
	for _, part := range []string{
		`contactbridge_integration_freshness_seconds{account="acme",integration="crm"} `,
		`contactbridge_integration_health{account="acme",health="ok",integration="crm"} 1`,
		`contactbridge_integration_due_lateness_seconds{account="acme",integration="crm"} 0`,
		`contactbridge_integrations{health="ok"} 1`, `contactbridge_runs_waiting 0`,
		`contactbridge_http_requests_total{method="GET",route="/api/v1/callers/{number}",status="200"} 1`,
		`contactbridge_http_requests_total{method="other"`,
		`contactbridge_callers_total{result="match"} 1`, `contactbridge_build_info{`,
		`contactbridge_runs_total{kind="initial",state="done"} 1`, `contactbridge_run_contacts_total{change="created"} 6`,
	} {
		if !strings.Contains(r.body, part) {
			t.Errorf("there is no %s", part)
		}
	}
	if strings.Contains(r.body, "2079460958") {
		t.Error("the metrics hold a number")
	}
}

func TestManyIntegrationsDoNotMakeManySeries(t *testing.T) {
	f := newFixture(t, func(o *web.HandlerOptions) { o.MostSeries = 1 })
	err := f.hub.AddIntegration(t.Context(), registry.Integration{
		Key: directory.Key{Account: "acme", Integration: "new"}, Bridge: f.bridge, Schedule: registry.Schedule{Off: true},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := f.ask(t, "GET", "/metrics", "", "")
	if n := strings.Count(r.body, "contactbridge_integration_health{"); n != 1 {
		t.Errorf("%d series", n)
	}
	if !strings.Contains(r.body, "contactbridge_integrations_without_series 1\n") || !strings.Contains(r.body, `health="new",integration="new"`) {
		t.Error("the one that fares worst does not come first, or the others are not counted")
	}
}

func TestMetricsAreForThisMachineAndAdministrators(t *testing.T) {
	f := newFixture(t)
	handler := web.Handler(web.HandlerOptions{Hub: f.hub})
	host := "127.0.0.1:8090"
	get := func(remote, forwarded, token string) int {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.RemoteAddr, r.Host = remote, host
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	if status := get("127.0.0.1:1", "", ""); status != http.StatusOK {
		t.Errorf("this machine: %d", status)
	}
	for _, from := range [][2]string{{"192.0.2.1:1", ""}, {"127.0.0.1:1", "192.0.2.1"}} {
		if status := get(from[0], from[1], "wrong"); status != http.StatusUnauthorized {
			t.Errorf("%v: %d", from, status)
		}
		if status := get(from[0], from[1], f.token(t, "acme", registry.ScopeRead)); status != http.StatusForbidden {
			t.Errorf("%v with a reader's token: %d", from, status)
		}
		if status := get(from[0], from[1], f.admin); status != http.StatusOK {
			t.Errorf("%v with an administrator's token: %d", from, status)
		}
	}
	for _, from := range []string{"@", "", "/run/hub.sock"} { // a Unix socket is a proxy's, which need not say so
		if status := get(from, "", ""); status != http.StatusUnauthorized {
			t.Errorf("by the Unix socket %q: %d", from, status)
		}
	}
	host = "evil.example" // another page, with a name that suddenly means this machine
	if status := get("127.0.0.1:1", "", ""); status != http.StatusUnauthorized {
		t.Errorf("another name for this machine: %d", status)
	}
	host = "127.0.0.1:8090"
	handler = web.Handler(web.HandlerOptions{Hub: f.hub, Metrics: "token"})
	if without, with := get("127.0.0.1:1", "", ""), get("127.0.0.1:1", "", f.admin); without != http.StatusUnauthorized || with != http.StatusOK {
		t.Errorf("where a token is always asked for: %d without, %d with one", without, with)
	}
	handler = web.Handler(web.HandlerOptions{Hub: f.hub, Metrics: "off"})
	if status := get("127.0.0.1:1", "", f.admin); status != http.StatusNotFound {
		t.Errorf("without any: %d", status)
	}
}

func TestOAuthEndsInAPlainWord(t *testing.T) {
	f := newFixture(t)
	for _, query := range []string{"", "?error=access_denied&state=x", "?state=made-up&code=x", "?error=%3Cscript%3E"} {
		r := f.ask(t, "GET", "/oauth/callback"+query, "", "")
		if r.status != http.StatusBadRequest || !strings.HasPrefix(r.header.Get("Content-Type"), "text/plain") || strings.Contains(r.body, "<") {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
}

// listen opens an event stream and returns what reads its next event's fields.
func (f *fixture) listen(t *testing.T, path, token, last string) (next func() map[string]string, end func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", answer.StatusCode, answer.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(answer.Body)
	next = func() map[string]string {
		event := map[string]string{}
		for lines.Scan() {
			name, value, found := strings.Cut(lines.Text(), ": ")
			switch {
			case lines.Text() == "" && len(event) > 0:
				return event
			case found && name != "":
				event[name] = value
			}
		}
		return nil
	}
	return next, func() { cancel(); answer.Body.Close() }
}

// reject does a run of the integration shop that could not take contacts with these ids.
func (f *fixture) reject(t *testing.T, ids ...string) {
	t.Helper()
	ctx := context.Background()
	run, err := f.store.StartRun(ctx, directory.Key{Account: "acme", Integration: "shop"}, directory.Start{Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	page := directory.PageChanges{Seq: 1, Checkpoint: run.Since}
	for _, id := range ids {
		page.Rejected = append(page.Rejected, directory.Rejected{ID: id, Reason: "The contact has no name."})
	}
	if err := f.store.ApplyPage(ctx, run, page); err != nil {
		t.Fatal(err)
	}
}

func TestRejectedContactsAreReadInPages(t *testing.T) {
	f, c := newFixture(t), newContract(t)
	shop := registry.Integration{Key: directory.Key{Account: "acme", Integration: "shop"}, Bridge: f.bridge, Paused: true} // no worker runs it besides
	if err := f.hub.AddIntegration(context.Background(), shop, map[string]string{"username": "agent", "password": "s3cret"}); err != nil {
		t.Fatal(err)
	}
	f.reject(t, "a", "b", "c", "", "e")
	read, question := "", "/api/v1/integrations/shop/rejected?account=acme&limit=2"
	for path, pages := question, 0; ; pages++ {
		r := f.ask(t, "GET", path, f.admin, "")
		c.judge(t, c.of("GET", path), r)
		var body struct {
			Rejected []struct {
				Seq        int64
				ID, Reason string
			}
		}
		if err := json.Unmarshal([]byte(r.body), &body); err != nil || r.status != http.StatusOK || len(body.Rejected) > 2 || pages > 5 {
			t.Fatalf("page %d: %d %s, %v", pages, r.status, r.body, err)
		}
		if len(body.Rejected) == 0 {
			break
		}
		for _, one := range body.Rejected {
			read += one.ID + " "
			path = fmt.Sprintf("%s&before=%d", question, one.Seq)
		}
		f.reject(t, "new")
	}
	if read != "e  c b a " {
		t.Errorf("read %q", read)
	}
}

func TestEventsAreToldAsTheyHappenAndFromWhereAReaderStopped(t *testing.T) {
	f := newFixture(t)
	reader := f.token(t, "acme", registry.ScopeRead)
	next, end := f.listen(t, "/api/v1/events/stream", reader, "")
	if r := f.ask(t, "POST", crm+"/run?account=acme", f.admin, ""); r.status != http.StatusAccepted {
		t.Fatal(r.body)
	}
	e := next()
	for e != nil && e["event"] != "run.finished" {
		e = next()
	}
	end()
	var data struct {
		ID      int64
		Account string
		Subject string
	}
	if err := json.Unmarshal([]byte(e["data"]), &data); err != nil || data.Account != "acme" || data.Subject != "crm" {
		t.Fatalf("%v: %v", err, e)
	}
	again, end := f.listen(t, "/api/v1/events/stream", reader, "0")
	defer end()
	first := again()
	for first != nil && first["id"] != e["id"] {
		first = again()
	}
	if first == nil {
		t.Error("a reader that comes back misses an event")
	}
	stranger, end := f.listen(t, "/api/v1/events/stream?after=0", f.token(t, "other", registry.ScopeRead), "")
	defer end()
	if _, err := f.hub.Registry.Account(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	if err := f.hub.Registry.AddEvent(t.Context(), &registry.Event{Kind: "run.finished", Account: "other", Subject: "mine", Data: json.RawMessage(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if e := stranger(); !strings.Contains(e["data"], `"mine"`) {
		t.Errorf("another account's reader is told of %v", e)
	}
}

func TestAStreamEndsWithItsTokenAndWithTheServer(t *testing.T) {
	f := newFixture(t)
	stopping := make(chan struct{})
	short := api.New(api.Options{Hub: f.hub, Heartbeat: 20 * time.Millisecond, Stopping: stopping})
	f.server = httptest.NewServer(short)
	defer f.server.Close()
	token, value, err := f.hub.CreateToken(t.Context(), registry.Token{Name: "reader", Account: "acme", Scopes: []registry.Scope{registry.ScopeRead}}, "")
	if err != nil {
		t.Fatal(err)
	}
	next, end := f.listen(t, "/api/v1/events/stream", value, "")
	defer end()
	if err := f.hub.RemoveToken(t.Context(), token.ID); err != nil {
		t.Fatal(err)
	}
	if e := next(); e != nil {
		t.Errorf("after its token's end it is told %v", e)
	}
	next, end = f.listen(t, "/api/v1/events/stream", f.admin, "")
	defer end()
	close(stopping)
	if e := next(); e != nil {
		t.Errorf("after the server's end it is told %v", e)
	}
}

func TestAPanicIsAnErrorBodyAndALine(t *testing.T) {
	f := newFixture(t, func(o *web.HandlerOptions) {
		o.Console = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("console broke") })
	})
	r := f.ask(t, "GET", "/", "", "")
	if p := r.problem(t); r.status != http.StatusInternalServerError || p.Code != "internal" || strings.Contains(r.body, "broke") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if !strings.Contains(f.log.String(), "console broke") {
		t.Error("the log does not say why")
	}
}

// A source inside the hub is asked where nobody is known, by telephone systems and by programs, and the next run stores whom it has.
func TestASourceIsAskedWhileACallWaits(t *testing.T) {
	f := newFixture(t)
	pbx, writer := f.token(t, "acme", registry.ScopeCallers), f.token(t, "acme", registry.ScopeWrite, registry.ScopeControl, registry.ScopeRead)
	const source = `"source": {"kind": "memory", "contacts": [{"id": "new", "name": "Ada New", "phones": ["020 7946 0777"], "updated": "2026-01-01T00:00:00Z"}]}, "schedule": {"off": true}`
	if r := f.ask(t, "POST", "/api/v1/integrations", writer, `{"name": "bridge", "bridge": "https://bridge.example.com/sync", "ask": true}`); r.status != 422 || !strings.Contains(r.body, `"field":"ask"`) {
		t.Errorf("a bridge is asked: %d %s", r.status, r.body)
	}
	if r := f.ask(t, "POST", "/api/v1/integrations", writer, `{"name": "inside", "ask": true, `+source+`}`); r.status != 201 || !strings.Contains(r.body, `"ask":true`) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	const number = "/callerid?number=%2B442079460777"
	for _, c := range []struct{ path, body, reason string }{
		{number, "", "unknown"},
		{number + "&wait=0s", "", "unknown"},
		{number + "&wait=2s", "Ada New", "live"},
		{number + "&wait=1000h", "Ada New", "live"},
		{"/callerid?number=%2B442079460778&wait=2s", "", "unknown"},
		{"/callerid?number=9460777&wait=2s", "", "invalid"}, // no full number
	} {
		r := f.ask(t, "GET", c.path, pbx, "")
		if r.status != 200 || r.body != c.body || r.header.Get("X-Contactbridge-Reason") != c.reason {
			t.Errorf("%s: %d %q %q", c.path, r.status, r.body, r.header.Get("X-Contactbridge-Reason"))
		}
	}
	r := f.ask(t, "GET", "/api/v1/callers/02079460777?wait=2s&explain=true", pbx, "")
	for _, part := range []string{`"reason":"live"`, `"live":true`, `"asked":[{"integration":"inside","found":1}]`, "its source was asked"} {
		if r.status != 200 || !strings.Contains(r.body, part) {
			t.Errorf("%d, without %s: %s", r.status, part, r.body)
		}
	}
	if r := f.ask(t, "GET", "/api/v1/callers/02079460777?wait=soon", pbx, ""); r.status != 422 || !strings.Contains(r.body, `"field":"wait"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := f.ask(t, "GET", "/api/v1/attributions?integration=inside&number=02079460777", pbx, ""); r.status != 200 || strings.Contains(r.body, "Ada") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := f.ask(t, "PATCH", "/api/v1/integrations/inside", writer, `{"ask": null}`); r.status != 200 || strings.Contains(r.body, `"ask"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := f.ask(t, "GET", number+"&wait=2s", pbx, ""); r.body != "" {
		t.Errorf("it is asked although nothing says so: %q", r.body)
	}
}
