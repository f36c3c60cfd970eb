package ldapbook_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/phonebook/ldapbook"
)

// evolution is a program that searches an address book of Evolution Data Server.
const evolution = `
import gi, sys
gi.require_version('EBook', '1.2'); gi.require_version('EBookContacts', '1.2'); gi.require_version('EDataServer', '1.2')
from gi.repository import EBook, EBookContacts, EDataServer
source = EDataServer.SourceRegistry.new_sync(None).ref_source('hub')
book = EBook.BookClient.connect_sync(source, 1, None)
for text in sys.argv[1:]:
    found = book.get_contacts_sync(EBookContacts.BookQuery.any_field_contains(text).to_string(), None)[1]
    print(text, '=', ', '.join(c.get_property('full-name') for c in found))
`

// TestEvolutionDataServer searches as Evolution and GNOME Contacts do.
func TestEvolutionDataServer(t *testing.T) {
	const python = "/usr/bin/python3" // it has the packages of the system
	if err := exec.CommandContext(t.Context(), python, "-c", "import gi; gi.require_version('EBook', '1.2')").Run(); err != nil {
		t.Skip("OPTIONAL: evolution-data-server, gir1.2-ebook-1.2 and python3-gi are not installed")
	}
	if _, err := exec.LookPath("dbus-run-session"); err != nil {
		t.Skip("OPTIONAL: dbus-run-session is not installed")
	}
	config := desk()
	config.LDAP.Anonymous = true // a password is asked for by a window
	served := serve(t, ldapbook.Options{}, []phonebook.Config{config}, clara)
	_, port, err := net.SplitHostPort(served.address)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	sources := filepath.Join(home, "config", "evolution", "sources")
	for _, folder := range []string{sources, filepath.Join(home, "run")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	source := fmt.Sprintf(`[Data Source]
DisplayName=hub
Enabled=true
Parent=ldap-stub

[Authentication]
Host=127.0.0.1
Port=%s
Method=none

[Address Book]
BackendName=ldap

[LDAP Backend]
Authentication=none
Limit=100
RootDn=dc=acme
Scope=subtree
Security=none
`, port)
	if err := os.WriteFile(filepath.Join(sources, "hub.source"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	program := exec.CommandContext(t.Context(), "dbus-run-session", "--", python, "-c", evolution, "clar", "030 23125-201", "nobody")
	program.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home+"/config", "XDG_DATA_HOME="+home+"/data", "XDG_CACHE_HOME="+home+"/cache", "XDG_RUNTIME_DIR="+home+"/run")
	var said strings.Builder
	program.Stderr = &said
	out, err := program.Output()
	if want := "clar = Clara Schröder\n030 23125-201 = Clara Schröder\nnobody = \n"; err != nil || string(out) != want {
		t.Errorf("it found %q, %v, want %q\n%s", out, err, want, said.String())
	}
}
