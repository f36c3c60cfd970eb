package ldap

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/test/ldaptest"
	"github.com/contactbridge/contactbridge/source"
)

var churnRuns = flag.Int("churn", 5, "how many runs a churn test makes on each server")

// People are created, changed, renamed, moved between two bases and out of them, and deleted, while runs read pages. Whoever was there
// all the time of a run is in the directory after it, in the version of its beginning or a newer one; whoever was not there is not.
//
// With all servers: go test ./source/ldap -run Churn -churn 100 -servers samba,389,389log -timeout 30m -v.
func TestChurn(t *testing.T) {
	t.Run("openldap", func(t *testing.T) { churn(t, openldap, "", true) })
	t.Run("openldap by stamp", func(t *testing.T) { churn(t, openldap, changesStamp, false) })
	for name := range strings.SplitSeq(*servers, ",") {
		switch name {
		case "samba":
			t.Run(name, func(t *testing.T) { churn(t, samba, "", true) })
		case "389":
			t.Run(name, func(t *testing.T) { churn(t, dirsrv, "", false) })
		case "389log":
			t.Run(name, func(t *testing.T) { churn(t, dirsrvLog, "", true) })
		}
	}
}

// A person is somebody whose life the test knows.
type person struct {
	id, dn string
	past   []moment
}

// A moment is one write, and what is true after it.
type moment struct {
	began, ended time.Time // ended is zero while it goes on
	version      string    // empty: not among the contacts
}

// A town is where people live.
type town struct {
	t      testing.TB
	unit   *unit
	places []string // two bases, and one that is no base
	random *rand.Rand

	mu     sync.Mutex
	people []*person
	next   int
}

const population = 40

func churn(t *testing.T, suite *ldaptest.Suite, changes string, deletions bool) {
	u := newUnit(t, suite, changes)
	town := &town{t: t, unit: u, random: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))}
	for _, name := range []string{"a", "b", "away"} {
		dn := "ou=" + name + "," + u.dn
		add := client.NewAddRequest(dn, nil)
		add.Attribute("objectClass", []string{"organizationalUnit"})
		if err := u.conn.Add(add); err != nil {
			t.Fatal(err)
		}
		town.places = append(town.places, dn)
	}
	for range population {
		town.create()
	}
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				town.step()
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
	r := &resident{town: town, stored: map[string]string{}, deletions: deletions}
	for run := range *churnRuns {
		if run%4 == 3 {
			r.checkpoint = "" // a full run
		}
		r.run(fmt.Sprintf("run %d", run+1))
		time.Sleep(50 * time.Millisecond)
		if t.Failed() {
			break
		}
	}
	close(stop)
	writer.Wait()
	if !deletions {
		r.checkpoint = ""
	}
	r.run("the last run")
	t.Logf("%d runs (%d of them initial), %d pages, %d writes, %d people: 0 lost, 0 wrongly deleted", *churnRuns+1, r.initial, r.pages, town.writes(), len(town.people))
}

func (w *town) writes() (n int) {
	for _, p := range w.people {
		n += len(p.past)
	}
	return n
}

// write does a write and notes what is true after it.
func (w *town) write(p *person, version string, do func() error) {
	w.mu.Lock()
	p.past = append(p.past, moment{began: time.Now(), version: version})
	w.mu.Unlock()
	if err := do(); err != nil {
		w.t.Errorf("write: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p.past[len(p.past)-1].ended = time.Now()
}

func (w *town) create() {
	w.next++
	p := &person{dn: fmt.Sprintf("cn=p%d,%s", w.next, w.places[w.random.IntN(2)])}
	version := fmt.Sprint("v", w.next)
	add := client.NewAddRequest(p.dn, nil)
	add.Attribute("objectClass", []string{dialectOf(w.unit.server).class})
	add.Attribute("sn", []string{"Person"})
	add.Attribute("title", []string{version})
	w.write(p, version, func() error { return w.unit.conn.Add(add) })
	id, err := w.unit.nativeID(p.dn)
	if err != nil {
		w.t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p.id = id
	w.people = append(w.people, p)
}

// living returns somebody who was not deleted.
func (w *town) living() *person {
	for {
		if p := w.people[w.random.IntN(len(w.people))]; p.dn != "" {
			return p
		}
	}
}

// isContact reports whether a DN is below one of the bases.
func (w *town) isContact(dn string) bool { return !strings.HasSuffix(dn, w.places[2]) }

func (w *town) step() {
	w.next++
	p := w.living()
	rdn, parent, _ := strings.Cut(p.dn, ",")
	switch n := w.random.IntN(20); {
	case n < 3 && w.alive() < 2*population:
		w.create()
	case n < 5 && w.alive() > population/2:
		w.write(p, "", func() error { return w.unit.conn.Del(client.NewDelRequest(p.dn, nil)) })
		p.dn = ""
	case n < 10:
		version := fmt.Sprint("v", w.next)
		change := client.NewModifyRequest(p.dn, nil)
		change.Replace("title", []string{version})
		after := version
		if !w.isContact(p.dn) {
			after = ""
		}
		w.write(p, after, func() error { return w.unit.conn.Modify(change) })
	case n < 13:
		w.move(p, fmt.Sprint("cn=r", w.next), parent)
	default:
		w.move(p, rdn, w.places[w.random.IntN(3)])
	}
}

func (w *town) alive() (n int) {
	for _, p := range w.people {
		if p.dn != "" {
			n++
		}
	}
	return n
}

// move renames somebody, or moves them to another place.
func (w *town) move(p *person, rdn, parent string) {
	to := rdn + "," + parent
	if to == p.dn {
		return
	}
	after := ""
	if w.isContact(to) {
		title, err := w.title(p.dn)
		if err != nil {
			w.t.Error(err)
			return
		}
		after = title
	}
	w.write(p, after, func() error { return w.unit.conn.ModifyDN(client.NewModifyDNRequest(p.dn, rdn, true, parent)) })
	p.dn = to
}

func (w *town) title(dn string) (string, error) {
	found, err := w.unit.conn.Search(&client.SearchRequest{BaseDN: dn, Scope: client.ScopeBaseObject, Filter: anyEntry, Attributes: []string{"title"}})
	if err != nil {
		return "", err
	}
	return found.Entries[0].GetAttributeValue("title"), nil
}

// A resident is a synchronizer, with what it has stored: versions by ids.
type resident struct {
	town       *town
	deletions  bool
	stored     map[string]string
	checkpoint bridge.Checkpoint
	shown      map[string]bool // by the run that goes on
	pages      int
	initial    int
}

func (r *resident) open() (bridge.Source, func()) {
	cfg := r.town.unit.config(r.town.unit.server.ReaderPassword)
	cfg.Base, cfg.Bases, cfg.PageSize = "", r.town.places[:2], 7
	f, err := New(cfg, source.Deps{})
	if err != nil {
		r.town.t.Fatal(err)
	}
	s, err := f.Open(context.Background(), nil)
	if err != nil {
		r.town.t.Fatal(err)
	}
	return s, func() { _ = errors.Join(s.Close(), f.Close()) }
}

// run makes one run, in pages of 5, some of them by a process that knows nothing.
func (r *resident) run(name string) {
	began := time.Now()
	s, closeAll := r.open()
	run, at := r.begin(s)
	for n := 1; ; n++ {
		changes, err := page(s, run, at)
		if bridge.CodeOf(err) == bridge.CodeInvalidOffset {
			run, at = r.begin(s) // as a synchronizer does (D3)
			continue
		}
		if err != nil {
			r.town.t.Fatalf("%s: %v", name, err)
		}
		if r.pages++; n > 1000 {
			r.town.t.Fatalf("%s has not ended after %d pages", name, n)
		}
		r.apply(changes)
		if len(changes) > 0 {
			at = changes[len(changes)-1].Position
		}
		if len(changes) < pageOf {
			break
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		if n%7 == 0 {
			closeAll()
			s, closeAll = r.open()
		}
	}
	r.checkpoint = s.Checkpoint(run, at, true)
	closeAll()
	if run.Initial() {
		r.judge()
	}
	r.check(name, began, time.Now(), run.Initial())
}

const pageOf = 5

func (r *resident) begin(s bridge.Source) (bridge.Run, bridge.Position) {
	run, err := s.Begin(context.Background(), r.checkpoint)
	if err != nil {
		r.town.t.Fatalf("begin: %v", err)
	}
	r.shown = map[string]bool{}
	if run.Initial() {
		r.initial++
	}
	return run, nil
}

func (r *resident) apply(changes []bridge.Change) {
	for _, c := range changes {
		if c.Deleted {
			delete(r.stored, c.Contact.ID)
			continue
		}
		r.shown[c.Contact.ID] = true
		r.stored[c.Contact.ID] = c.Contact.Title
	}
}

// judge forgets whoever an initial run did not show.
func (r *resident) judge() {
	for id := range r.stored {
		if !r.shown[id] {
			delete(r.stored, id)
		}
	}
}

func page(s bridge.Source, run bridge.Run, at bridge.Position) (changes []bridge.Change, err error) {
	for c, err := range s.Read(context.Background(), run, at, pageOf) {
		if err != nil {
			return nil, err
		}
		changes = append(changes, bridge.Change{Contact: c.Contact.Clone(), Deleted: c.Deleted, Position: append(bridge.Position(nil), c.Position...)})
		if len(changes) == pageOf {
			break
		}
	}
	return changes, nil
}

// check compares what is stored with what was true from the beginning of a run to its end.
func (r *resident) check(name string, began, ended time.Time, initial bool) {
	r.town.mu.Lock()
	defer r.town.mu.Unlock()
	for _, p := range r.town.people {
		versions, absent := p.between(began, ended)
		stored, there := r.stored[p.id]
		switch {
		case !absent && !there:
			r.town.t.Errorf("%s: %s was there all the time, and is missing: %v", name, p.id, versions)
		case there && !versions[stored] && (r.deletions || initial || !absent):
			r.town.t.Errorf("%s: %s is stored as %q, want one of %v (absent: %t)", name, p.id, stored, versions, absent)
		}
	}
}

// between returns the versions that a person may be seen in between two moments, and whether they were away meanwhile.
func (p *person) between(began, ended time.Time) (versions map[string]bool, absent bool) {
	versions = map[string]bool{}
	before := ""
	for _, m := range p.past {
		switch {
		case !m.ended.IsZero() && !m.ended.After(began):
			before = m.version
			continue
		case m.began.After(ended):
			continue
		}
		versions[m.version] = true
	}
	versions[before] = true
	absent = versions[""]
	return versions, absent
}
