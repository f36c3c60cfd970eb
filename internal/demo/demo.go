// Package demo tells the whole path as a story in the terminal: a sample CRM, the bridge on it, a synchronizer with its
// directory, and calls that get their names. Nothing is canned: it checks every step against what must come out.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	directorysqlite "github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sqlite"
	"github.com/contactbridge/contactbridge/source/sqltable"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// StoryOptions say how the story is told.
type StoryOptions struct {
	Out       io.Writer
	Listen    string // where the bridge listens; a free port is taken where this one is in use
	Hub       string // where the hub listens after the story, in the same way
	Customers int    // 0 means 3,000
	Once      bool   // end after the story
}

// failed says that a step did not come out as it should.
func failed(step, what string) error {
	return &failure.Error{Message: "the demo's step \"" + step + "\" failed: " + what}
}

const (
	region   = "US"
	username = "agent"
	password = "demo"
)

var key = directory.Key{Account: "default", Integration: "crm"}

// Run tells the story, then, without Once, stays up until the context is done.
func Run(ctx context.Context, o StoryOptions) (err error) {
	dir, err := os.MkdirTemp("", "contactbridge-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.Customers == 0 {
		o.Customers = 3000
	}
	s := &story{StoryOptions: o, dir: dir, style: progress.NewStyle(o.Out)}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, chapter := range []func(context.Context) error{s.makeCRM, s.startBridge, s.initialSync, s.editCRM, s.incrementalSync, s.calls} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	if o.Once {
		s.say("\n%s\n", s.style.Good("Every step came out as it should."))
		return nil
	}
	if err := s.stayUp(ctx); err != nil {
		return err
	}
	s.say("\nThe demo's files are removed. Goodbye.\n")
	return nil
}

// A story is the state of its telling.
type story struct {
	StoryOptions
	dir    string
	style  progress.Style
	number int // of the chapter

	crm    *crm
	source source.Factory
	server *http.Server
	url    string
	store  *directorysqlite.Store
}

func (s *story) say(format string, a ...any) { fmt.Fprintf(s.Out, format, a...) }

func (s *story) chapter(title string) {
	s.number++
	s.say("\n%s\n", s.style.Bold(fmt.Sprintf("%d. %s", s.number, title)))
}

func (s *story) makeCRM(ctx context.Context) (err error) {
	s.say("%s\n", s.style.Dim("contactbridge: from a database to a known caller, in this one process"))
	s.chapter("A CRM")
	if s.crm, err = newCRM(ctx, s.dir, s.Customers, time.Now()); err != nil {
		return err
	}
	s.say("   %s customers from 13 countries, their numbers as people write them:\n", progress.Count(int64(s.Customers)))
	for _, i := range []int{0, 7, 13, 21} {
		c := s.crm.customers[i]
		s.say("   %-22s %-18s %s\n", c.Phone, c.City, s.style.Dim(c.FirstName+" "+c.LastName+", "+c.Company))
	}
	return nil
}

func (s *story) startBridge(context.Context) error {
	s.chapter("A bridge serves it")
	path, err := source.ParseTemplate(s.crm.path)
	if err != nil {
		return err
	}
	s.source, err = sqlite.New(sqlite.Config{
		Path: path, ProbeLock: true,
		Config: sqltable.Config{
			Table: "customers", ID: "id", Updated: "updated_at", Deleted: "deleted_at",
			Fields: record.Fields{
				Name: "first_name || ' ' || last_name", Title: "title", Company: "company", Emails: record.Expressions{"email"},
				Phones: record.Expressions{"phone", "mobile"}, Address: "city", URL: "'https://crm.example.com/customers/' || id",
				CustomFields: record.CustomFields{{Key: "Plan", Expression: "plan"}},
			},
		},
	}, source.Deps{})
	if err != nil {
		return err
	}
	listener, err := listen(s.Listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/crm/", &bridge.Handler{
		Name: "crm", Open: s.source.Open, Digest: "sqlite", Limits: bridge.Limits{Contacts: 500},
		Authenticate: bridge.RequireAuth(bridge.Auth{"username": username, "password": password}),
	})
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }()
	s.url = "http://" + listener.Addr().String() + "/crm/contact_sync"
	s.say("   POST %s\n", s.url)
	return nil
}

// listen takes the address, or a free port beside it.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		return listener, nil
	}
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}

func (s *story) initialSync(ctx context.Context) (err error) {
	s.chapter("Initial sync: every contact")
	if s.store, err = directorysqlite.Open(ctx, s.db()); err != nil {
		return err
	}
	report, err := s.sync(ctx)
	if err != nil {
		return err
	}
	if report.Kind != directory.Initial || report.Created != int64(s.Customers) || report.Contacts != report.Created {
		return failed("initial sync", fmt.Sprintf("%d of %d contacts created by an %s run", report.Created, s.Customers, report.Kind))
	}
	return nil
}

func (s *story) db() string { return filepath.Join(s.dir, "contacts.db") }

// sync does one run, shown as it happens.
func (s *story) sync(ctx context.Context) (synchronizer.Report, error) {
	client := &bridge.Client{URL: s.url, Auth: bridge.Auth{"username": username, "password": password}}
	defer client.CloseIdleConnections()
	shown := progress.New(s.Out, key.Integration)
	run := synchronizer.Synchronizer{
		Bridge: client, Store: s.store, Progress: shown.Event,
		Numbers: func(phones []string) []directory.Number { return caller.Numbers(phones, region) },
	}
	report, err := run.Run(ctx, key, synchronizer.Options{})
	shown.Close()
	if err != nil {
		return report, err
	}
	s.say("   %s %s in %s, %s: %s created, %d updated, %d deleted\n", s.style.Good("✓"), progress.Plural(report.Contacts, "contact"),
		progress.Plural(report.Pages, "page"), progress.Took(time.Duration(report.Seconds*float64(time.Second))), progress.Count(report.Created), report.Updated, report.Deleted)
	s.say("   %s\n", s.style.Dim("checkpoint "+report.Checkpoint))
	return report, nil
}

func (s *story) editCRM(ctx context.Context) error {
	s.chapter("A user works in the CRM")
	for _, e := range s.crm.edits() {
		if err := s.crm.apply(ctx, e); err != nil {
			return err
		}
		s.say("   %s\n", e.told)
	}
	return nil
}

func (s *story) incrementalSync(ctx context.Context) error {
	s.chapter("Incremental sync: only what changed")
	report, err := s.sync(ctx)
	if err != nil {
		return err
	}
	if report.Kind != directory.Incremental || report.Created != 1 || report.Updated != 1 || report.Deleted != 1 || report.Unchanged != 0 {
		return failed("incremental sync", fmt.Sprintf("%+v", report))
	}
	return nil
}

// A call comes in.
type call struct {
	number string // as the telephone network shows it
	about  string
	want   []string // ids in the CRM that must be found, the order left open
}

// calls are one written nationally, one number that two people share, and a stranger.
func (s *story) calls(ctx context.Context) error {
	s.chapter("Three calls come in")
	for _, c := range []call{
		{newCustomerNumber, "in a national format", []string{strconv.Itoa(s.Customers + 1)}},
		{s.crm.shared[0].E164, "a number that two people share", []string{strconv.Itoa(s.crm.shared[0].ID), strconv.Itoa(s.crm.shared[1].ID)}},
		{unknownNumber, "nobody's", nil},
	} {
		if err := s.call(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) call(ctx context.Context, c call) error {
	answer, err := caller.Lookup(ctx, s.store, key.Account, c.number, region, caller.LookupOptions{})
	if err != nil {
		return err
	}
	s.say("   ☎  %s  %s\n", s.style.Bold(c.number), s.style.Dim(c.about))
	var found []string
	for _, m := range answer.Matches {
		found = append(found, m.ID)
		s.say("      %-20s %-22s %s\n", m.Name, m.Company, s.style.Dim(fmt.Sprintf("%s match, record %s in %s: %s", m.How, m.ID, m.Integration, m.URL)))
	}
	if len(found) == 0 {
		s.say("      %s\n", s.style.Warn("no contact has this number"))
	}
	slices.Sort(found)
	slices.Sort(c.want)
	if !slices.Equal(found, c.want) {
		return failed("calls", fmt.Sprintf("%s leads to [%s], not to [%s]", c.number, strings.Join(found, " "), strings.Join(c.want, " ")))
	}
	return nil
}

func (s *story) whatNext(console string) {
	s.say("\n%s\n", s.style.Bold("It stays up, with a hub that keeps the contacts fresh. Open its console here, you are signed in by yourself:"))
	s.say("\n   %s\n", s.style.Bold(console))
	s.say("\n   # connect contacts of your own: a database, a CRM, a workbook\n   %scatalogue\n", console)
	s.say("\n%s\n", s.style.Bold("Or, in another terminal, try"))
	s.say("\n   # a page of contacts, as a contact centre would ask for it\n")
	s.say("   curl -s %s -H 'Content-Type: application/json' \\\n        -d '{\"auth\": {\"username\": \"%s\", \"password\": \"%s\"}, \"meta\": {}}' | head -c 600\n", s.url, username, password)
	s.say("\n   # who is calling?\n")
	s.say("   contactbridge lookup '%s' --region %s --db %s\n", newCustomerNumber, region, s.db())
	s.say("\n   # does the bridge keep to the protocol?\n")
	s.say("   contactbridge check %s --auth username=%s --auth password=%s\n", s.url, username, password)
	s.say("\n   # your own database: docs/serve-my-database.md\n")
	s.say("\nCtrl-C ends the demo.\n")
}

func (s *story) close() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.source != nil {
		errs = append(errs, s.source.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.crm != nil {
		errs = append(errs, s.crm.close())
	}
	return errors.Join(errs...)
}
