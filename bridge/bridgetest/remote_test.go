package bridgetest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/bridge/bridgetest/faultybridge"
)

// result returns the findings of a case.
func result(t *testing.T, report bridgetest.Report, id string) bridgetest.Result {
	t.Helper()
	for _, r := range report.Results {
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("there is no case %s", id)
	return bridgetest.Result{}
}

// fails demands that one case of grade must failed, with a message that holds a text.
func fails(t *testing.T, report bridgetest.Report, id, text string) {
	t.Helper()
	failed := report.Failed(bridgetest.Must)
	if len(failed) != 1 || failed[0].ID != id || !strings.Contains(failed[0].Findings[0].Message, text) {
		t.Errorf("%+v, want %s: %s", failed, id, text)
	}
}

func TestUnreachableBridges(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	report := check(t, bridgetest.Target{URL: server.URL + "/contact_sync"}, quick())
	fails(t, report, "reachable", "refused")
	if report.Counts.Skipped < 60 {
		t.Errorf("%+v: most cases cannot have been judged", report.Counts)
	}
}

func TestBridgesThatRefuseTheFirstRequest(t *testing.T) {
	target := serve(t, faultybridge.New(contacts, 10, faultybridge.None))
	wrongPassword, wrongPath := target, target
	wrongPassword.Auth = map[string]string{"username": "agent", "password": "of somebody else"}
	wrongPath.URL += "s"
	fails(t, check(t, wrongPassword, quick()), "first-page", "401")
	fails(t, check(t, wrongPath, quick()), "first-page", "404")
	elsewhere := httptest.NewServer(http.RedirectHandler("https://elsewhere.example.com/contact_sync?token=x", http.StatusTemporaryRedirect))
	defer elsewhere.Close()
	fails(t, check(t, bridgetest.Target{URL: elsewhere.URL, Auth: target.Auth}, quick()), "first-page", "points to https://elsewhere.example.com")
}

// A bridge whose first page takes time is asked again when it says; one that stays busy is not waited for without an end.
func TestBridgesThatAreBusy(t *testing.T) {
	behind := serve(t, faultybridge.New(contacts, 10, faultybridge.None))
	at, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: at.Scheme, Host: at.Host})
	var refused atomic.Int32
	var most int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/contact_sync") && refused.Add(1) <= most {
			w.Header().Set("Retry-After", "1")
			bridge.WriteError(w, r, &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "being read", RetryAfter: time.Second})
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer server.Close()
	target := behind
	target.URL = server.URL + at.Path
	most = 6 // more seconds than the longest wait used to be
	if report := check(t, target, quick()); !report.Strict {
		t.Errorf("busy at first: %+v", report.Failed(bridgetest.Must))
	}
	refused.Store(0)
	most = 1 << 30
	impatient := quick()
	impatient.Patience = 2 * time.Second
	fails(t, check(t, target, impatient), "first-page", "503")
	if n := refused.Load(); n > 100 {
		t.Errorf("%d requests", n)
	}
}

func TestContactsThatAreMissing(t *testing.T) {
	target := serve(t, faultybridge.New(contacts, 10, faultybridge.None))
	target.Contacts = contacts + 1
	fails(t, check(t, target, quick()), "contact-count", "there are 96")
}

// detour sends requests for any host to one server, and counts what comes back.
type detour struct {
	to   *url.URL
	back atomic.Int64
}

func (d *detour) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = d.to.Scheme, d.to.Host
	response, err := http.DefaultTransport.(*http.Transport).RoundTrip(r)
	if err == nil {
		response.Body = &counted{response.Body, &d.back}
	}
	return response, err
}

type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func newDetour(t *testing.T, target bridgetest.Target) *detour {
	t.Helper()
	u, err := url.Parse(target.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &detour{to: u}
}

func TestRemoteBridgesNeedHTTPS(t *testing.T) {
	target := serve(t, faultybridge.New(contacts, 10, faultybridge.None))
	options := quick()
	options.Transport = newDetour(t, target)
	target.URL = "http://bridge.example.com/contact_sync"
	fails(t, check(t, target, options), "https", "unencrypted to bridge.example.com")
}

func TestACertificateIsOnlyReportedOnLoopback(t *testing.T) {
	server := httptest.NewTLSServer(faultybridge.New(contacts, 10, faultybridge.None))
	defer server.Close()
	report := check(t, bridgetest.Target{URL: server.URL + "/contact_sync", Auth: faultybridge.Auth()}, quick())
	if r := result(t, report, "certificate"); !report.Strict || r.Outcome != bridgetest.Passed || !strings.Contains(r.Detail, "not trusted") {
		t.Errorf("strict %v, %+v", report.Strict, r)
	}
}

// A check reads no more than three times what a plain full run does, however the bridge cuts its pages.
func TestACheckReadsLittleMoreThanAFullRun(t *testing.T) {
	const many = 40_000
	for _, size := range []int{500, many} {
		target := serve(t, faultybridge.New(many, size, faultybridge.None))
		target.Mutate = nil
		options := quick()
		counter := newDetour(t, target)
		options.Transport = counter
		report := check(t, target, options)
		if read := counter.back.Load(); read > 3*report.Run.Bytes || !report.Run.Complete {
			t.Errorf("pages of %d: %d bytes were read for a run of %+v", size, read, report.Run)
		}
	}
}
