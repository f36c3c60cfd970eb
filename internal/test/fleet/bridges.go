package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source/memory"
)

// bridges are many small bridges at one listener. They watch how they are asked.
type bridges struct {
	list    []*watched
	server  *http.Server
	url     string
	latency time.Duration // of an answer, on average
}

// A watched bridge knows when its runs began, and whether two requests ever were under way at once: a synchronizer asks for
// one page at a time, so two would be two runs that overlap.
type watched struct {
	store   *memory.Store
	handler *bridge.Handler

	mu       sync.Mutex
	versions map[string]int // of each contact
	busy     int
	overlaps int
	started  time.Time   // of the run under way: the last request for a first page
	runs     []time.Time // when complete runs had begun
	ends     []time.Time // and when they had been answered to the end
}

// startBridges makes the bridges, each with some contacts.
func startBridges(o options) (*bridges, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &bridges{url: "http://" + l.Addr().String(), latency: o.latency}
	for i := range o.integrations {
		w := &watched{store: memory.NewStore(nil), versions: map[string]int{}}
		w.handler = &bridge.Handler{
			Open:         w.store.Factory().Open,
			Authenticate: bridge.RequireAuth(bridge.Auth{"username": "agent", "password": password(i)}),
			Digest:       "memory", Limits: bridge.Limits{Contacts: 25}, // more than one page for an initial run
		}
		w.handler.Observe = w.observe
		for n := range o.contacts {
			w.put(i, n)
		}
		b.list = append(b.list, w)
	}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = b.server.Serve(l) }()
	return b, nil
}

// password is a bridge's own, so that credentials that were mixed up would be noticed.
func password(i int) string { return fmt.Sprintf("s3cret-%d", i) }

func name(i int) string { return fmt.Sprintf("bridge%05d", i) }

// put writes the next version of a contact.
func (w *watched) put(i, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := strconv.Itoa(n)
	w.versions[id]++
	w.store.Put(contact.Contact{
		ID: id, Name: fmt.Sprintf("Person %d of %s", n, name(i)), Title: strconv.Itoa(w.versions[id]),
		Phones: []string{fmt.Sprintf("+1415555%04d", n)}, Emails: []string{fmt.Sprintf("p%d@%s.example.com", n, name(i))},
	})
}

// ServeHTTP answers /bridge00042/contact_sync.
func (b *bridges) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(strings.TrimPrefix(strings.Split(r.URL.Path, "/")[1], "bridge"))
	if err != nil || n < 0 || n >= len(b.list) {
		http.NotFound(rw, r)
		return
	}
	w := b.list[n]
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 1<<20))
	if err != nil {
		return
	}
	w.enter(!strings.Contains(string(body), `"offset":"`))
	defer w.leave()
	if !b.dawdle(r.Context()) {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	w.handler.ServeHTTP(rw, r)
}

// dawdle takes its time, as external services do, and reports whether the client still waits.
func (b *bridges) dawdle(ctx context.Context) bool {
	if b.latency > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(rand.N(2 * b.latency)):
		}
	}
	return ctx.Err() == nil
}

func (w *watched) enter(first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy++; w.busy > 1 {
		w.overlaps++
	}
	if first {
		w.started = time.Now()
	}
}

// observe notes the end of a run: one that was killed halfway does not count.
func (w *watched) observe(o bridge.Observation) {
	if o.Cut != bridge.CutEnd || o.Status != http.StatusOK {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs, w.ends = append(w.runs, w.started), append(w.ends, time.Now())
}

func (w *watched) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
}

// change goes on changing contacts until ctx is done: some integrations every second.
func (b *bridges) change(ctx context.Context, o options) {
	random := rand.New(rand.NewPCG(o.seed, 1))
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for len(b.list) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for range max(1, len(b.list)/100) {
			i := random.IntN(len(b.list))
			b.list[i].put(i, random.IntN(o.contacts+20)) // sometimes a new one
		}
	}
}

// complete counts the complete runs that each bridge has seen: the least, and all.
func (b *bridges) complete() (least, all int) {
	least = int(^uint(0) >> 1)
	for _, w := range b.list {
		w.mu.Lock()
		least, all = min(least, len(w.ends)), all+len(w.ends)
		w.mu.Unlock()
	}
	return least, all
}

// overlaps counts requests that came while another one of the same bridge was under way.
func (b *bridges) overlaps() (n int) {
	for _, w := range b.list {
		w.mu.Lock()
		n += w.overlaps
		w.mu.Unlock()
	}
	return n
}

// lateness is, for every complete run since a time and for the end, how much longer than the schedule its end was after the
// one before.
func (b *bridges) lateness(since, end time.Time, every time.Duration) (late []time.Duration) {
	for _, w := range b.list {
		w.mu.Lock()
		before := since
		for _, at := range w.ends {
			if at.After(since) {
				late = append(late, max(0, at.Sub(before)-every))
				before = at
			}
		}
		if open := end.Sub(before) - every; open > 0 { // one that should have come by now
			late = append(late, open)
		}
		w.mu.Unlock()
	}
	return late
}
