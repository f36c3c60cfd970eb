package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/test/ports"
)

const (
	mostHubMemory = 192 // MiB
	callersToken  = "a-token-of-the-laboratory-0123456789"
)

// hubMemory is the peak memory of a hub that fetches all contacts of a population for the first time and names fifty callers a second
// meanwhile, until search finds all contacts.
func (l *laboratory) hubMemory(ctx context.Context, p *population) (result, error) {
	dir := filepath.Join(l.dir, "hub")
	hub, err := l.startHub(ctx, dir, p.server.url())
	if err != nil {
		return result{}, err
	}
	defer hub.stop()
	if err := callWhileItSyncs(ctx, hub, dir, int64(p.contacts)); err != nil {
		return result{}, err
	}
	memory, err := hub.peakMemory()
	return result{
		Name: "memory-hub", Value: memory, Limit: mostHubMemory, Unit: "MiB", Target: 1, atMost: true,
		against: fmt.Sprintf("peak memory of a hub that fetches %d contacts and names 50 callers a second meanwhile", p.contacts),
	}, err
}

// startHub starts a hub with one integration.
func (l *laboratory) startHub(ctx context.Context, dir, bridge string) (*server, error) {
	address, err := ports.Address()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`listen: %s
data: %q
log: {level: warn}
accounts:
  %s:
    region: US
    integrations: {crm: {bridge: %q, auth: {username: agent, password: %s}, every: 24h}}
tokens: {pbx: {account: %[3]s, scopes: ["callers:read"], value: %[6]s}}
network: {allow_private: true}
`, address, filepath.Join(dir, "data"), account, bridge, secret, callersToken)
	path := filepath.Join(dir, "hub.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	hub := &server{address: address, output: new(bytes.Buffer)}
	hub.process = exec.CommandContext(ctx, l.binary, "hub", "-c", path)
	hub.process.Stdout, hub.process.Stderr = hub.output, hub.output
	if err := hub.process.Start(); err != nil {
		return nil, err
	}
	return hub, hub.waitUntilReady()
}

// callWhileItSyncs asks for callers until the directory has so many contacts, and all of them can be searched.
func callWhileItSyncs(ctx context.Context, hub *server, dir string, contacts int64) error {
	g := sample.New(seed, start)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if n%200 == 199 {
			done, err := hasAll(ctx, filepath.Join(dir, "data", hubserver.DirectoryFile), contacts)
			if err != nil {
				return err
			}
			if done {
				return nil
			}
		}
		if err := hub.nameCaller(ctx, g.Next().E164); err != nil {
			return err
		}
	}
}

func hasAll(ctx context.Context, path string, contacts int64) (bool, error) {
	store, err := sqlite.Open(ctx, path, sqlite.MustExist())
	if err != nil {
		return false, err
	}
	defer store.Close()
	missing, err := store.Unsearchable(ctx, account)
	if err != nil || missing > 0 {
		return false, err
	}
	states, err := store.States(ctx, account)
	if err != nil || len(states) == 0 || states[0].LastRun == nil {
		return false, err
	}
	if last := states[0].LastRun; last.State == directory.Failed {
		return false, fmt.Errorf("the hub's run failed: %s", last.Error)
	}
	return states[0].Contacts == contacts && states[0].LastRun.State == directory.Done, nil
}

func (s *server) nameCaller(ctx context.Context, number string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.address+"/callerid?number="+url.QueryEscape(number), http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+callersToken)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("a call was answered with %s", response.Status)
	}
	return nil
}
