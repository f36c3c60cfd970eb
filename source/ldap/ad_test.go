package ldap

import (
	"slices"
	"strings"
	"testing"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// The defaults of Active Directory, on Samba: go test ./source/ldap -run ActiveDirectory -servers samba -v.
func TestActiveDirectory(t *testing.T) {
	if !slices.Contains(strings.Split(*servers, ","), "samba") {
		return // TestSourceOnOtherServers says how
	}
	u := newUnit(t, samba, "")
	user := func(name string, more ...string) {
		add(t, u.conn, "CN="+name+","+u.dn, append([]string{"objectClass=user", "sAMAccountName=" + strings.ToLower(name)}, more...)...)
	}
	user("Ada", "displayName=Ada Example", "userAccountControl=544", "company=Example Corp.", "telephoneNumber=+44 20 7946 0018", "otherTelephone=+44 20 7946 0019", "department=R&D",
		"thumbnailPhoto=\xff\xd8\xff\xe0\x00")
	user("Bob", "userAccountControl=546") // disabled
	user("Eve", "userAccountControl=544")
	add(t, u.conn, "CN=Zoe,"+u.dn, "objectClass=contact", "mail=zoe@example.com")
	add(t, u.conn, "CN=inner,"+u.dn, "objectClass=group", "sAMAccountName=inner", "member=CN=Eve,"+u.dn)
	add(t, u.conn, "CN=outer,"+u.dn, "objectClass=group", "sAMAccountName=outer", "member=CN=inner,"+u.dn, "member=CN=Zoe,"+u.dn)

	s := opened(t, usual(u))
	names, all, _, checkpoint := ran(t, s, "")
	want(t, names, "Ada Example", "Eve", "Zoe")
	for _, c := range all {
		if c.Name == "Ada Example" && (len(c.Phones) != 2 || c.Company != "Example Corp." || len(c.CustomFields) != 1) {
			t.Errorf("Ada is %+v", c)
		}
	}
	grouped := usual(u)
	grouped.Base, grouped.MemberOf = u.server.Base, []string{"CN=outer," + u.dn}
	g := opened(t, grouped)
	names, _, _, members := ran(t, g, "")
	want(t, names, "Eve", "Zoe")
	change := client.NewModifyRequest("CN=inner,"+u.dn, nil)
	change.Add("member", []string{"CN=Ada," + u.dn})
	if err := u.conn.Modify(change); err != nil {
		t.Fatal(err)
	}
	names, _, run, _ := ran(t, g, members)
	if want(t, names, "Ada Example", "Eve", "Zoe"); !run.Initial() {
		t.Error("members changed, and the run was not an initial one")
	}
	disabled := client.NewModifyRequest("CN=Ada,"+u.dn, nil)
	disabled.Replace("userAccountControl", []string{"546"})
	if err := u.conn.Modify(disabled); err != nil {
		t.Fatal(err)
	}
	names, _, run, _ = ran(t, s, checkpoint)
	ada := all[slices.IndexFunc(all, func(c contact.Contact) bool { return c.Name == "Ada Example" })].ID
	if run.Initial() || !slices.Contains(names, "-"+ada) {
		t.Errorf("after Ada was disabled: %q (initial: %t)", names, run.Initial())
	}
	// Another domain controller has numbers of its own.
	other, err := parseToken(string(checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	other.source = "00000000-0000-0000-0000-000000000000"
	if names, _, run, _ = ran(t, s, bridge.Checkpoint(other.String())); !run.Initial() {
		t.Errorf("another domain controller's token: %q", names)
	}
}
