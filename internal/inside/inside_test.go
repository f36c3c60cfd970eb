package inside_test

import (
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/outbound"
	"github.com/contactbridge/contactbridge/internal/inside"
)

func sources(t *testing.T, folder string) *inside.Sources {
	t.Helper()
	var policy outbound.Policy
	s := inside.New(inside.Options{Folder: folder, Transport: outbound.New(policy), Dial: outbound.Dialer(policy).DialContext})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// read follows the pages of a source as a run does.
func read(t *testing.T, s *inside.Sources, text string, trusted bool, auth bridge.Auth) ([]string, error) {
	t.Helper()
	client := &bridge.Client{URL: "http://source.invalid/source/contact_sync", Auth: auth, HTTP: &http.Client{Transport: s.Transport(hub.InsideSource{Account: "acme", Text: text, Trusted: trusted})}}
	var names []string
	for q := (bridge.PageRequest{}); ; {
		page, err := client.Page(t.Context(), q)
		if err != nil {
			return names, err
		}
		for _, c := range page.Contacts {
			names = append(names, c.ID+" "+c.Name+" "+strings.Join(c.Phones, ","))
			for _, field := range c.CustomFields {
				names = append(names, field.Key+"="+field.Value)
			}
		}
		if page.Release != nil {
			page.Release()
		}
		if page.NextOffset == "" {
			return names, nil
		}
		q.Offset = page.NextOffset
	}
}

const inMemory = `{"source": {"kind": "memory", "contacts": [{"id": "1", "name": "Ann $x $$", "phones": ["020 7946 0001"], "updated": "2026-01-01T00:00:00Z", "custom_fields": {"Price in $": "5 $"}},
	{"id": "2", "name": "Bob", "updated": "2026-01-02T00:00:00Z"}]}, "phones": {"region": "GB", "format": "e164"}, "page": {"contacts": 1}}`

// A source is read page by page, and what its texts hold is what they say.
func TestASourceIsAskedAsABridgeIs(t *testing.T) {
	s := sources(t, "")
	for _, trusted := range []bool{true, false} {
		names, err := read(t, s, inMemory, trusted, nil)
		if err != nil || strings.Join(names, "; ") != "1 Ann $x $$ +442079460001; Price in $=5 $; 2 Bob " {
			t.Errorf("trusted %t: %q, %v", trusted, names, err)
		}
	}
	if kind, err := s.Check(hub.InsideSource{Account: "acme", Text: inMemory, Trusted: false}); kind != "memory" || err != nil {
		t.Error(kind, err)
	}
}

// The operator's file may name files, from its folder on.
func TestTheOperatorsSourcesReadFiles(t *testing.T) {
	folder := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(folder, "crm.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, updated INTEGER); INSERT INTO people VALUES (7, 'Ann', 1)"); err != nil {
		t.Fatal(err)
	}
	const text = "source: {kind: sqlite, path: crm.db, table: people, id: id, updated: updated, fields: {name: name}}"
	s := sources(t, folder)
	if names, err := read(t, s, text, true, nil); err != nil || fmt.Sprint(names) != "[7 Ann ]" {
		t.Error(names, err)
	}
	if _, err := s.Check(hub.InsideSource{Account: "acme", Text: text, Trusted: false}); failure.Of(err).Field != "source.kind" {
		t.Error("somebody else may read files:", err)
	}
	if names, err := read(t, s, text, false, nil); err == nil {
		t.Error("somebody else reads files:", names)
	}
}

// Whoever may add integrations gets at nothing of the hub's machine.
func TestWhatOnlyTheOperatorMayWrite(t *testing.T) {
	const table = ", table: t, id: id, updated: u, fields: {name: n}}"
	s := sources(t, "")
	for _, c := range [][2]string{
		{"source: {kind: csv, path: /etc/passwd}", "source.path"},
		{"source: {kind: xlsx, path: a.xlsx}", "source.path"},
		{"source: {kind: vcard, path: '*.vcf'}", "source.path"},
		{"source: {kind: jsonl, path: a}", "source.path"},
		{"source: {kind: json, path: 'upload:{{auth.name}}'}", "source.path"},
		{"source: {kind: sqlite, path: hub.db" + table, "source.kind"},
		{"sources: {a: {kind: csv, path: /etc/passwd}}", "sources.a.path"},
		{"source: {kind: mysql, dsn: 'mysql://u:p@/x?socket=/run/m.sock'" + table, "source.dsn"},
		{"source: {kind: mysql, dsn: 'mysql://u:p@db/x?ca=/etc/ssl/a.pem'" + table, "source.dsn"},
		{"source: {kind: mysql, dsn: 'mysql://u:p@db/x?allowAllFiles=true'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u:p@db/x?sslkey=/root/.ssh/id'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u:p@db/x?passfile=/root/.pgpass'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u:p@db/x?service=own'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u:p@db/x?servicefile=/tmp/f&application_name=a'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u:p@db/x?host=/run/postgresql'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u:p@%2Frun%2Fpostgresql/x'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u:p@a,b/x'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres:///x'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u@db/x'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'host=db user=u password=p dbname=x'" + table, "source.dsn"},
		{"source: {kind: mysql, dsn: 'mysql://{{auth.u}}:x@/x?socket=/run/m.sock'" + table, "source.dsn"},
		{"source: {kind: mysql, dsn: 'mysql://{{auth.u}}:x@db/x?ca=/dev/zero'" + table, "source.dsn"},
		{"source: {kind: mysql, dsn: 'mysql://u:x@db/x?{{auth.k}}=/dev/zero'" + table, "source.dsn"},
		{"source: {kind: mysql, dsn: 'mysql://u:x@db/{{auth.u}}?ca={{auth.f}}'" + table, "source.dsn"},
		{"source: {kind: mysql, dsn: '{{auth.s}}://u:x@db/x?ca=/dev/zero'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u:{{auth.u}}@db/x?sslrootcert=/dev/zero'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u:{{auth.u}}@%2Frun%2Fpostgresql/x'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: 'postgres://u:p@db/x?{{auth.k}}=/home/hub/.pgpass'" + table, "source.dsn"},
		{"source: {kind: postgres, dsn: '{{auth.s}}://u:p@db/x'" + table, "source.dsn"},
		{"source: {kind: ldap, url: '{{auth.s}}:///run/slapd/ldapi'}", "source.url"},
		{"source: {kind: ldap, url: 'ldap{{auth.i}}:///run/slapd/ldapi'}", "source.url"},
		{"source: {kind: ldap, url: 'ldapi://{{auth.i}}'}", "source.url"},
		{"source: {kind: csv, path: '{{auth.u}}'}", "source.path"},
		{"source: {kind: ldap, url: 'ldapi:///run/slapd/ldapi'}", "source.url"},
		{"source: {kind: ldap, url: 'ldaps://ldap.example.com', ca: /etc/ssl/a.pem}", "source.ca"},
		{"source: {kind: mysql, dsn: 'mysql://u:${DB_PW}@db/x'" + table, "source"},
		{"{source: {kind: memory, contacts: [{id: a, name: '${file:/etc/passwd}'}]}}", "source"},
		{"{source: {kind: memory, contacts: [{id: a, name: b}]}, auth: none}", "auth"},
		{"{source: {kind: memory, contacts: [{id: a, name: b}]}, unknown_checkpoint: refuse}", "unknown_checkpoint"},
		{"source: {kind: hubspot, access_token: x, auth: [{by: bearer, token_file: /etc/passwd}]}", "source.auth.0.token_file"},
		{"source: {kind: nothing}", "source.kind"},
		{"source: {kind: mysql}", "source.dsn"},
		{"[]", "source"},
		{"source: {", "source"},
	} {
		text, field := c[0], c[1]
		_, err := s.Check(hub.InsideSource{Account: "acme", Text: text, Trusted: false})
		var fields []string
		for _, f := range failure.All(err) {
			fields = append(fields, f.Field)
			if f.Hint == "" || f.Message == "" {
				t.Errorf("%s: %q, %q", text, f.Message, f.Hint)
			}
		}
		if !strings.Contains(" "+strings.Join(fields, " ")+" ", " "+field+" ") {
			t.Errorf("%s: %v, in %q", text, err, fields)
		}
		if names, err := read(t, s, text, false, bridge.Auth{"u": "me", "k": "ca", "f": "/dev/zero", "s": "ldapi", "i": "i"}); err == nil {
			t.Errorf("%s: it is read: %q", text, names)
		}
	}
}

// What a credential makes of a source is judged when it is opened: nothing of the hub's machine is, although the hub may ask private addresses.
func TestCredentialsLeadToNothingOfTheMachine(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			asked <- struct{}{}
			_ = conn.Close()
		}
	}()
	policy := outbound.Policy{AllowPrivate: true}
	s := inside.New(inside.Options{Transport: outbound.New(policy), Dial: outbound.Dialer(policy).DialContext})
	defer func() { _ = s.Close() }()
	const table = ", table: t, id: id, updated: u, fields: {name: n}}"
	for _, text := range []string{
		"source: {kind: mysql, dsn: 'mysql://{{auth.u}}:x@/x?socket=" + socket + "'" + table,
		"source: {kind: postgres, dsn: 'postgres://u:p@{{auth.h}}/x'" + table,
		"source: {kind: ldap, url: '{{auth.s}}://" + socket + "'}",
		"source: {kind: ldap, url: 'ldap{{auth.i}}://" + socket + "'}",
	} {
		auth := bridge.Auth{"u": "me", "s": "ldapi", "i": "i", "h": filepath.Dir(socket)}
		if _, err := read(t, s, text, false, auth); err == nil || strings.Contains(err.Error(), "connect") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if len(asked) > 0 {
		t.Errorf("the socket was asked %d times", len(asked))
	}
}

// Placeholders may stand where the documents say.
func TestPlaceholdersMayStandInASource(t *testing.T) {
	s := sources(t, "")
	const table = ", table: t, id: id, updated: u, fields: {name: n}}"
	for _, text := range []string{
		"source: {kind: mysql, dsn: 'mysql://{{auth.u}}:{{auth.pw}}@db.example.com:3306/{{auth.u}}?tls=true'" + table,
		"source: {kind: postgres, dsn: 'postgres://reader:{{auth.pw}}@db.example.com/crm'" + table,
		"source: {kind: postgres, dsn: 'postgres://{{auth.u}}:{{auth.pw}}@{{auth.h}}.db.example.com/{{auth.u}}'" + table,
		"source: {kind: ldap, url: 'ldaps://{{auth.h}}:636', bind_dn: '{{auth.u}}', password: '{{auth.pw}}'}",
		"source: {kind: carddav, url: 'https://{{auth.h}}/', username: '{{auth.u}}', password: '{{auth.pw}}'}",
	} {
		if _, err := s.Check(hub.InsideSource{Account: "acme", Text: text}); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Sources of other people ask no machine beside the hub, and the error says how that is allowed.
func TestSourcesOfOthersAskNoPrivateAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			asked <- struct{}{}
			_ = conn.Close()
		}
	}()
	at := l.Addr().String()
	s := sources(t, "")
	const table = ", table: t, id: id, updated: u, fields: {name: n}}"
	for _, text := range []string{
		"source: {kind: mysql, dsn: 'mysql://u:p@" + at + "/x'" + table,
		"source: {kind: postgres, dsn: 'postgres://u:p@" + at + "/x'" + table,
		"source: {kind: ldap, url: 'ldap://" + at + "', base: 'dc=x'}",
		"source: {kind: carddav, url: 'http://" + at + "', username: a, password: b}",
		"source: {kind: espocrm, url: 'http://" + at + "', api_key: b}",
	} {
		_, err := read(t, s, text, false, nil)
		if !outbound.IsRefused(err) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if len(asked) > 0 {
		t.Errorf("it was asked %d times", len(asked))
	}
	if _, err := read(t, s, "source: {kind: ldap, url: 'ldap://"+at+"', base: 'dc=x'}", true, nil); outbound.IsRefused(err) || len(asked) == 0 {
		t.Error("the operator's source does not ask:", err)
	}
}

// What callers of a bridge would send is the integration's auth.
func TestASourceTakesTheIntegrationsAuth(t *testing.T) {
	const text = "source: {kind: mysql, dsn: 'mysql://{{auth.user}}:{{auth.password}}@db.example.com/x', table: t, id: id, updated: u, fields: {name: n}}"
	s := sources(t, "")
	if kind, err := s.Check(hub.InsideSource{Account: "acme", Text: text, Trusted: false}); kind != "mysql" || err != nil {
		t.Fatal(kind, err)
	}
	_, err := read(t, s, text, false, bridge.Auth{"user": "a"})
	if bridge.CodeOf(err) != bridge.CodeUnauthorized {
		t.Error(err)
	}
}
