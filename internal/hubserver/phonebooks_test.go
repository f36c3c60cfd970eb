package hubserver_test

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/test/ports"
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
	ctx := hub.WithActor(t.Context(), hub.Actor{Name: "test", All: true, Scopes: []registry.Scope{registry.ScopeAdmin}})
	receipt, err := s.Hub.Purge(ctx, "acme", person)
	if err != nil {
		t.Fatal(err)
	}
	ways := func(readers []registry.Reader) (list []string) {
		for _, r := range readers {
			list = append(list, r.Way+" "+r.Address+" "+r.Name)
		}
		slices.Sort(list)
		return list
	}
	if len(receipt.Phonebooks) != 1 || receipt.Phonebooks[0].Name != "desk" || !slices.Equal(ways(receipt.Phonebooks[0].Behind), []string{"carddav 127.0.0.1 phones", "http 127.0.0.1 "}) {
		t.Errorf("the receipt says %+v", receipt.Phonebooks)
	}
	shows(t, address+book, "Jane", false)
	stands, err := s.Hub.PhonebooksOf(ctx, "acme")
	if err != nil || len(stands) != 1 || stands[0].Members != 0 {
		t.Fatalf("%+v, %v", stands, err)
	}
	behind := slices.DeleteFunc(slices.Clone(stands[0].Readers), func(r registry.Reader) bool { return !stands[0].Behind(&r) })
	if !slices.Equal(ways(behind), []string{"carddav 127.0.0.1 phones"}) {
		t.Errorf("behind are %+v, want what reads over CardDAV only", behind)
	}
	if again, err := s.Hub.Purge(ctx, "acme", person); err != nil || len(again.Phonebooks) > 0 {
		t.Errorf("who is not there any more is purged again: %+v, %v", again, err)
	}
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

// TestContactsOfAnIntegrationThatIsRemovedLeaveDevices: they are told that its cards are gone.
func TestContactsOfAnIntegrationThatIsRemovedLeaveDevices(t *testing.T) {
	address, s, _ := serve(t, parse(t, t.TempDir(), everyday(crm(t), strings.ReplaceAll(desk, "%WHERE%", "phones"))))
	ctx := hub.WithActor(t.Context(), hub.Actor{Name: "test", All: true, Scopes: []registry.Scope{registry.ScopeAdmin}})
	key := directory.Key{Account: "acme", Integration: "another"}
	auth := map[string]string{"username": "agent", "password": "s3cret"}
	if err := s.Hub.AddIntegration(ctx, registry.Integration{Key: key, Bridge: crm(t)}, auth); err != nil {
		t.Fatal(err)
	}
	var token string
	sync := func() string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), "REPORT", address+"/dav/desk/contacts/", strings.NewReader(
			`<sync-collection xmlns="DAV:"><sync-token>`+token+`</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("phones", "geheim-123")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode == http.StatusMultiStatus {
			_, rest, _ := strings.Cut(string(text), "<D:sync-token>")
			token, _, _ = strings.Cut(rest, "</D:sync-token>")
		}
		return string(text)
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("it does not happen that " + what)
			}
		}
	}
	until("both integrations are in the phonebook", func() bool { token = ""; return strings.Count(sync(), ".vcf</D:href>") == 2 })
	if err := s.Hub.RemoveIntegration(ctx, key); err != nil {
		t.Fatal(err)
	}
	// While it is removed its cards are hidden already, and what the token says is another phonebook: the device begins anew.
	gone := 0
	until("a card is gone", func() bool {
		text := sync()
		gone += strings.Count(text, "404 Not Found")
		if strings.Contains(text, "valid-sync-token") {
			token = ""
		}
		return gone == 1 || token != "" && strings.Count(text, ".vcf</D:href>") == 1
	})
	until("one card is left", func() bool { token = ""; return strings.Count(sync(), ".vcf</D:href>") == 1 })
}

// serveLDAP runs a hub with a phonebook over LDAP, and waits until it knows its contact.
func serveLDAP(t *testing.T) (address, at string) {
	t.Helper()
	at = ports.AddressForTest(t)
	more := `
phonebooks:
  desk:
    account: acme
    numbers: {format: national, outside_prefix: "9"}
    ldap: {listen: "` + at + `", base: "dc=acme", bind_dn: "cn=phones,dc=acme", password: "geheim-123"}
`
	address, _, stop := serve(t, parse(t, t.TempDir(), everyday(crm(t), more)))
	knows(t, address)
	t.Cleanup(func() {
		stop()
		if _, err := net.Dial("tcp", at); err == nil {
			t.Error("LDAP still listens when the hub has ended")
		}
	})
	return address, at
}

func TestPhonebookOfTheFileIsServedOverLDAP(t *testing.T) {
	_, at := serveLDAP(t)
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
}
