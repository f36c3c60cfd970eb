package hubserver_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// shows waits until a phonebook shows a text, or does not.
func shows(t *testing.T, url, text string, want bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, body := get(t, url)
		if status == 200 && strings.Contains(body, text) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %s, want that it shows %s: %v", status, body, text, want)
		}
	}
}

const desk = `
phonebooks:
  desk:
    account: acme
    where: "%WHERE%"
    numbers: {format: national, outside_prefix: "9"}
    http: {secret_path: 0123456789abcdef}
    carddav: {user: phones, password: "geheim-123"}
`

func TestPhonebookOfTheFileIsServed(t *testing.T) {
	dir, bridge := t.TempDir(), crm(t)
	cfg := parse(t, dir, everyday(bridge, strings.ReplaceAll(desk, "%WHERE%", "phones")))
	address, s, stop := serve(t, cfg)
	book := "/phonebooks/desk/0123456789abcdef/yealink.xml"
	shows(t, address+book, `<Name>Jane Doe</Name><Telephone label="Work">902079460018</Telephone>`, true)
	if status, _ := get(t, address+"/phonebooks/desk/yealink.xml"); status != 404 {
		t.Errorf("without the secret path: %d", status)
	}
	request, err := http.NewRequestWithContext(t.Context(), "PROPFIND", address+"/dav/desk/contacts/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("phones", "geheim-123")
	request.Header.Set("Depth", "1")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusMultiStatus || !strings.Contains(string(text), ">Jane Doe<") {
		t.Errorf("CardDAV: %d %s, %v", answer.StatusCode, text, err)
	}
	person := []directory.Ref{{Integration: "crm", ID: "1"}}
	if _, err := s.Hub.Purge(hub.WithActor(t.Context(), hub.Actor{Name: "test", All: true, Scopes: []registry.Scope{registry.ScopeAdmin}}), "acme", person); err != nil {
		t.Fatal(err)
	}
	shows(t, address+book, "Jane", false)
	stop()
}

func TestPhonebookFollowsTheFile(t *testing.T) {
	dir, bridge := t.TempDir(), crm(t)
	address, _, stop := serve(t, parse(t, dir, everyday(bridge, strings.ReplaceAll(desk, "%WHERE%", "phones"))))
	book := "/phonebooks/desk/0123456789abcdef/yealink.xml"
	shows(t, address+book, "Jane Doe", true)
	stop()
	address, _, stop = serve(t, parse(t, dir, everyday(bridge, strings.ReplaceAll(desk, "%WHERE%", "company"))))
	shows(t, address+book, "Jane Doe", false)
	stop()
	address, _, _ = serve(t, parse(t, dir, everyday(bridge, "")))
	if status, _ := get(t, address+book); status != 404 {
		t.Errorf("a phonebook that the file does not declare any more: %d", status)
	}
}

func TestPhonebookOfTheFileIsServedOverLDAP(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	more := `
phonebooks:
  desk:
    account: acme
    numbers: {format: national, outside_prefix: "9"}
    ldap: {listen: "` + at + `", base: "dc=acme", bind_dn: "cn=phones,dc=acme", password: "geheim-123"}
`
	address, _, stop := serve(t, parse(t, t.TempDir(), everyday(crm(t), more)))
	knows(t, address)
	c, err := ldap.DialURL("ldap://" + at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind("cn=phones,dc=acme", "geheim-123"); err != nil {
		t.Fatal(err)
	}
	search := ldap.NewSearchRequest("dc=acme", ldap.ScopeWholeSubtree, 0, 50, 5, false, "(|(telephoneNumber=02079460018)(sn=doe*))", nil, nil)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		found, err := c.Search(search)
		if err == nil && len(found.Entries) == 1 && found.Entries[0].GetAttributeValue("telephoneNumber") == "902079460018" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, %v", found, err)
		}
	}
	stop()
	if _, err := net.Dial("tcp", at); err == nil {
		t.Error("LDAP still listens when the hub has ended")
	}
}
