package ldap

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/test/ldaptest"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// opened is a source that ends with the test.
func opened(t testing.TB, cfg Config) *Source {
	t.Helper()
	f, err := New(cfg, source.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	s, err := f.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*Source)
}

// ran makes a run, and returns what it brought by names, deletions with a minus, and its checkpoint.
func ran(t testing.TB, s *Source, since bridge.Checkpoint) (names []string, all []contact.Contact, run bridge.Run, next bridge.Checkpoint) {
	t.Helper()
	run, err := s.Begin(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range s.Read(t.Context(), run, nil, 0) {
		switch {
		case err != nil:
			t.Fatal(err)
		case c.Rejected != "":
			names = append(names, "!"+c.Rejected)
		case c.Deleted:
			names = append(names, "-"+c.Contact.ID)
		default:
			names, all = append(names, c.Contact.Name), append(all, c.Contact.Clone())
		}
	}
	slices.Sort(names)
	return names, all, run, s.Checkpoint(run, nil, true)
}

// add adds an entry: its attributes as name=value.
func add(t testing.TB, c *client.Conn, dn string, attributes ...string) {
	t.Helper()
	request := client.NewAddRequest(dn, nil)
	values := map[string][]string{}
	for _, a := range attributes {
		name, value, _ := strings.Cut(a, "=")
		values[name] = append(values[name], value)
	}
	for name, list := range values {
		request.Attribute(name, list)
	}
	if err := c.Add(request); err != nil {
		t.Fatalf("add %s: %v", dn, err)
	}
}

func addPerson(t testing.TB, c *client.Conn, dn string, attributes ...string) {
	t.Helper()
	add(t, c, dn, append([]string{"objectClass=inetOrgPerson", "sn=Person"}, attributes...)...)
}

func want(t testing.TB, got []string, names ...string) {
	t.Helper()
	if !slices.Equal(got, names) {
		t.Errorf("read %q, want %q", got, names)
	}
}

// usual is a configuration without fields.
func usual(u *unit) Config {
	cfg := u.config(u.server.ReaderPassword)
	cfg.Fields = record.Fields{}
	return cfg
}

func TestTheDefaultsFitInetOrgPerson(t *testing.T) {
	u := newUnit(t, openldap, "")
	addPerson(t, u.conn, "cn=Ada,"+u.dn, "displayName=Ada Example", "title=Engineer", "o=Example Corp.", "mail=ada@example.com", "mail=a@example.com",
		"telephoneNumber=+44 20 7946 0018", "telephoneNumber=+44 20 7946 0019", "mobile=+44 7700 900001", "labeledURI=https://www.example.com/ada Ada's page",
		"postalAddress=1 Street$London$UK", "departmentNumber=R&D", "jpegPhoto=\xff\xd8\xff\xe0\x00", "description=[not a list")
	addPerson(t, u.conn, "cn=Bob+uid=b,"+u.dn, "cn;lang-de=Robert", "street=2 Road", "postalCode=10115", "l=Berlin")
	s := opened(t, usual(u))
	names, all, _, _ := ran(t, s, "")
	want(t, names, "Ada Example", "Bob")
	ada := all[slices.IndexFunc(all, func(c contact.Contact) bool { return c.Title != "" })]
	got := fmt.Sprint(ada.Company, ada.Emails, ada.Phones, ada.Websites, ada.Address, ada.CustomFields)
	if got != "Example Corp.[ada@example.com a@example.com] [+44 20 7946 0018 +44 20 7946 0019 +44 7700 900001] [https://www.example.com/ada]1 Street, London, UK[{Department R&D}]" {
		t.Errorf("Ada is %s", got)
	}
	bob := all[slices.IndexFunc(all, func(c contact.Contact) bool { return c.Title == "" })]
	if bob.Address != "2 Road, 10115 Berlin" || len(bob.ID) != 36 {
		t.Errorf("Bob is %+v", bob)
	}
	i, err := s.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(i.Problems); !strings.Contains(text, "such as photos, are not sent: jpegPhoto") || !slices.Contains(i.Unused, "description") {
		t.Errorf("problems %s, unused %q", text, i.Unused)
	}
}

// A-L4: whoever left the base or the filter is gone with the next run.
func TestWhoLeftTheBaseOrTheFilterIsGone(t *testing.T) {
	u := newUnit(t, openldap, "")
	for _, ou := range []string{"sales", "left"} {
		add(t, u.conn, "ou="+ou+","+u.dn, "objectClass=organizationalUnit")
	}
	sales := "ou=sales," + u.dn
	for _, name := range []string{"Ada", "Bob", "Eve"} {
		addPerson(t, u.conn, "cn="+name+","+sales, "telephoneNumber=+44 7700 900001")
	}
	for _, changes := range []string{"", changesStamp} {
		cfg := usual(u)
		cfg.Base, cfg.Filter, cfg.Changes = sales, "(&(objectClass=person)(telephoneNumber=*))", changes
		s := opened(t, cfg)
		names, all, _, checkpoint := ran(t, s, "")
		want(t, names, "Ada", "Bob", "Eve")
		ids := map[string]string{}
		for _, c := range all {
			ids[c.Name] = c.ID
		}
		if err := u.conn.ModifyDN(client.NewModifyDNRequest("cn=Ada,"+sales, "cn=Ada", true, "ou=left,"+u.dn)); err != nil {
			t.Fatal(err)
		}
		number := client.NewModifyRequest("cn=Bob,"+sales, nil)
		number.Replace("telephoneNumber", nil)
		if err := u.conn.Modify(number); err != nil {
			t.Fatal(err)
		}
		names, _, run, _ := ran(t, s, checkpoint)
		gone := slices.DeleteFunc(names, func(n string) bool { return n == "Eve" || n[0] == '-' && n != "-"+ids["Ada"] && n != "-"+ids["Bob"] })
		if wanted := []string{"-" + ids["Ada"], "-" + ids["Bob"]}; run.Initial() || !slices.Equal(gone, slices.Sorted(slices.Values(wanted))) {
			t.Errorf("changes %q: the run brought %q (initial: %t), want the deletions %q", changes, names, run.Initial(), wanted)
		}
		if err := u.conn.ModifyDN(client.NewModifyDNRequest("cn=Ada,ou=left,"+u.dn, "cn=Ada", true, sales)); err != nil {
			t.Fatal(err)
		}
		number.Replace("telephoneNumber", []string{"+44 7700 900002"})
		number.Changes = number.Changes[1:]
		if err := u.conn.Modify(number); err != nil {
			t.Fatal(err)
		}
	}
}

// A unit that is moved takes its people along without changing their entries.
func TestAUnitThatMovedBeginsAnInitialRun(t *testing.T) {
	u := newUnit(t, openldap, "")
	for _, ou := range []string{"in", "out"} {
		add(t, u.conn, "ou="+ou+","+u.dn, "objectClass=organizationalUnit")
	}
	add(t, u.conn, "ou=team,ou=in,"+u.dn, "objectClass=organizationalUnit")
	addPerson(t, u.conn, "cn=Ada,ou=team,ou=in,"+u.dn)
	addPerson(t, u.conn, "cn=Bob,ou=in,"+u.dn)
	cfg := usual(u)
	cfg.Base = "ou=in," + u.dn
	s := opened(t, cfg)
	names, _, _, checkpoint := ran(t, s, "")
	want(t, names, "Ada", "Bob")
	if err := u.conn.ModifyDN(client.NewModifyDNRequest("ou=team,ou=in,"+u.dn, "ou=team", true, "ou=out,"+u.dn)); err != nil {
		t.Fatal(err)
	}
	names, _, run, _ := ran(t, s, checkpoint)
	if want(t, names, "Bob"); !run.Initial() {
		t.Error("the run was not an initial one")
	}
}

// Below a whole naming context nobody leaves with a unit, but who is a contact, and what they hold, may still lie in the names above them.
//
// On 389 Directory Server too: go test ./source/ldap -run UnitThatMoved -servers 389log -v.
func TestAUnitThatMovedWithinANamingContextBeginsAnInitialRun(t *testing.T) {
	t.Run("openldap", func(t *testing.T) { unitMovedWithinAContext(t, openldap) })
	if slices.Contains(strings.Split(*servers, ","), "389log") {
		t.Run("389log", func(t *testing.T) { unitMovedWithinAContext(t, dirsrvLog) })
	}
}

func unitMovedWithinAContext(t *testing.T, suite *ldaptest.Suite) {
	u := newUnit(t, suite, "")
	in, out := "ou=in,"+u.dn, "ou=out,"+u.dn
	cases := map[string]struct {
		cfg           Config
		before, after []string
	}{
		"members":            {Config{Base: u.server.Base, MemberOf: []string{"cn=sales," + u.dn}}, []string{"Ada", "Bob"}, []string{"Bob"}},
		"members, no base":   {Config{MemberOf: []string{"cn=sales," + u.dn}}, []string{"Ada", "Bob"}, []string{"Bob"}},
		"members, elsewhere": {Config{Base: u.server.Base, MemberOf: []string{"cn=new," + u.dn}}, nil, []string{"Ada"}},
		"unit of member_of":  {Config{Base: u.server.Base, MemberOf: []string{in}}, []string{"Ada", "Bob"}, []string{"Bob"}},
		"filter":             {Config{Base: u.server.Base, Filter: "(&(objectClass=person)(ou:dn:=in)(ou:dn:=" + strings.TrimPrefix(strings.Split(u.dn, ",")[0], "ou=") + "))"}, []string{"Ada", "Bob"}, []string{"Bob"}},
	}
	if suite == openldap {
		c := cases["filter"]
		c.cfg.Filter = "(&(objectClass=person)(entryDN:dnSubtreeMatch:=" + in + "))"
		cases["filter by entryDN"] = c
		c.cfg = Config{Base: u.server.Base, Filter: "(&(objectClass=person)(description=" + u.dn + "))", Fields: record.Fields{Name: "entryDN"}}
		c.before, c.after = []string{"cn=Ada,ou=team," + in}, []string{"cn=Ada,ou=team," + out}
		cases["field"] = c
	}
	add(t, u.conn, in, "objectClass=organizationalUnit")
	add(t, u.conn, out, "objectClass=organizationalUnit")
	add(t, u.conn, "ou=team,"+in, "objectClass=organizationalUnit")
	addPerson(t, u.conn, "cn=Ada,ou=team,"+in, "description="+u.dn)
	addPerson(t, u.conn, "cn=Bob,"+in)
	add(t, u.conn, "cn=sales,"+u.dn, "objectClass=groupOfNames", "member=cn=Ada,ou=team,"+in, "member=cn=Bob,"+in)
	add(t, u.conn, "cn=new,"+u.dn, "objectClass=groupOfNames", "member=cn=Ada,ou=team,"+out)
	checkpoints, open := map[string]bridge.Checkpoint{}, map[string]*Source{}
	for name, c := range cases {
		cfg := usual(u)
		cfg.Base, cfg.MemberOf, cfg.Filter, cfg.Fields = c.cfg.Base, c.cfg.MemberOf, c.cfg.Filter, c.cfg.Fields
		open[name] = opened(t, cfg)
		var names []string
		names, _, _, checkpoints[name] = ran(t, open[name], "")
		want(t, names, c.before...)
	}
	for name := range cases {
		if names, _, run, _ := ran(t, open[name], checkpoints[name]); len(names) > 0 || run.Initial() {
			t.Errorf("%s: nothing changed, and a run brought %q (initial: %t)", name, names, run.Initial())
		}
	}
	if err := u.conn.ModifyDN(client.NewModifyDNRequest("ou=team,"+in, "ou=team", true, out)); err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			names, _, run, _ := ran(t, open[name], checkpoints[name])
			if want(t, names, c.after...); !run.Initial() {
				t.Error("the run was not an initial one")
			}
		})
	}
}

func TestMembersOfGroupsAndUnits(t *testing.T) {
	u := newUnit(t, openldap, "")
	add(t, u.conn, "ou=people,"+u.dn, "objectClass=organizationalUnit")
	add(t, u.conn, "ou=hq,"+u.dn, "objectClass=organizationalUnit")
	for _, name := range []string{"Ada", "Bob", "Eve", "Zoe"} {
		addPerson(t, u.conn, "cn="+name+",ou=people,"+u.dn, "uid="+strings.ToLower(name))
	}
	addPerson(t, u.conn, "cn=Boss,ou=hq,"+u.dn)
	add(t, u.conn, "cn=inner,"+u.dn, "objectClass=groupOfUniqueNames", "uniqueMember=CN=bob, OU=people,"+u.dn, "uniqueMember=cn=outer,"+u.dn)
	add(t, u.conn, "cn=outer,"+u.dn, "objectClass=groupOfNames", "member=cn=Ada,ou=people,"+u.dn, "member=cn=inner,"+u.dn)
	add(t, u.conn, "cn=unix,"+u.dn, "objectClass=posixGroup", "gidNumber=7", "memberUid=zoe")
	cfg := usual(u)
	cfg.MemberOf = []string{"cn=outer," + u.dn, "cn=unix," + u.dn, "ou=hq," + u.dn}
	s := opened(t, cfg)
	names, _, _, checkpoint := ran(t, s, "")
	want(t, names, "Ada", "Bob", "Boss", "Zoe")
	change := client.NewModifyRequest("cn=inner,"+u.dn, nil)
	change.Add("uniqueMember", []string{"cn=Eve,ou=people," + u.dn})
	if err := u.conn.Modify(change); err != nil {
		t.Fatal(err)
	}
	names, _, run, _ := ran(t, s, checkpoint)
	if want(t, names, "Ada", "Bob", "Boss", "Eve", "Zoe"); !run.Initial() {
		t.Error("members changed, and the run was not an initial one")
	}
	if n, err := s.Count(t.Context()); n != 5 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
}

func TestDisabledAccountsAreLeftOut(t *testing.T) {
	u := newUnit(t, openldap, "")
	addPerson(t, u.conn, "cn=Ada,"+u.dn)
	addPerson(t, u.conn, "cn=Bob,"+u.dn, "userPassword=secret")
	lock := client.NewModifyRequest("cn=Bob,"+u.dn, []client.Control{client.NewControlString("1.3.6.1.4.1.4203.666.5.12", true, "")})
	lock.Replace("pwdAccountLockedTime", []string{"000001010000Z"})
	if err := u.conn.Modify(lock); err != nil {
		t.Fatal(err)
	}
	cfg := usual(u)
	names, _, _, _ := ran(t, opened(t, cfg), "")
	want(t, names, "Ada")
	cfg.IncludeDisabled = true
	names, _, _, _ = ran(t, opened(t, cfg), "")
	want(t, names, "Ada", "Bob")
}

func TestWaysToConnect(t *testing.T) {
	u := newUnit(t, openldap, "")
	addPerson(t, u.conn, "cn=Ada,"+u.dn)
	plain := usual(u)
	startTLS, ldaps, ldapi := plain, plain, plain
	startTLS.StartTLS, startTLS.CA = true, u.server.CA
	ldaps.URL, ldaps.CA = template(u.server.TLSURL), u.server.CA
	ldapi.URL = template("ldapi://" + url.PathEscape(strings.TrimPrefix(u.server.Socket, "ldapi://")))
	for _, cfg := range []Config{plain, startTLS, ldaps, ldapi} {
		names, _, _, _ := ran(t, opened(t, cfg), "")
		want(t, names, "Ada")
	}
}

// Every error says what is wrong and what to do, and holds no credential.
func TestErrors(t *testing.T) {
	u := newUnit(t, openldap, "")
	addPerson(t, u.conn, "cn=Ada,"+u.dn)
	with := func(change func(*Config)) Config {
		cfg := usual(u)
		change(&cfg)
		return cfg
	}
	for name, c := range map[string]struct {
		cfg           Config
		code          bridge.Code
		message, hint string
	}{
		"wrong password":    {with(func(c *Config) { c.Password = template("hunter2") }), bridge.CodeUnauthorized, "refused bind_dn and password", "Check both"},
		"no such base":      {with(func(c *Config) { c.Base = "ou=nowhere,dc=example,dc=com" }), bridge.CodeSourceBroken, "no right to read ou=nowhere,dc=example,dc=com, or it does not exist", "Check base"},
		"no right (A-L5)":   {with(func(c *Config) { c.Base = "ou=hidden,dc=example,dc=com" }), bridge.CodeSourceBroken, "no right to read ou=hidden", "the right to read and search"},
		"unknown authority": {with(func(c *Config) { c.URL = template(u.server.TLSURL) }), bridge.CodeSourceBroken, "certificate is not trusted", "with ca"},
		"another name": {with(func(c *Config) {
			c.URL, c.CA = template(strings.Replace(u.server.TLSURL, "127.0.0.1", "localhost", 1)), u.server.CA
		}), bridge.CodeSourceBroken, "certificate is for another name", "the name that the certificate has"},
		"TLS on the wrong port": {with(func(c *Config) { c.URL = template(strings.Replace(u.server.URL, "ldap:", "ldaps:", 1)) }), bridge.CodeSourceUnavailable, "cannot be encrypted", "port 636"},
		"nobody there":          {with(func(c *Config) { c.URL = template("ldap://127.0.0.1:1") }), bridge.CodeSourceUnavailable, "cannot be reached", "Is it running"},
		"unknown attribute":     {with(func(c *Config) { c.Fields.Name = "dispalyName" }), bridge.CodeSourceBroken, `fields.name: Unknown column "dispalyName"`, `Did you mean "displayName"`},
		"no such group":         {with(func(c *Config) { c.MemberOf = []string{"cn=none,dc=example,dc=com"} }), bridge.CodeSourceBroken, "there is no cn=none,dc=example,dc=com", "member_of"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := opened(t, c.cfg).Begin(t.Context(), "")
			said := failure.Of(err)
			if bridge.CodeOf(err) != c.code || !strings.Contains(said.Message, c.message) || !strings.Contains(said.Hint, c.hint) {
				t.Errorf("%s: %s (%s), want %s: %s (%s)", bridge.CodeOf(err), said.Message, said.Hint, c.code, c.message, c.hint)
			}
			if strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
}

// limited is a server with a reader who may read 10 entries, also in pages.
var limited = &ldaptest.Suite{Start: func(ctx context.Context) (*ldaptest.Server, error) {
	return ldaptest.StartOpenLDAP(ctx, ldaptest.OpenLDAP{Limits: "size.pr=5 size.prtotal=10 size.soft=10 size.hard=10"})
}}

// A-L1: a limit of the server is an error, and never the end of the contacts.
func TestASizeLimitIsAnError(t *testing.T) {
	u := newUnit(t, limited, "")
	for i := range 14 {
		addPerson(t, u.conn, fmt.Sprintf("cn=p%d,%s", i, u.dn))
	}
	cfg := usual(u)
	cfg.PageSize = 5
	_, err := opened(t, cfg).Begin(t.Context(), "")
	if said := failure.Of(err); bridge.CodeOf(err) != bridge.CodeSourceBroken || !strings.Contains(said.Message, "stopped at its limit") || !strings.Contains(said.Hint, "size.prtotal") {
		t.Errorf("%v (%s)", err, said.Hint)
	}
}

// After a restart OpenLDAP lists who is present instead of who is gone: that begins an initial run.
func TestARestartedServerDeletesNobody(t *testing.T) {
	suite := &ldaptest.Suite{Start: openldap.Start}
	t.Cleanup(func() { _ = suite.Stop() })
	u := newUnit(t, suite, "")
	for i := range 30 {
		if err := u.put(sourcetest.Full(i)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := usual(u)
	cfg.Fields = record.Fields{Name: "displayName"}
	names, _, _, checkpoint := ran(t, opened(t, cfg), "")
	if len(names) != 30 {
		t.Fatalf("read %d", len(names))
	}
	if err := errors.Join(u.delete("c00003"), u.put(sourcetest.Full(40))); err != nil {
		t.Fatal(err)
	}
	u.server.Shutdown()
	if err := u.server.Launch(t.Context()); err != nil {
		t.Fatal(err)
	}
	names, _, run, next := ran(t, opened(t, cfg), checkpoint)
	if len(names) != 30 || !run.Initial() || slices.ContainsFunc(names, func(n string) bool { return n[0] == '-' }) {
		t.Errorf("after the restart: %d (initial: %t) %q", len(names), run.Initial(), names)
	}
	names, _, run, _ = ran(t, opened(t, cfg), next)
	if len(names) > 0 || run.Initial() {
		t.Errorf("the run after that: %q (initial: %t)", names, run.Initial())
	}
}

// A cookie that the server does not know begins an initial run.
func TestAnExpiredCookieBeginsAnInitialRun(t *testing.T) {
	u := newUnit(t, openldap, "")
	addPerson(t, u.conn, "cn=Ada,"+u.dn)
	s := opened(t, usual(u))
	_, _, _, checkpoint := ran(t, s, "")
	old, err := parseToken(string(checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range []string{"rid=000,csn=20010101000000.000000Z#000000#000#000000", "rid=000", "nonsense"} {
		old.cookies = []string{cookie}
		names, _, run, _ := ran(t, s, bridge.Checkpoint(old.String()))
		if want(t, names, "Ada"); !run.Initial() {
			t.Errorf("cookie %q: the run was not an initial one", cookie)
		}
	}
}

// What takes longer than a request goes on after it, and the next request that asks for the same gets it.
func TestALongReadingIsTakenUpAgain(t *testing.T) {
	u := newUnit(t, openldap, "")
	addPerson(t, u.conn, "cn=Ada,"+u.dn)
	var s *Source
	var err error
	busy := false
	for range 100 { // until the machine is neither too fast nor too slow for the time limit
		s = opened(t, usual(u))
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err = s.Begin(short, "")
		cancel()
		e, ok := errors.AsType[*bridge.Error](err)
		if busy = ok && e.Code == bridge.CodeSourceUnavailable && e.RetryAfter != 0 && errors.Is(err, source.ErrBusy); busy {
			break
		}
	}
	if !busy {
		t.Fatalf("no reading took longer than its request: %v", err)
	}
	s.tenant.mu.Lock()
	first := s.tenant.begins[""]
	s.tenant.mu.Unlock()
	names, _, _, _ := ran(t, s, "")
	want(t, names, "Ada")
	if first == nil || first.spool == nil {
		t.Error("the first reading was not taken up")
	}
}
