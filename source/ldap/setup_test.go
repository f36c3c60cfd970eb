package ldap

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/source"
)

// What init is told: the naming context and the units with people, the attributes in use, and that the connection can be encrypted.
func TestSetupFindsBasesAndAttributes(t *testing.T) {
	u := newUnit(t, openldap, "")
	add(t, u.conn, "ou=a,"+u.dn, "objectClass=organizationalUnit")
	addPerson(t, u.conn, "cn=Ada,ou=a,"+u.dn, "mail=ada@example.com")
	addPerson(t, u.conn, "cn=Bob,"+u.dn)
	answers := source.Answers{"url": u.server.URL, "bind_dn": u.server.Reader, "password": u.server.ReaderPassword}
	found, err := look(t.Context(), answers, source.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, thing := range found.Things {
		names = append(names, thing.Name)
		if !thing.Ready || thing.Rows < 1 || !strings.Contains(thing.Title, "inetOrgPerson") {
			t.Errorf("%+v", thing)
		}
	}
	if len(names) < 3 || names[0] != u.server.Base || !strings.Contains(strings.Join(names, " "), "ou=a,"+u.dn) {
		t.Errorf("found %q", names)
	}
	answers["password"] = "hunter2"
	if _, err := look(t.Context(), answers, source.Deps{}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a wrong password: %v", err)
	}
	for _, question := range setup().Questions(nil) {
		if question.Check != nil && question.Check("http://example.com") == nil {
			t.Errorf("%s takes a web address", question.Key)
		}
	}
}

// By comparing everything: nothing new is nothing, and any change begins an initial run.
func TestComparingEverything(t *testing.T) {
	u := newUnit(t, openldap, changesWhole)
	addPerson(t, u.conn, "cn=Ada,"+u.dn)
	s := opened(t, usual(u))
	names, _, _, checkpoint := ran(t, s, "")
	want(t, names, "Ada")
	names, _, run, again := ran(t, s, checkpoint)
	if want(t, names); run.Initial() || again != checkpoint {
		t.Errorf("nothing had changed: initial %t, %s after %s", run.Initial(), again, checkpoint)
	}
	addPerson(t, u.conn, "cn=Bob,"+u.dn)
	names, _, run, _ = ran(t, s, checkpoint)
	if want(t, names, "Ada", "Bob"); !run.Initial() {
		t.Error("a change did not begin an initial run")
	}
}
