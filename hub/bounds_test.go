package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/priority"
	"github.com/contactbridge/contactbridge/internal/test/memory"
	"github.com/contactbridge/contactbridge/internal/test/pace"
)

// fill stores contacts as one page of a run, past everything that bounds what bridges send: as older versions may have left them.
func fill(t *testing.T, f *fixture, records ...directory.Record) {
	t.Helper()
	run, err := f.Store().StartRun(t.Context(), crmKey, directory.Start{Full: true, Lease: time.Minute})
	must(t, err)
	must(t, f.Store().ApplyPage(t.Context(), run, directory.PageChanges{Seq: 1, Contacts: records, Checkpoint: "c"}))
}

// giant returns a contact with so many numbers and addresses, all of which it shares with every other one.
func giant(id string, size int) directory.Record {
	c := contact.Contact{ID: id, Name: "Giant " + id}
	for i := range size {
		c.Phones = append(c.Phones, fmt.Sprintf("+1415%07d", i))
		c.Emails = append(c.Emails, fmt.Sprintf("giant%d@example.com", i))
	}
	return directory.Record{Contact: c, Numbers: caller.Numbers(c.Phones, "US")}
}

// Contacts that are far beyond the bounds make no question slow: neither the page of such a person, nor a search at that moment.
func TestThePageOfAGiantContactIsBounded(t *testing.T) {
	const size, patience = 100_000, 5 * time.Second
	f := newHub(t)
	must(t, f.AddIntegration(t.Context(), registry.Integration{Key: crmKey, Bridge: "http://127.0.0.1:1/contact_sync", Schedule: registry.Schedule{Off: true}}, good))
	fill(t, f, giant("g", size), giant("h", size), directory.Record{Contact: person(1)})
	asked := make(chan error, 1)
	began := time.Now()
	go func() {
		p, err := f.Person(t.Context(), crmKey, "g")
		if err == nil && (len(p.Others) != 1 || len(p.Others[0].Shares) == 0 || len(p.Others[0].Shares) > 400) {
			err = fmt.Errorf("%d other records", len(p.Others))
		}
		asked <- err
	}()
	if found, err := f.Search(t.Context(), "acme", directory.Query{Text: "person"}); err != nil || len(found) != 1 {
		t.Errorf("search: %d contacts, %v", len(found), err)
	}
	if took := time.Since(began); took > pace.Limit(patience) {
		t.Errorf("the search took %v", took)
	}
	if err := <-asked; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > pace.Limit(patience) {
		t.Errorf("the person took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	began = time.Now()
	if _, err := f.Person(ctx, crmKey, "g"); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
	if took := time.Since(began); took > pace.Limit(time.Second) {
		t.Errorf("a question that was given up took %v", took)
	}
}

// D11: eight bridges that answer with the worst page there is, all at once: the process stays small, and calls are answered.
func TestEightHostilePagesAtOnce(t *testing.T) {
	const size, most = 32 << 20, 768 << 20
	repeated := func(start, piece, end string) []byte {
		return []byte(start + strings.TrimSuffix(strings.Repeat(piece+",", (size-len(start)-len(end))/(len(piece)+1)), ",") + end)
	}
	pages := map[string][]byte{
		"small contacts":    repeated(`{"contacts":[`, `{"id":"17","name":"Al","phones":["+14155550100"]}`, `]}`),
		"emails":            repeated(`{"contacts":[`, `{"id":"1","emails":[`+strings.TrimSuffix(strings.Repeat(`"a",`, 900), ",")+`]}`, `]}`),
		"contacts of an id": repeated(`{"contacts":[`, `{"id":1}`, `]}`),
		"a long text":       []byte(`{"contacts":[{"id":"1","name":"` + strings.Repeat("x", size-100) + `"}]}`),
		"context":           []byte(`{"contacts":[],"context":"` + strings.Repeat("x", size-100) + `"}`),
	}
	for name, body := range pages {
		t.Run(name, func(t *testing.T) {
			f := newHub(t)
			f.Answers = bridge.NewBudget(0)
			f.Options.PerHost, f.Background = 8, priority.Low
			before := debug.SetMemoryLimit(f.Answers.ProcessLimit()) // as package hubserver does
			defer debug.SetMemoryLimit(before)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.Copy(w, bytes.NewReader(body))
			}))
			defer server.Close()
			for i := range 8 {
				key := directory.Key{Account: "acme", Integration: fmt.Sprintf("crm%d", i)}
				must(t, f.AddIntegration(t.Context(), registry.Integration{Key: key, Bridge: server.URL + "/contact_sync", Schedule: registry.Schedule{Every: time.Hour}}, good))
			}
			must(t, f.AddIntegration(t.Context(), registry.Integration{Key: crmKey, Bridge: server.URL, Schedule: registry.Schedule{Off: true}}, good))
			fill(t, f, directory.Record{Contact: person(1), Numbers: caller.Numbers(person(1).Phones, "US")})
			debug.FreeOSMemory()
			peak := memory.Peak(t)
			stop := work(t, f.Hub)
			var took []time.Duration
			for end := time.Now().Add(4 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
				began := time.Now()
				a, err := f.Lookup(t.Context(), "acme", "(415) 555-0001", "", caller.LookupOptions{})
				if err != nil || len(a.Matches) != 1 {
					t.Fatalf("%+v, %v", a, err)
				}
				took = append(took, time.Since(began))
			}
			began := time.Now()
			stop()
			stopped := time.Since(began)
			slices.Sort(took)
			p99 := took[len(took)*99/100]
			t.Logf("at most %d MiB, %d calls, p50 %v, p99 %v, stopped after %v", peak()>>20, len(took), took[len(took)/2], p99, stopped)
			if peak() > most && !raceDetector { // the race detector has a memory of its own
				t.Errorf("the process grew to %d MiB", peak()>>20)
			}
			if p99 > 20*pace.Limit(50*time.Millisecond) { // 50 ms are promised, of a machine that has two processors for it
				t.Errorf("calls were answered after %v", p99)
			}
			if stopped > 5*pace.Limit(time.Second) {
				t.Errorf("stopped after %v", stopped)
			}
		})
	}
}
