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
	search, bareSearch, err := paired(ctx, l.repeat,
		func(context.Context) (float64, error) {
			return slowest(func(text string) (float64, error) { return v.page("/contacts?q=" + url.QueryEscape(text)) })
		},
		func(ctx context.Context) (float64, error) {
			return slowest(func(text string) (float64, error) {
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
			Name: "console-search", Value: search, Limit: bareSearch, Unit: "ms", Target: 3, atMost: true, ceiling: 100,
			against: fmt.Sprintf("server time of the slowest of %d searches among %d contacts, against the bare query; at most 100 ms", len(typed), v.contacts),
		},
	}, err
}

// slowest is the longest of what searches take.
func slowest(measure func(text string) (float64, error)) (most float64, err error) {
	for _, text := range typed {
		took, err := measure(text)
		if err != nil {
			return 0, fmt.Errorf("search for %s: %w", text, err)
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
	v.hub.Outbound, v.hub.Inside = http.DefaultTransport, inside.New(inside.Options{})
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
		key := directory.Key{Account: account, Integration: fmt.Sprintf("crm%04d", i)}
		if err := v.hub.AddIntegration(ctx, registry.Integration{Key: key, Bridge: "https://bridge.example.com/" + key.Integration}, nil); err != nil {
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
	}
	return nil
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
