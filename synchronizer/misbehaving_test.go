package synchronizer_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/synchronizer"
)

type misbehaviour struct {
	name    string
	answer  func(w http.ResponseWriter, r *http.Request) // the second page
	code    bridge.Code
	message string // part of it
	retried bool   // asking again may help, so it is done
}

// misbehaviours are bridges with a good first page and a bad second one. What the first page brought stays, and the
// error names the cause and what to do.
var misbehaviours = []misbehaviour{
	{
		name:   "wrong JSON",
		answer: write("application/json", `{"contacts": [{"id": 1, "name": "A",}]}`),
		code:   bridge.CodeBadAnswer, message: "not valid JSON",
	},
	{
		name:   "JSON of another kind",
		answer: write("application/json", `{"users": [{"id": 1}]}`),
		code:   bridge.CodeBadAnswer, message: "no contacts",
	},
	{
		name:   "contacts is not an array",
		answer: write("application/json", `{"contacts": {"1": {"id": 1}}}`),
		code:   bridge.CodeBadAnswer, message: "contacts is",
	},
	{
		name:   "HTML with 200",
		answer: write("text/html", `<!DOCTYPE html><html><title>Sign in</title></html>`),
		code:   bridge.CodeBadAnswer, message: "HTML page",
	},
	{
		name:   "HTML that claims to be JSON",
		answer: write("application/json", `<html><title>Bad gateway</title></html>`),
		code:   bridge.CodeBadAnswer, message: "HTML page",
	},
	{
		name:   "an empty body",
		answer: write("application/json", ""),
		code:   bridge.CodeBadAnswer, message: "empty",
	},
	{
		name:   "an error with 200",
		answer: write("application/json", `{"error": "database is down", "contacts": []}`),
		code:   bridge.CodeBadAnswer, message: "database is down",
	},
	{
		name:    "always 500",
		answer:  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "boom", http.StatusInternalServerError) },
		code:    bridge.CodeInternal,
		message: "500", retried: true,
	},
	{
		name:    "always 503",
		answer:  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		code:    bridge.CodeSourceUnavailable,
		message: "503", retried: true,
	},
	{
		name: "too many requests, and a pause longer than there is time",
		answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		code: bridge.CodeRateLimited, message: "429",
	},
	{
		name:    "slower than the time limit",
		answer:  wait,
		code:    bridge.CodeTimeout,
		message: "no complete answer", retried: true,
	},
	{
		name:    "a body that never ends",
		answer:  drip,
		code:    bridge.CodeTimeout,
		message: "no complete answer", retried: true,
	},
	{
		name: "a huge body",
		answer: func(w http.ResponseWriter, _ *http.Request) {
			filler := bytes.Repeat([]byte(" "), 1<<20)
			for range 100 {
				if _, err := w.Write(filler); err != nil {
					return
				}
			}
		},
		code: bridge.CodeAnswerTooBig, message: "larger than",
	},
	{
		name: "a truncated body",
		answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"contacts": [{"id": "2", "na`)
		},
		code: bridge.CodeUnreachable, message: "broke off", retried: true,
	},
	{
		name:   "JSON that breaks off",
		answer: write("application/json", `{"contacts": [{"id": "2", "na`),
		code:   bridge.CodeUnreachable, message: "breaks off", retried: true,
	},
	{
		name:    "a connection that breaks",
		answer:  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		code:    bridge.CodeUnreachable,
		message: "", retried: true,
	},
	{
		name: "a redirect",
		answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://login.test/", http.StatusFound)
		},
		code: bridge.CodeRedirected, message: "login.test",
	},
	{
		name:   "a path that is gone",
		answer: http.NotFound,
		code:   bridge.CodeNotFound, message: "404",
	},
	{
		name:   "credentials that expired",
		answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		code:   bridge.CodeUnauthorized, message: "401",
	},
	{
		name:   "the same offset again",
		answer: write("application/json", page("2", "", "", "x")),
		code:   bridge.CodeLoop, message: `offset "2"`,
	},
}

func write(contentType, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		io.WriteString(w, body)
	}
}

// wait answers when nobody listens any more.
func wait(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) // only then does the server notice that its caller has gone
	<-r.Context().Done()
}

// drip sends a byte now and then, as long as a user listens.
func drip(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	io.WriteString(w, `{"contacts": [`)
	for r.Context().Err() == nil {
		io.WriteString(w, " ")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(time.Second):
		}
	}
}

// firstPageOnly answers the first page well and the rest with answer. It counts the latter.
func firstPageOnly(answer func(http.ResponseWriter, *http.Request), bad *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && strings.Contains(string(body), `"offset":null`) {
			io.WriteString(w, page("2", "", "", "1"))
			return
		}
		bad.Add(1)
		answer(w, r)
	})
}

func TestMisbehavingBridgeIsNamedAndWhatWasStoredIsKept(t *testing.T) {
	for _, m := range misbehaviours {
		t.Run(m.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { misbehave(t, m) })
		})
	}
}

func misbehave(t *testing.T, m misbehaviour) {
	var requests atomic.Int64
	client := servePiped(t, firstPageOnly(m.answer, &requests))
	client.MaxBody = 1 << 20
	store := openStore(t)
	report, err := (&synchronizer.Synchronizer{Bridge: client, Store: store}).Run(t.Context(), key, synchronizer.Options{})
	if err == nil {
		t.Fatal("the run succeeded")
	}
	if report.Error == nil || report.Error.Code != m.code || !strings.Contains(report.Error.Message, m.message) {
		t.Errorf("error %+v, want %s with %q", report.Error, m.code, m.message)
	}
	if hint := failure.Of(err).Hint; len(hint) < 20 {
		t.Errorf("hint %q says little", hint)
	}
	want := 1
	if m.retried {
		want = 6
	}
	if n := int(requests.Load()); n != want || report.Retries != want-1 {
		t.Errorf("%d requests for the page and %d retries reported, want %d requests", n, report.Retries, want)
	}
	if n := stored(t, store); n != 1 || report.Contacts != 1 {
		t.Errorf("%d contacts kept, %d reported, want 1", n, report.Contacts)
	}
}

// An empty or failed answer is never taken for "no contacts" (T11): no contact is deleted.
func TestMisbehavingBridgeDeletesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t)
		mustRun(t, synchronizer.Synchronizer{Bridge: connect(handler(people(12), 100)), Store: store}, synchronizer.Options{})
		opts := synchronizer.Options{Full: true, Guard: directory.Guard{Share: 1, Min: 1000}}
		for _, m := range misbehaviours {
			s := synchronizer.Synchronizer{Bridge: servePiped(t, http.HandlerFunc(m.answer)), Store: store}
			if _, err := s.Run(t.Context(), key, opts); err == nil {
				t.Errorf("%s: the run succeeded", m.name)
			}
			if n := stored(t, store); n < 12 {
				t.Errorf("%s: %d of 12 contacts are left", m.name, n)
			}
		}
	})
}

func TestPassingTroubleIsSatOut(t *testing.T) {
	troubles := []func(http.ResponseWriter){
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) },
		func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter) { io.WriteString(w, `{"contacts":[{"id":"9"`) },
	}
	good := handler(people(25), 10)
	var requests atomic.Int64
	client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := int(requests.Add(1)); n%3 != 0 {
			troubles[n%len(troubles)](w)
			return
		}
		good.ServeHTTP(w, r)
	}))
	store, events := openStore(t), &recorder{}
	report := mustRun(t, synchronizer.Synchronizer{Bridge: client, Store: store, Progress: events.record}, quick)
	if report.Retries != 6 || events.count(synchronizer.Retrying) != 6 || stored(t, store) != 25 {
		t.Errorf("report %+v, %d stored", report, stored(t, store))
	}
}

// loops are ways to go on for ever, by number of the page.
var loops = map[string]func(n int) (offset, context string){
	"two offsets in turn":                 func(n int) (string, string) { return fmt.Sprint(n % 2), "" },
	"a long cycle after a long way":       func(n int) (string, string) { return fmt.Sprint(min(n, 100) + n%70), "" },
	"one offset, a context written anew":  func(n int) (string, string) { return "next", []string{`{"a":1,"b":2}`, `{"b": 2, "a": 1}`}[n%2] },
	"one offset, no context and null":     func(n int) (string, string) { return "next", []string{"", "null"}[n%2] },
	"one offset, contexts in turn":        func(n int) (string, string) { return "next", fmt.Sprint(n % 3) },
	"pages without end, all of them anew": func(n int) (string, string) { return fmt.Sprint(n), "" },
}

func TestEndlessRunIsAnError(t *testing.T) {
	for name, next := range loops {
		t.Run(name, func(t *testing.T) {
			requests := 0
			client := connect(scripted(func(w http.ResponseWriter, _ meta) {
				requests++
				offset, context := next(requests)
				io.WriteString(w, page(offset, "", context, fmt.Sprint(requests)))
			}))
			opts := quick
			opts.MaxPages = 500
			_, err := (&synchronizer.Synchronizer{Bridge: client, Store: openStore(t)}).Run(t.Context(), key, opts)
			if failure.Of(err).Hint == "" || bridge.CodeOf(err) != bridge.CodeLoop {
				t.Errorf("error %v", err)
			}
			if requests > 500 {
				t.Errorf("%d requests", requests)
			}
		})
	}
}

// An offset that stays is progress as long as its context moves (D4).
func TestMovingContextIsProgress(t *testing.T) {
	client := connect(scripted(func(w http.ResponseWriter, ask meta) {
		n := 0
		fmt.Sscan(string(ask.Context), &n)
		if n == 200 {
			io.WriteString(w, page("", "", "", "last"))
			return
		}
		io.WriteString(w, page("next", "", fmt.Sprint(n+1), fmt.Sprint(n)))
	}))
	store := openStore(t)
	mustRun(t, synchronizer.Synchronizer{Bridge: client, Store: store}, quick)
	if n := stored(t, store); n != 201 {
		t.Errorf("%d contacts, want 201", n)
	}
}
