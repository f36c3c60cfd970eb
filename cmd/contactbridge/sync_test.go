package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A stopping bridge answers so many requests, and then says so and keeps the next one waiting until its caller goes away.
type stoppingBridge struct {
	handler http.Handler
	left    atomic.Int64
	waiting chan struct{}
}

func (b *stoppingBridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.left.Add(-1) >= 0 {
		b.handler.ServeHTTP(w, r)
		return
	}
	io.Copy(io.Discard, r.Body)
	b.waiting <- struct{}{}
	<-r.Context().Done()
}

func newStoppingBridge(t *testing.T, requests int64) (*stoppingBridge, string) {
	crm := sampleCRM(40)
	b := &stoppingBridge{
		handler: &bridge.Handler{
			Open:         func(context.Context, bridge.Auth) (bridge.Source, error) { return crm.Source(), nil },
			Authenticate: bridge.AllowAnyone,
			Limits:       bridge.Limits{Contacts: 5},
		},
		waiting: make(chan struct{}, 1),
	}
	b.left.Store(requests)
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return b, server.URL + "/crm/contact_sync"
}

// syncProcess is the real command as a process of its own.
func syncProcess(t *testing.T, args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	t.Helper()
	binary, err := exec.LookPath("contactbridge") // put there by testscript.Main
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd = exec.CommandContext(t.Context(), binary, append([]string{"sync", "--json"}, args...)...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// endInTheMiddle starts a sync, sends it a signal while it waits for the fourth page, and waits for its end. By then two or
// three pages are stored.
func endInTheMiddle(t *testing.T, signal os.Signal, db string) (address, stderr string, err error) {
	t.Helper()
	b, address := newStoppingBridge(t, 3)
	cmd, _, said := syncProcess(t, address, "--db", db, "--lease", "300ms")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-b.waiting
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	b.left.Store(1000)
	return address, said.String(), err
}

// resumes runs the next sync and checks that it goes on where the last one stood (D3).
func resumes(t *testing.T, address, db string) {
	t.Helper()
	cmd, stdout, stderr := syncProcess(t, address, "--db", db)
	if err := cmd.Run(); err != nil {
		t.Fatalf("the next sync: %v\n%s", err, stderr)
	}
	var report synchronizer.Report
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if !report.Resumed || report.Created != 40 || report.Updated+report.Unchanged != 0 {
		t.Errorf("report %s, want a resumed run with 40 contacts, each stored once", stdout)
	}
	var out bytes.Buffer
	if status := run(t.Context(), []string{"lookup", "+1 415 555 2040", "--db", db, "--region", "US"}, nil, &out, &out); status != exitDone {
		t.Errorf("lookup: %d, %s", status, &out)
	}
}

func TestKilledSyncIsResumed(t *testing.T) {
	db := filepath.Join(t.TempDir(), "contacts.db")
	address, _, err := endInTheMiddle(t, syscall.SIGKILL, db)
	if err == nil {
		t.Fatal("the killed process succeeded")
	}
	resumes(t, address, db)
}

func TestInterruptedSyncSaysThatItCanBeResumed(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		db := filepath.Join(t.TempDir(), "contacts.db")
		address, stderr, err := endInTheMiddle(t, signal, db)
		var failure *exec.ExitError
		if !errors.As(err, &failure) || failure.ExitCode() != exitFailed {
			t.Errorf("%v: ended with %v, want exit status 1", signal, err)
		}
		for _, want := range []string{"contactbridge sync: interrupted after ", "hint: The next sync goes on where this one stopped."} {
			if !strings.Contains(stderr, want) {
				t.Errorf("%v: standard error lacks %q:\n%s", signal, want, stderr)
			}
		}
		resumes(t, address, db)
	}
}

func TestIntegrationIsNamedAfterHostAndPath(t *testing.T) {
	for address, want := range map[string]string{
		"https://bridge.example.com/crm/contact_sync":       "bridge.example.com/crm",
		"https://bridge.example.com/crm/contact_sync/":      "bridge.example.com/crm",
		"https://Bridge.Example.com:443/crm/contact_sync":   "bridge.example.com/crm",
		"https://bridge.example.com/a/b/contact_sync":       "bridge.example.com/a/b",
		"https://bridge.example.com/contact_sync":           "bridge.example.com",
		"https://bridge.example.com:8443/":                  "bridge.example.com:8443",
		"http://[::1]:8080/crm/contact_sync":                "[::1]:8080/crm",
		"https://bridge.example.com/sync.php":               "bridge.example.com/sync.php",
		"https://bridge.example.com/sync.php?token=one":     "bridge.example.com/sync.php?d21151e7",
		"https://bridge.example.com/sync.php?token=another": "bridge.example.com/sync.php?83a5a8fd",
	} {
		target, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := integrationName(target); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

func TestGuardIsReadAsPerCent(t *testing.T) {
	for text, want := range map[string]float64{"20%": 0.2, "5 %": 0.05, "0": 0, "100%": 1, "2.5%": 0.025} {
		if got, err := parseShare(text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "%", "-1%", "101%", "NaN", "many"} {
		if got, err := parseShare(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

// TestHintOfABadAnswerIsKept: only an answer that is most likely not a bridge's is a reason to doubt the address.
func TestHintOfABadAnswerIsKept(t *testing.T) {
	for hint, want := range map[string]string{
		"Let the bridge answer in UTF-8.": "Let the bridge answer in UTF-8.",
		"Check the URL: this may be a login page, a web application's start page or a proxy's message.": "Did you mean https://crm.example/contact_sync?",
	} {
		err := addressHint("https://crm.example", &bridge.Error{Code: bridge.CodeBadAnswer, Status: 200, Message: "x", Hint: hint})
		if got := failure.Of(err).Hint; got != want {
			t.Errorf("%q became %q", hint, got)
		}
	}
}
