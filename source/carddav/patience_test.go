package carddav_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	configuration "github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/carddav"
)

// slowly has a server take its time for the first lists of an address book, as one that was just started does.
func (f *fake) slowly(lists int32, takes time.Duration) {
	var asked atomic.Int32
	f.before = func(_ http.ResponseWriter, r *http.Request, body string) bool {
		if strings.Contains(body, "sync-collection") && asked.Add(1) <= lists {
			select {
			case <-time.After(takes):
			case <-r.Context().Done():
			}
		}
		return false
	}
}

// A person who looks at a server that takes longer than a request to list its cards sees them at the first attempt.
func TestPreviewWaitsForTheList(t *testing.T) {
	f := newFake(t)
	f.put(home+"a/1.vcf", vcardOf("1", "Ann"))
	f.slowly(2, 600*time.Millisecond)
	cfg, err := configuration.Parse("bridge.yaml", []byte("endpoints: {book: {auth: none, source: {kind: carddav, url: '"+f.URL+"', username: alice, password: s3cr3t-pw}}}"), strictyaml.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	waited := 0
	options := preview.Options{
		Limit: 5, Examine: 5, Inspect: 500 * time.Millisecond, Read: 500 * time.Millisecond, Wait: time.Minute,
		Waiting: func(error) { waited++ },
	}
	p, err := preview.Of(t.Context(), cfg.Endpoints["book"], source.Deps{}, nil, options)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Contacts) != 1 || p.Contacts[0].Name != "Ann" || !p.OK || waited == 0 {
		t.Errorf("waited %d times for %v, problems %+v", waited, p.Contacts, p.Problems)
	}
	f.slowly(2, 600*time.Millisecond)
	options.Wait = 0
	if p, err = preview.Of(t.Context(), cfg.Endpoints["book"], source.Deps{}, nil, options); err != nil || p.OK {
		t.Errorf("without patience: %+v, %v", p, err)
	}
}

// init offers an address book whose cards take too long to count.
func TestSetupDoesNotWaitForCounts(t *testing.T) {
	f := newFake(t)
	f.put(home+"a/1.vcf", vcardOf("1", "Ann"))
	f.slowly(1, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	found, err := carddav.Kind().Setup.Look(ctx, source.Answers{"url": f.URL, "username": "alice", "password": "s3cr3t-pw"}, source.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Things) != 1 || found.Things[0].Rows != -1 || len(found.Problems) > 1 {
		t.Errorf("found %+v", found)
	}
}

// An inspection that has no time for all cards says so, and is no failure.
func TestInspectionEndsInTime(t *testing.T) {
	f := newFake(t)
	for _, name := range strings.Split("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "") {
		f.put(home+"a/"+name+".vcf", vcardOf(name, "Ann"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	f.before = func(_ http.ResponseWriter, _ *http.Request, body string) bool {
		if strings.Contains(body, "multiget") {
			time.Sleep(600 * time.Millisecond)
		}
		return false
	}
	found, err := f.opened(t, f.config(t)).(source.Inspector).Inspect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range found.Problems {
		if p.Code == "not_all_read" && strings.HasPrefix(p.Message, "only the first 50 of 62 cards") {
			return
		}
	}
	t.Errorf("problems %+v", found.Problems)
}
