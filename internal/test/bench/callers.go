package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	sealing "github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/priority"
	"github.com/contactbridge/contactbridge/web"
)

// account is where `contactbridge sync` puts contacts.
const account = "default"

// fewNumbers is how many numbers are asked for again and again: few enough that a hub remembers them.
const fewNumbers = 2000

// callers measures the callers API: against the same bytes from memory, and beside a running full sync.
func callers(ctx context.Context, l *laboratory) ([]result, error) {
	s, err := l.serve(ctx, l.postgresSource("customers"), "{region: US, format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	path := filepath.Join(l.dir, "callers.db")
	if _, err := l.synchronize(ctx, s.url(), path); err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	numbers := l.knownNumbers(ctx, store)
	if len(numbers) == 0 {
		return nil, errors.New("no number of the sample is found in the directory")
	}
	defer priority.Requests()() // as the hub's process does
	desk, err := openDesk(ctx, l, store)
	if err != nil {
		return nil, err
	}
	defer desk.close()
	results, err := desk.againstMemory(ctx, numbers, l.repeat)
	if err != nil {
		return nil, err
	}
	explained, plain, err := paired(ctx, l.repeat,
		func(context.Context) (float64, error) { return desk.rateOf(numbers, "?explain=true") },
		func(context.Context) (float64, error) { return desk.rate(numbers) })
	if err != nil {
		return nil, err
	}
	results = append(results, result{
		Name: "callers-explain", Value: explained, Limit: plain, Unit: "lookups/s", Target: 0.5,
		against: "GET /api/v1/callers/{number}?explain=true, against the same without an explanation",
	})
	busy, idle, err := desk.besideSync(ctx, s.url(), numbers, l.repeat)
	return append(results, result{
		Name: "callers-busy", Value: busy, Limit: idle, Unit: "ms", Target: 3.5, atMost: true,
		against: "99th percentile of the callers API, 200 requests a second, while the same process fills another integration, against an idle hub",
	}), err
}

// againstMemory measures how many look-ups are answered a second, for numbers that were not asked for lately and for such that were,
// against a handler that has the same answers in memory.
func (d *desk) againstMemory(ctx context.Context, numbers []string, repeat int) ([]result, error) {
	memory := &desk{endWork: func() {}, token: d.token}
	defer memory.close()
	if err := d.copyInto(memory, numbers); err != nil {
		return nil, err
	}
	var slowest []float64
	first, limit, err := paired(ctx, repeat,
		func(context.Context) (float64, error) {
			p99, rate, err := d.percentileOf(numbers)
			slowest = append(slowest, p99)
			return rate, err
		},
		func(context.Context) (float64, error) { return memory.rate(numbers) })
	if err != nil {
		return nil, err
	}
	few := slices.Repeat(numbers[:min(len(numbers), fewNumbers)], max(1, len(numbers)/fewNumbers))
	again, limitAgain, err := paired(ctx, repeat,
		func(context.Context) (float64, error) { return d.rate(few) },
		func(context.Context) (float64, error) { return memory.rate(few) })
	const what = "GET /api/v1/callers/{number}, one connection, one request after the other"
	return []result{
		{
			Name: "callers-http", Value: again, Limit: limitAgain, Unit: "lookups/s", Target: 0.6,
			against: fmt.Sprintf("%s, %d numbers again and again, against a net/http handler that answers the same bytes from memory", what, min(len(numbers), fewNumbers)),
		},
		{
			Name: "callers-first", Value: first, Limit: limit, Unit: "lookups/s", Target: 0.35,
			against: fmt.Sprintf("the same for %d numbers, none of which was asked for lately", len(numbers)),
		},
		{
			Name: "callers-p99", Value: median(slowest), Limit: 2, Unit: "ms", Target: 1, atMost: true,
			against: "99th percentile of callers-first",
		},
	}, err
}

// copyInto starts a server that answers from memory what this desk answers, with the same headers.
func (d *desk) copyInto(memory *desk, numbers []string) error {
	bodies, header := map[string][]byte{}, http.Header{}
	for i, n := range numbers {
		path := "/api/v1/callers/" + url.PathEscape(n)
		r, err := http.NewRequest(http.MethodGet, d.server.URL+path, http.NoBody)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+d.token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return err
		}
		bodies[r.URL.Path] = body
		if i == 0 {
			header = response.Header
			header.Del("Date") // the server's own
			header.Del("Content-Length")
		}
	}
	memory.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, known := bodies[r.URL.Path]
		if !known {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		for name, values := range header {
			h[name] = values
		}
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
		_, _ = w.Write(body)
	}))
	return memory.dial()
}

// A desk is a hub in this process, or another server that answers as one, and one client of it.
type desk struct {
	hub      *hub.Hub
	registry *registry.DB
	server   *httptest.Server
	log      *os.File
	conn     net.Conn
	reader   *bufio.Reader
	token    string
	endWork  func()
}

func openDesk(ctx context.Context, l *laboratory, store directory.Store) (_ *desk, err error) {
	ring, err := sealing.Parse(sealing.NewKey(), "bench")
	if err != nil {
		return nil, err
	}
	d := &desk{endWork: func() {}}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.registry, err = registry.Open(ctx, filepath.Join(l.dir, "hub.db"), registry.OpenOptions{Seal: ring}); err != nil {
		return nil, err
	}
	d.hub = hub.New(d.registry, store)
	d.hub.Outbound, d.hub.Background = http.DefaultTransport, priority.Low
	if err := d.hub.PutAccount(ctx, registry.Account{Name: account, Region: "US"}); err != nil {
		return nil, err
	}
	if _, d.token, err = d.hub.CreateToken(ctx, registry.Token{Name: "pbx", Account: account, Scopes: []registry.Scope{registry.ScopeCallers}}, ""); err != nil {
		return nil, err
	}
	// A hub writes a line about each request. Where it goes to costs nothing here, but writing it does.
	if d.log, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil {
		return nil, err
	}
	d.server = httptest.NewServer(web.Handler(web.HandlerOptions{Hub: d.hub, Logger: slog.New(slog.NewTextHandler(d.log, nil))}))
	return d, d.dial()
}

// dial opens the connection that all requests go over.
func (d *desk) dial() (err error) {
	if d.conn, err = net.Dial("tcp", d.server.Listener.Addr().String()); err == nil {
		d.reader = bufio.NewReader(d.conn)
	}
	return err
}

func (d *desk) close() {
	d.endWork()
	if d.conn != nil {
		_ = d.conn.Close()
	}
	if d.server != nil {
		d.server.Close()
	}
	if d.log != nil {
		_ = d.log.Close()
	}
	if d.registry != nil {
		_ = d.registry.Close()
	}
}

// rate is how many lookups a second one client gets answered.
func (d *desk) rate(numbers []string) (float64, error) { return d.rateOf(numbers, "") }

// rateOf is the same with a query.
func (d *desk) rateOf(numbers []string, query string) (float64, error) {
	started := time.Now()
	for _, n := range numbers {
		if err := d.ask(n, query); err != nil {
			return 0, err
		}
	}
	return float64(len(numbers)) / time.Since(started).Seconds(), nil
}

// percentileOf is the 99th percentile of one lookup after the other, in milliseconds, and how many were answered a second.
func (d *desk) percentileOf(numbers []string) (p99, rate float64, err error) {
	took := make([]time.Duration, len(numbers))
	started := time.Now()
	for i, n := range numbers {
		asked := time.Now()
		if err := d.ask(n, ""); err != nil {
			return 0, 0, err
		}
		took[i] = time.Since(asked)
	}
	all := time.Since(started)
	slices.Sort(took)
	return milliseconds(took[len(took)*99/100]), float64(len(numbers)) / all.Seconds(), nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// ask sends one request over the connection that stays open, as plainly as HTTP can be spoken: it is the server that is
// measured.
func (d *desk) ask(number, query string) error {
	request := "GET /api/v1/callers/" + url.PathEscape(number) + query + " HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer " + d.token + "\r\n\r\n"
	if _, err := io.WriteString(d.conn, request); err != nil {
		return err
	}
	status, err := d.reader.ReadString('\n')
	if err != nil || !strings.Contains(status, " 200 ") {
		return fmt.Errorf("%s: %s (%w)", number, status, err)
	}
	length := 0
	for {
		line, err := d.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if rest, found := strings.CutPrefix(string(line), "Content-Length: "); found {
			length, _ = strconv.Atoi(strings.TrimSpace(rest))
		}
	}
	body, err := d.reader.Peek(length)
	if err != nil || !strings.Contains(string(body), `"name"`) {
		return fmt.Errorf("%s has no name: %s (%w)", number, body, err)
	}
	_, err = d.reader.Discard(length)
	return err
}

const (
	askEvery = 5 * time.Millisecond
	leastAsk = 1000 // for a percentile
)

// besideSync is the 99th percentile, in milliseconds, of lookups beside a run and without one.
func (d *desk) besideSync(ctx context.Context, bridge string, numbers []string, repeat int) (busy, idle float64, err error) {
	work, end := context.WithCancel(ctx)
	var working sync.WaitGroup
	working.Go(func() {
		if err := d.hub.Work(work); err != nil && work.Err() == nil {
			fmt.Fprintln(os.Stderr, "bench: the hub stopped working:", err)
		}
	})
	d.endWork = func() { end(); working.Wait() }
	key := directory.Key{Account: account, Integration: "another"}
	return paired(ctx, repeat,
		func(ctx context.Context) (float64, error) {
			err := d.hub.AddIntegration(ctx, registry.Integration{Key: key, Bridge: bridge, Schedule: registry.Schedule{Off: true}},
				map[string]string{"username": "agent", "password": secret})
			if err == nil {
				err = d.hub.Ask(ctx, key, registry.Ask{Run: true})
			}
			if err == nil {
				err = d.untilRunning(ctx)
			}
			if err != nil {
				return 0, err
			}
			p99, err := d.percentile(numbers, func(asked int) bool { return len(d.hub.Running()) > 0 })
			for err == nil && len(d.hub.Running()) > 0 {
				time.Sleep(askEvery)
			}
			return p99, errors.Join(err, d.forget(ctx, key))
		},
		func(context.Context) (float64, error) {
			return d.percentile(numbers, func(asked int) bool { return asked < leastAsk })
		})
}

// forget removes an integration as soon as its run has been given back.
func (d *desk) forget(ctx context.Context, key directory.Key) (err error) {
	for range 200 {
		if err = d.hub.RemoveIntegration(ctx, key); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

func (d *desk) untilRunning(ctx context.Context) error {
	for range 2000 {
		if len(d.hub.Running()) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askEvery):
		}
	}
	return errors.New("the run did not start")
}

func (d *desk) percentile(numbers []string, more func(asked int) bool) (float64, error) {
	return percentile(more, func(i int) error { return d.ask(numbers[i%len(numbers)], "") })
}

// percentile asks at a steady rate while more says so, and returns the 99th percentile in milliseconds. A question that an answer before it
// held up counts from when it should have been asked; one that only this client's timer held up counts from when it was: the limit would
// be worth less if the timer's lateness stood on both sides.
func percentile(more func(asked int) bool, ask func(i int) error) (float64, error) {
	var took []time.Duration
	started := time.Now()
	for i := 0; more(i); i++ {
		asked := started.Add(time.Duration(i) * askEvery)
		if wait := time.Until(asked); wait > 0 {
			time.Sleep(wait)
			asked = time.Now()
		}
		if err := ask(i); err != nil {
			return 0, err
		}
		took = append(took, time.Since(asked))
	}
	if len(took) == 0 {
		return 0, errors.New("the run was over before anyone was asked for")
	}
	slices.Sort(took)
	return milliseconds(took[len(took)*99/100]), nil
}
