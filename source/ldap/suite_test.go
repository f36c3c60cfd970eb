package ldap

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/ldaptest"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

var (
	openldap = &ldaptest.Suite{Start: func(ctx context.Context) (*ldaptest.Server, error) {
		return ldaptest.StartOpenLDAP(ctx, ldaptest.OpenLDAP{})
	}}
	samba     = &ldaptest.Suite{Start: ldaptest.StartSamba}
	dirsrv    = &ldaptest.Suite{Start: func(ctx context.Context) (*ldaptest.Server, error) { return ldaptest.Start389(ctx, false) }}
	dirsrvLog = &ldaptest.Suite{Start: func(ctx context.Context) (*ldaptest.Server, error) { return ldaptest.Start389(ctx, true) }}
)

func TestMain(m *testing.M) { os.Exit(ldaptest.Main(m, openldap, samba, dirsrv, dirsrvLog, limited)) }

// A dialect says which attributes hold what the suite writes.
type dialect struct {
	class  string
	fields record.Fields
	second map[string]string // where the second value of an attribute goes that may have only one
}

var dialects = map[string]dialect{
	"samba": {class: "contact", second: map[string]string{"mail": "otherMailbox", "telephoneNumber": "otherTelephone"}, fields: record.Fields{
		Name: "displayName", Title: "title", Company: "company", Emails: record.Expressions{"mail", "otherMailbox"},
		Phones: record.Expressions{"telephoneNumber", "otherTelephone"}, Websites: record.Expressions{"wWWHomePage"}, PhotoURL: "info",
		Address: "streetAddress", Twitter: "ipPhone", URL: "physicalDeliveryOfficeName",
		CustomFields: record.CustomFields{{Key: "Plan", Expression: "department"}},
	}},
	"": {class: "inetOrgPerson", fields: record.Fields{
		Name: "displayName", Title: "title", Company: "o", Emails: record.Expressions{"mail"}, Phones: record.Expressions{"telephoneNumber"},
		Websites: record.Expressions{"labeledURI"}, PhotoURL: "carLicense", Address: "street", Twitter: "businessCategory", URL: "employeeType",
		CustomFields: record.CustomFields{{Key: "Plan", Expression: "description"}},
	}},
}

func dialectOf(s *ldaptest.Server) dialect {
	if d, ok := dialects[s.Product]; ok {
		return d
	}
	return dialects[""]
}

// A unit is a part of a directory with the suite's contacts.
type unit struct {
	server  *ldaptest.Server
	conn    *client.Conn
	dn      string
	changes string

	mu    sync.Mutex
	next  int
	dns   map[string]string // of the suite's ids
	names map[string]string // the suite's ids by the server's
	shown map[string]string // the server's ids that were shown last, by the suite's
}

func newUnit(t testing.TB, suite *ldaptest.Suite, changes string) *unit {
	return &unit{server: suite.Server(t), conn: suite.Connect(t), dn: suite.Unit(t), changes: changes, dns: map[string]string{}, names: map[string]string{}, shown: map[string]string{}}
}

func (u *unit) service() sourcetest.Service {
	return sourcetest.Service{
		Open:      func(ctx context.Context) (bridge.Source, error) { return u.open(ctx, u.server.ReaderPassword) },
		OpenWrong: func(ctx context.Context) (bridge.Source, error) { return u.open(ctx, "wrong") },
		Now:       time.Now,
		LongIDs:   true,
		Put: func(_ time.Time, contacts ...contact.Contact) error {
			for _, c := range contacts {
				if err := u.put(c); err != nil {
					return fmt.Errorf("put %.40q: %w", c.ID, err)
				}
			}
			return nil
		},
		Delete: func(_ time.Time, ids ...string) error {
			for _, id := range ids {
				if err := u.delete(id); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// attributes are those of a contact: all that it could have.
func (d dialect) attributes(c contact.Contact) map[string][]string {
	f := d.fields
	a := map[string][]string{
		f.Name: {c.Name}, f.Title: {c.Title}, f.Company: {c.Company}, f.Emails[0]: c.Emails, f.Phones[0]: c.Phones, f.Websites[0]: c.Websites,
		f.PhotoURL: {c.PhotoURL}, f.Address: {c.Address}, f.Twitter: {c.Twitter}, f.URL: {c.URL}, f.CustomFields[0].Expression: nil,
	}
	for _, custom := range c.CustomFields {
		a[f.CustomFields[0].Expression] = []string{custom.Value}
	}
	for from, to := range d.second {
		a[to] = nil
		if list := a[from]; len(list) > 1 {
			a[from], a[to] = list[:1], list[1:]
		}
	}
	for name, values := range a {
		if len(values) > 0 && values[0] == "" {
			a[name] = nil
		}
	}
	return a
}

func (u *unit) put(c contact.Contact) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if dn := u.dns[c.ID]; dn != "" {
		change := client.NewModifyRequest(dn, nil)
		for name, values := range dialectOf(u.server).attributes(c) {
			change.Replace(name, values)
		}
		return u.conn.Modify(change)
	}
	u.next++
	dn := fmt.Sprintf("cn=p%d,%s", u.next, u.dn)
	add := client.NewAddRequest(dn, nil)
	add.Attribute("objectClass", []string{dialectOf(u.server).class})
	add.Attribute("sn", []string{"Person"})
	for name, values := range dialectOf(u.server).attributes(c) {
		if len(values) > 0 {
			add.Attribute(name, values)
		}
	}
	if err := u.conn.Add(add); err != nil {
		return err
	}
	id, err := u.nativeID(dn)
	if err != nil {
		return err
	}
	for native, name := range u.names { // an earlier one of that id
		if name == c.ID {
			u.names[native] = fmt.Sprintf("%s#%d", c.ID, u.next)
		}
	}
	u.dns[c.ID], u.names[id] = dn, c.ID
	return nil
}

func (u *unit) nativeID(dn string) (string, error) {
	root, err := readRoot(&conn{Conn: u.conn})
	if err != nil {
		return "", err
	}
	found, err := u.conn.Search(&client.SearchRequest{BaseDN: dn, Scope: client.ScopeBaseObject, Filter: anyEntry, Attributes: []string{root.nativeID()}})
	if err != nil {
		return "", err
	}
	return (&mapping{product: root.product, idNative: root.nativeID()}).native(found.Entries[0]), nil
}

func (u *unit) delete(id string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	dn := u.dns[id]
	delete(u.dns, id)
	return u.conn.Del(client.NewDelRequest(dn, nil))
}

func (u *unit) config(password string) Config {
	return Config{
		URL: template(u.server.URL), BindDN: template(u.server.Reader), Password: template(password), Base: u.dn, Fields: dialectOf(u.server).fields, Changes: u.changes,
	}
}

func template(text string) source.Template {
	t, err := source.ParseTemplate(text)
	if err != nil {
		panic(err)
	}
	return t
}

func (u *unit) open(ctx context.Context, password string) (bridge.Source, error) {
	f, err := New(u.config(password), source.Deps{})
	if err != nil {
		return nil, err
	}
	s, err := f.Open(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &namedSource{Source: s.(*Source), factory: f, unit: u}, nil
}

// A namedSource gives contacts the suite's ids, and closes its factory with itself, as a process does.
type namedSource struct {
	*Source
	factory source.Factory
	unit    *unit
}

func (s *namedSource) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		for c, err := range s.Source.Read(ctx, run, after, limit) {
			if err == nil {
				c = s.unit.named(c)
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// Search implements [bridge.Searcher].
func (s *namedSource) Search(ctx context.Context, q bridge.Search) ([]contact.Contact, error) {
	found, err := s.Source.Search(ctx, q)
	for i := range found {
		found[i].ID = s.unit.name(found[i].ID)
	}
	return found, err
}

func (s *namedSource) Close() error { return errors.Join(s.Source.Close(), s.factory.Close()) }

// named gives a change the suite's id. An entry that was deleted and made anew is another one to the server: the deletion of the earlier
// one counts, and so do its changes, until the later one was shown.
func (u *unit) named(c bridge.Change) bridge.Change {
	native := strings.Clone(c.Contact.ID)
	name := u.name(native)
	id, _, earlier := strings.Cut(name, "#")
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case earlier && u.shown[id] == native:
		name = id
	case earlier:
		c.Deleted = true // a run that began before still shows it
	case !c.Deleted:
		u.shown[id] = native
	}
	c.Contact.ID = name
	return c
}

// name returns the suite's id of a contact, or the server's where the suite did not write it.
func (u *unit) name(id string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if name := u.names[id]; name != "" {
		return name
	}
	return strings.Clone(id)
}

func suiteOf(suite *ldaptest.Suite, changes string, deletions bool) sourcetest.Target {
	return sourcetest.Target{Unsorted: true, Tokens: true, Asked: true, HistoryTime: 2 * time.Second, New: func(t testing.TB) sourcetest.Service {
		service := newUnit(t, suite, changes).service()
		if !deletions {
			service.Delete = nil
		}
		return service
	}}
}

func TestSource(t *testing.T) { sourcetest.Run(t, suiteOf(openldap, "", true)) }

func TestSourceByStamp(t *testing.T) { sourcetest.Run(t, suiteOf(openldap, changesStamp, false)) }

// servers are the others to run the suites on. They take minutes, most of them for writing.
var servers = flag.String("servers", "", "also run the suites on these servers, separated by commas: samba, 389, 389log")

// On a server other than OpenLDAP: go test ./source/ldap -run OtherServers -servers samba,389,389log -timeout 20m -v.
func TestSourceOnOtherServers(t *testing.T) {
	for name := range strings.SplitSeq(*servers, ",") {
		switch name {
		case "samba":
			t.Run(name, func(t *testing.T) {
				target := suiteOf(samba, "", true)
				target.MaxText = 128
				sourcetest.Run(t, target)
			})
		case "389":
			t.Run(name, func(t *testing.T) { sourcetest.Run(t, suiteOf(dirsrv, "", false)) })
		case "389log":
			t.Run(name, func(t *testing.T) { sourcetest.Run(t, suiteOf(dirsrvLog, "", true)) })
		}
	}
}
