package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	sealing "github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/internal/inside"
	"github.com/contactbridge/contactbridge/web/console"
)

const manyIntegrations = 2000

// typed holds texts that people type to find a contact: a common beginning, a name, two words, a number.
var typed = []string{"ma", "garcia", "anna m", "sofia martinez", "example", "0415", "2125550"}

// consoles measures the console's pages on a hub with 2,000 integrations and 1,000,000 contacts.
func consoles(ctx context.Context, l *laboratory) (_ []result, err error) {
	v, err := openVisit(ctx, l)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	overview, bareOverview, err := paired(ctx, l.repeat,
		func(context.Context) (float64, error) { return v.page("/") },
		func(ctx context.Context) (float64, error) {
			return v.timed(func() error { _, err := v.hub.Overview(ctx, ""); return err })
		})
	if err != nil {
		return nil, err
	}
	pages, barePages, err := paired(ctx, l.repeat,
		func(context.Context) (float64, error) { return slowestOf(v.watched(), v.page) },
		func(ctx context.Context) (float64, error) {
			return v.timed(func() error {
				key := directory.Key{Account: account, Integration: integrationName(1)}
				if _, err := v.hub.Integration(ctx, key); err != nil {
					return err
				}
				if _, err := v.hub.Runs(ctx, key, 0, 40); err != nil {
					return err
				}
				if _, err := v.hub.RunOf(ctx, key, v.run); err != nil {
					return err
				}
				_, err := v.hub.Integrations(ctx, "", directory.Key{}, 101)
				return err
			})
		})
	if err != nil {
		return nil, err
	}
	search, bareSearch, err := paired(ctx, l.repeat,
		func(context.Context) (float64, error) {
			return slowestOf(typed, func(text string) (float64, error) { return v.page("/contacts?q=" + url.QueryEscape(text)) })
		},
		func(ctx context.Context) (float64, error) {
			return slowestOf(typed, func(text string) (float64, error) {
				return v.timed(func() error {
					_, err := v.hub.Search(ctx, account, directory.Query{Text: text})
					return err
				})
			})
		})
	if err != nil {
		return nil, err
	}
	catalogue, smallest, err := paired(ctx, l.repeat,
		func(context.Context) (float64, error) { return v.page("/catalogue") },
		func(context.Context) (float64, error) { return v.page("/settings") })
	return []result{
		{
			Name: "console-catalogue", Value: catalogue, Limit: smallest, Unit: "ms", Target: 5, atMost: true, ceiling: 100,
			against: fmt.Sprintf("server time of the page with %d integrations, against that of the settings; at most 100 ms", manyIntegrations),
		},
		{
			Name: "console-overview", Value: overview, Limit: bareOverview, Unit: "ms", Target: 3, atMost: true, ceiling: 200,
			against: fmt.Sprintf("server time of the page with %d integrations and %d contacts, against its bare queries; at most 200 ms", manyIntegrations, v.contacts),
		},
		{
			Name: "console-pages", Value: pages, Limit: barePages, Unit: "ms", Target: 4, atMost: true, ceiling: 200,
			against: fmt.Sprintf("server time of the slowest page of: an integration that the hub reads itself, one of its runs, the list of %d integrations; against the bare queries of all three; at most 200 ms", manyIntegrations),
		},
		{
			Name: "console-search", Value: search, Limit: bareSearch, Unit: "ms", Target: 3, atMost: true, ceiling: 100,
			against: fmt.Sprintf("server time of the slowest of %d searches among %d contacts, against the bare query; at most 100 ms", len(typed), v.contacts),
		},
	}, err
}

// watched are pages of what the hub reads itself: an integration, and one of its runs; and the list of all.
func (v *visit) watched() []string {
	one := console.IntegrationPage(directory.Key{Account: account, Integration: integrationName(1)})
	return []string{one, fmt.Sprintf("%s/runs/%d", one, v.run), "/integrations"}
}

// slowestOf is the longest of what a measurement of each takes.
func slowestOf(all []string, measure func(text string) (float64, error)) (most float64, err error) {
	for _, text := range all {
		took, err := measure(text)
		if err != nil {
			return 0, fmt.Errorf("measure %s: %w", text, err)
		}
		most = max(most, took)
	}
	return most, nil
}

// A visit is a signed-in administrator at a large hub.
type visit struct {
	hub      *hub.Hub
	registry *registry.DB
	store    directory.Store
	site     http.Handler
	cookie   *http.Cookie
	contacts int
	run      int64 // of the integration whose pages are measured
}

func openVisit(ctx context.Context, l *laboratory) (v *visit, err error) {
	v = &visit{contacts: l.big / manyIntegrations * manyIntegrations}
	ring, err := sealing.Parse(sealing.NewKey(), "bench")
	if err != nil {
		return nil, err
	}
	if v.registry, err = registry.Open(ctx, filepath.Join(l.dir, "console-hub.db"), registry.OpenOptions{Seal: ring}); err != nil {
		return nil, err
	}
	if v.store, err = sqlite.Open(ctx, filepath.Join(l.dir, "console.db")); err != nil {
		return nil, errors.Join(err, v.registry.Close())
	}
	v.hub = hub.New(v.registry, v.store)
	v.hub.Outbound = http.DefaultTransport
	v.hub.Inside = inside.New(inside.Options{Transport: http.DefaultTransport})
	if v.site, err = console.New(console.Options{Hub: v.hub}); err == nil {
		err = errors.Join(v.fill(ctx), v.signIn(ctx))
	}
	if err != nil {
		return nil, errors.Join(err, v.close())
	}
	return v, nil
}

func (v *visit) close() error { return errors.Join(v.store.Close(), v.registry.Close()) }

// fill makes the integrations, each with its share of the contacts.
func (v *visit) fill(ctx context.Context) error {
	if err := v.hub.PutAccount(ctx, registry.Account{Name: account, Region: "US"}); err != nil {
		return err
	}
	g := sample.New(seed, start)
	for i := range manyIntegrations {
		key := directory.Key{Account: account, Integration: integrationName(i)}
		one, auth := registry.Integration{Key: key, Bridge: "https://bridge.example.com/" + key.Integration}, map[string]string(nil)
		if i%2 == 1 { // the hub reads every other one itself
			one.Bridge, one.Source = "", "postgres"
			auth = map[string]string{registry.SourceValue: fmt.Sprintf("source: {kind: postgres, dsn: 'postgres://reader:secret@crm.example.com/%s', table: customers, id: id, fields: {name: name, phones: [phone]}}", key.Integration)}
		}
		if err := v.hub.AddIntegration(ctx, one, auth); err != nil {
			return err
		}
		run, err := v.store.StartRun(ctx, key, directory.Start{Lease: time.Minute})
		if err != nil {
			return err
		}
		page := directory.PageChanges{Seq: 1, Checkpoint: "1"}
		for range v.contacts / manyIntegrations {
			page.Contacts = append(page.Contacts, record(g.Next()))
		}
		if err := v.store.ApplyPage(ctx, run, page); err != nil {
			return err
		}
		if i == 1 {
			v.run = run.ID
			if err := v.hub.Registry.PutRunLog(ctx, key, run.ID, longestLog()); err != nil {
				return err
			}
		}
	}
	return v.store.CompleteSearch(ctx, directory.Key{})
}

func integrationName(i int) string { return fmt.Sprintf("crm%04d", i) }

// longestLog is as long as what is kept of a run can be.
func longestLog() (log registry.RunLog) {
	for n := range registry.MaxLogLines {
		log.Lines = append(log.Lines, registry.LogLine{Time: start.Add(time.Duration(n) * time.Second), Level: registry.LevelWarning, Text: strings.Repeat("x", registry.MaxLogText)})
	}
	for n := range registry.MaxRunPoints {
		log.Points = append(log.Points, registry.RunPoint{Time: start.Add(time.Duration(n) * time.Second), Pages: int64(n), Contacts: int64(n * n)})
	}
	return log
}

// record is a customer on the way into a directory.
func record(c sample.Customer) directory.Record {
	phones := []string{c.Phone}
	if c.Mobile != "" {
		phones = append(phones, c.Mobile)
	}
	return directory.Record{
		Contact: contact.Contact{
			ID: strconv.Itoa(c.ID), Name: c.FirstName + " " + c.LastName, Title: c.Title, Company: c.Company, Emails: []string{c.Email}, Phones: phones, Address: c.City,
		},
		Numbers: caller.Numbers(phones, c.Region),
	}
}

// signIn gives the administrator a session.
func (v *visit) signIn(ctx context.Context) error {
	now := time.Now()
	if err := v.hub.Registry.CreateFirstUser(ctx, registry.User{ID: "bench", Name: "bench", Role: registry.RoleAdmin, Created: now}); err != nil {
		return err
	}
	key := []byte(strings.Repeat("k", 32))
	digest := sha256.Sum256(key)
	v.cookie = &http.Cookie{Name: "contactbridge_session", Value: base64.RawURLEncoding.EncodeToString(key)}
	return v.hub.Registry.PutSession(ctx, registry.Session{Digest: digest[:], User: "bench", Created: now, Expires: now.Add(time.Hour)})
}

// page is the server's time for a page, the median of several, in milliseconds.
func (v *visit) page(path string) (float64, error) {
	return v.timed(func() error {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		request.AddCookie(v.cookie)
		answer := httptest.NewRecorder()
		v.site.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK {
			return fmt.Errorf("%s: %d %s", path, answer.Code, answer.Header().Get("Location"))
		}
		return nil
	})
}

// timed is how long something takes, the median of five, in milliseconds.
func (v *visit) timed(do func() error) (float64, error) {
	var took []float64
	for range 5 {
		began := time.Now()
		if err := do(); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
