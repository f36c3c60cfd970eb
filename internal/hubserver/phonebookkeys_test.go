package hubserver_test

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/test/ports"
	"github.com/contactbridge/contactbridge/phonebook"
)

// A keyed hub has phonebooks that somebody made, one of the configuration file without a secret, and an address of LDAP.
type keyed struct {
	*hubserver.Server
	address, ldap string
	ctx           context.Context
}

func serveKeyed(t *testing.T, more ...contact.Contact) keyed {
	t.Helper()
	k := keyed{ldap: ports.AddressForTest(t)}
	k.address, k.Server, _ = serve(t, parse(t, t.TempDir(), everyday(crm(t, more...), `
ldap: {listen: "`+k.ldap+`"}
phonebooks:
  hall: {account: acme, numbers: {format: national}, http: {}, carddav: {}, ldap: {listen: "`+k.ldap+`", base: dc=hall}}
`)))
	k.ctx = hub.WithActor(t.Context(), hub.Actor{Name: "test", All: true, Scopes: []registry.Scope{registry.ScopeAdmin}})
	settings := registry.PhonebookSettings{
		Numbers: registry.PhonebookNumbers{Format: "national"}, HTTP: &registry.PhonebookHTTP{}, LDAP: &registry.PhonebookLDAP{SizeLimitCode: 4}, CardDAV: &registry.PhonebookDAV{},
	}
	if made, err := k.Hub.PutPhonebook(k.ctx, registry.Phonebook{Account: "acme", Name: "desk", Settings: settings}); err != nil || !made {
		t.Fatal(made, err)
	}
	return k
}

func (k keyed) key(t *testing.T, book, name string, kind registry.KeyKind) string {
	t.Helper()
	_, secret, err := k.Hub.AddKey(k.ctx, "acme", book, name, kind)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// shows waits until a phonebook shows a text, or does not.
func (k keyed) shows(t *testing.T, url, text string, want bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, body := fetch(t, url)
		if status == http.StatusOK && strings.Contains(body, text) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %s, want that it shows %s: %v", status, body, text, want)
		}
	}
}

// digestAnswer answers a challenge of Digest.
func digestAnswer(challenge, method, target, user, password string) string {
	value := func(name string) string {
		_, rest, _ := strings.Cut(challenge, name+`="`)
		text, _, _ := strings.Cut(rest, `"`)
		return text
	}
	hash := func(text string) string { sum := md5.Sum([]byte(text)); return hex.EncodeToString(sum[:]) }
	response := hash(hash(user+":"+value("realm")+":"+password) + ":" + value("nonce") + ":00000001:abc:auth:" + hash(method+":"+target))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", qop=auth, nc=00000001, cnonce="abc", response="%s", algorithm=MD5`,
		user, value("realm"), value("nonce"), target, response)
}

// as is a URL with a user.
func (k keyed) as(user, password, path string) string {
	u, err := url.Parse(k.address + path)
	if err != nil {
		panic(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

func (k keyed) bind(t *testing.T, dn, password string) (*ldap.Conn, error) {
	t.Helper()
	c, err := ldap.DialURL("ldap://" + k.ldap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, c.Bind(dn, password)
}

func names(t *testing.T, c *ldap.Conn, base string) (all []string, err error) {
	t.Helper()
	found, err := c.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(cn=*)", []string{"cn"}, nil))
	if err != nil {
		return nil, err
	}
	for _, e := range found.Entries {
		all = append(all, e.GetAttributeValue("cn"))
	}
	return all, nil
}

// status is how CardDAV answers.
func (k keyed) status(t *testing.T, user, password, path string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "PROPFIND", k.as(user, password, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func TestACredentialOpensItsPhonebookInEveryWayUntilItIsRevoked(t *testing.T) {
	k := serveKeyed(t)
	for _, book := range []struct{ name, slug, base string }{{"desk", "acme.desk", "ou=desk,o=acme"}, {"hall", "hall", "dc=hall"}} {
		file := "/phonebooks/" + book.slug + "/yealink.xml"
		if status, _ := fetch(t, k.address+file); status != http.StatusUnauthorized && status != http.StatusNotFound {
			t.Errorf("without a credential: %d", status)
		}
		one, other := k.key(t, book.name, "reception", registry.KeyPassword), k.key(t, book.name, "site-two", registry.KeyPassword)
		k.shows(t, k.as("reception", one, file), "Jane Doe", true)
		dn := "CN=Reception, " + book.base // names are compared as a directory does
		c, err := k.bind(t, dn, one)
		if err != nil {
			t.Fatal(err)
		}
		second, err := k.bind(t, "cn=site-two,"+book.base, other)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := names(t, c, book.base); err != nil || !slices.Contains(found, "Jane Doe") {
			t.Errorf("LDAP finds %v, %v", found, err)
		}
		if contexts, err := c.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil)); err != nil ||
			!slices.Equal(contexts.Entries[0].GetAttributeValues("namingContexts"), []string{book.base}) {
			t.Errorf("the server says of itself %v, %v", contexts, err)
		}
		for _, path := range []string{"/dav/", "/dav/" + book.slug + "/", "/dav/" + book.slug + "/contacts/"} {
			if status := k.status(t, "reception", one, path); status != http.StatusMultiStatus {
				t.Errorf("CardDAV at %s: %d", path, status)
			}
		}
		for user, password := range map[string]string{"reception": other, "site-two": one, "": one, "x": one} {
			if status, _ := fetch(t, k.as(user, password, file)); status != http.StatusUnauthorized {
				t.Errorf("%s with another one's password: %d", user, status)
			}
		}
		if _, err := k.bind(t, "cn=reception,dc=elsewhere", one); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
			t.Errorf("another name over LDAP: %v", err)
		}
		v, err := k.Hub.PhonebookOf(k.ctx, "acme", book.name)
		if err != nil || v.ReadBy("reception").IsZero() || !v.ReadBy("site-two").IsZero() {
			t.Errorf("who read: %+v, %v", v.Readers, err)
		}
		ways := map[string]bool{}
		for _, r := range v.Readers {
			if r.Name == "reception" {
				ways[r.Way] = true
			}
		}
		if !ways["http"] || !ways["ldap"] {
			t.Errorf("reception read by %v", ways)
		}

		if err := k.Hub.RevokeKey(k.ctx, "acme", book.name, "reception"); err != nil {
			t.Fatal(err)
		}
		if status, _ := fetch(t, k.as("reception", one, file)); status != http.StatusUnauthorized {
			t.Errorf("HTTP after the revocation: %d", status)
		}
		if status := k.status(t, "reception", one, "/dav/"+book.slug+"/"); status != http.StatusUnauthorized {
			t.Errorf("CardDAV after the revocation: %d", status)
		}
		if found, err := names(t, c, book.base); err == nil {
			t.Errorf("the connection over LDAP is open, and finds %v", found)
		}
		if _, err := k.bind(t, dn, one); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
			t.Errorf("LDAP after the revocation: %v", err)
		}
		k.shows(t, k.as("site-two", other, file), "Jane Doe", true)
		if found, err := names(t, second, book.base); err != nil || !slices.Contains(found, "Jane Doe") {
			t.Errorf("the other connection finds %v, %v", found, err)
		}
	}
	entries, err := k.Hub.Audit(k.ctx, registry.Filter{Account: "acme", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, e := range entries {
		if strings.HasPrefix(e.Action, "phonebook.") {
			said = append(said, e.Action+" "+e.Subject+" "+e.Detail)
		}
	}
	for _, want := range []string{"phonebook.set desk made", "phonebook.credential.add desk/reception password", "phonebook.credential.revoke hall/reception password"} {
		if !slices.Contains(said, want) {
			t.Errorf("the audit log lacks %q: %q", want, said)
		}
	}
}

func TestASecretAddressAndDigest(t *testing.T) {
	k := serveKeyed(t)
	path, digest, plain := k.key(t, "desk", "lobby", registry.KeyPath), k.key(t, "desk", "old-phone", registry.KeyDigest), k.key(t, "desk", "new-phone", registry.KeyPassword)
	file := "/phonebooks/acme.desk/"
	k.shows(t, k.address+file+path+"/yealink.xml", "Jane Doe", true)
	if status, _ := fetch(t, k.address+file+plain+"/yealink.xml"); status != http.StatusUnauthorized {
		t.Errorf("a password in the address: %d", status)
	}
	if status, _ := fetch(t, k.as("lobby", path, file+"yealink.xml")); status != http.StatusUnauthorized {
		t.Errorf("a secret address as a password: %d", status)
	}
	k.shows(t, k.as("old-phone", digest, file+"yealink.xml"), "Jane Doe", true)
	byDigest := func(user, password string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, k.address+file+"yealink.xml", nil)
		if err != nil {
			t.Fatal(err)
		}
		challenge, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = challenge.Body.Close()
		offers := challenge.Header.Values("WWW-Authenticate")
		if len(offers) != 2 {
			t.Fatalf("it is asked for %q", offers)
		}
		r.Header.Set("Authorization", digestAnswer(offers[1], r.Method, r.URL.RequestURI(), user, password))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if status := byDigest("old-phone", digest); status != http.StatusOK {
		t.Errorf("Digest: %d", status)
	}
	for user, password := range map[string]string{"old-phone": "wrong", "new-phone": plain, "nobody": digest} { // of new-phone only a hash is kept
		if status := byDigest(user, password); status != http.StatusUnauthorized {
			t.Errorf("%s by Digest: %d", user, status)
		}
	}
	for _, name := range []string{"lobby", "old-phone"} {
		if err := k.Hub.RevokeKey(k.ctx, "acme", "desk", name); err != nil {
			t.Fatal(err)
		}
	}
	if status, _ := fetch(t, k.address+file+path+"/yealink.xml"); status != http.StatusUnauthorized {
		t.Errorf("a revoked address: %d", status)
	}
	if status, _ := fetch(t, k.as("old-phone", digest, file+"yealink.xml")); status != http.StatusUnauthorized {
		t.Errorf("a revoked password: %d", status)
	}
	if secret, err := k.Hub.Registry.Secret(k.ctx, "phonebook-key:", "password"); err != nil || secret != nil {
		t.Error(secret, err)
	}
}

// TestAPhonebookOfAnotherAccountIsNotSeen: neither its settings nor its contacts, and not that it is there.
func TestAPhonebookOfAnotherAccountIsNotSeen(t *testing.T) {
	k := serveKeyed(t)
	if err := k.Hub.PutAccount(k.ctx, registry.Account{Name: "other", Region: "GB"}); err != nil {
		t.Fatal(err)
	}
	theirs := hub.WithActor(t.Context(), hub.Actor{Name: "other's", Accounts: []string{"other"}, Scopes: []registry.Scope{registry.ScopeAdmin}})
	settings := registry.PhonebookSettings{HTTP: &registry.PhonebookHTTP{}, LDAP: &registry.PhonebookLDAP{SizeLimitCode: 4}, CardDAV: &registry.PhonebookDAV{}}
	if _, err := k.Hub.PutPhonebook(theirs, registry.Phonebook{Account: "other", Name: "desk", Settings: settings}); err != nil { // the same name is free to them
		t.Fatal(err)
	}
	_, secret, err := k.Hub.AddKey(theirs, "other", "desk", "reception", registry.KeyPassword)
	if err != nil {
		t.Fatal(err)
	}
	_, pathSecret, err := k.Hub.AddKey(theirs, "other", "desk", "lobby", registry.KeyPath)
	if err != nil {
		t.Fatal(err)
	}
	own := k.key(t, "desk", "reception", registry.KeyPassword)
	k.shows(t, k.as("reception", own, "/phonebooks/acme.desk/yealink.xml"), "Jane Doe", true)
	k.shows(t, k.as("reception", secret, "/phonebooks/other.desk/yealink.xml"), "Jane Doe", false)
	for _, u := range []string{k.as("reception", secret, "/phonebooks/acme.desk/yealink.xml"), k.as("reception", secret, "/phonebooks/hall/yealink.xml"), k.address + "/phonebooks/acme.desk/" + pathSecret + "/yealink.xml"} {
		if status, body := fetch(t, u); status == http.StatusOK || strings.Contains(body, "Jane") {
			t.Errorf("%s: %d %s", u, status, body)
		}
	}
	if status := k.status(t, "reception", secret, "/dav/acme.desk/"); status != http.StatusUnauthorized {
		t.Errorf("CardDAV: %d", status)
	}
	if _, err := k.bind(t, "cn=reception,ou=desk,o=acme", secret); err == nil {
		t.Error("a credential of another account opens the phonebook over LDAP")
	}
	c, err := k.bind(t, "cn=reception,ou=desk,o=other", secret)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := names(t, c, "ou=desk,o=acme"); err == nil || len(found) > 0 {
		t.Errorf("below another base it finds %v", found)
	}
	for what, do := range map[string]func() error{
		"list": func() error { _, err := k.Hub.PhonebooksOf(theirs, "acme"); return err },
		"read": func() error { _, err := k.Hub.PhonebookOf(theirs, "acme", "desk"); return err },
		"change": func() error {
			_, err := k.Hub.PutPhonebook(theirs, registry.Phonebook{Account: "acme", Name: "desk", Settings: settings})
			return err
		},
		"remove":   func() error { return k.Hub.RemovePhonebook(theirs, "acme", "desk") },
		"add":      func() error { _, _, err := k.Hub.AddKey(theirs, "acme", "desk", "x", registry.KeyPassword); return err },
		"revoke":   func() error { return k.Hub.RevokeKey(theirs, "acme", "desk", "reception") },
		"declared": func() error { return k.Hub.RemovePhonebook(theirs, "acme", "hall") },
	} {
		if err := do(); failure.Of(err).Code != failure.NotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := k.Hub.RemoveAccount(k.ctx, "other"); err != nil {
		t.Fatal(err)
	}
	if status, _ := fetch(t, k.as("reception", secret, "/phonebooks/other.desk/yealink.xml")); status == http.StatusOK {
		t.Errorf("the phonebook of an account that was removed: %d", status)
	}
}

func TestWhatTheFileDeclaresIsChangedThereOnly(t *testing.T) {
	k := serveKeyed(t)
	settings := registry.PhonebookSettings{HTTP: &registry.PhonebookHTTP{}}
	if _, err := k.Hub.PutPhonebook(k.ctx, registry.Phonebook{Account: "acme", Name: "hall", Settings: settings}); failure.Of(err).Code != failure.Managed {
		t.Errorf("a change: %v", err)
	}
	if err := k.Hub.RemovePhonebook(k.ctx, "acme", "hall"); failure.Of(err).Code != failure.Managed {
		t.Errorf("a removal: %v", err)
	}
	for field, p := range map[string]registry.PhonebookSettings{
		"http": {}, "where": {HTTP: &registry.PhonebookHTTP{}, Where: "compny"}, "integrations": {HTTP: &registry.PhonebookHTTP{}, Integrations: []string{"nothing"}},
		"http.allow": {HTTP: &registry.PhonebookHTTP{Allow: []string{"x"}}}, "http.prefer": {HTTP: &registry.PhonebookHTTP{Prefer: "("}}, "numbers.format": {HTTP: &registry.PhonebookHTTP{}, Numbers: registry.PhonebookNumbers{Format: "x"}},
		"ldap.size_limit_code": {LDAP: &registry.PhonebookLDAP{SizeLimitCode: 3}}, "carddav.title": {CardDAV: &registry.PhonebookDAV{Title: "a\nb"}},
	} {
		_, err := k.Hub.PutPhonebook(k.ctx, registry.Phonebook{Account: "acme", Name: "new", Settings: p})
		if f := failure.Of(err); f.Code != failure.Invalid || f.Field != field || f.Hint == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	for name, kind := range map[string]registry.KeyKind{"a b": registry.KeyPassword, "x": "other"} {
		if _, _, err := k.Hub.AddKey(k.ctx, "acme", "desk", name, kind); failure.Of(err).Code != failure.Invalid {
			t.Errorf("a credential %q: %v", name, err)
		}
	}
	k.key(t, "desk", "twice", registry.KeyPassword)
	if _, _, err := k.Hub.AddKey(k.ctx, "acme", "desk", "twice", registry.KeyPassword); failure.Of(err).Code != failure.Conflict {
		t.Errorf("a credential of the same name: %v", err)
	}
	if err := k.Hub.RevokeKey(k.ctx, "acme", "desk", "unknown"); failure.Of(err).Code != failure.NotFound {
		t.Errorf("an unknown credential: %v", err)
	}
}

// TestARevocationBreaksOffWhatIsBeingSent: a device that reads slowly gets no more of it, over HTTP and CardDAV.
func TestARevocationBreaksOffWhatIsBeingSent(t *testing.T) {
	many := make([]contact.Contact, 12_000) // more than the buffers of sockets hold
	for i := range many {
		many[i] = contact.Contact{ID: "many-" + strconv.Itoa(i), Name: "Person " + strconv.Itoa(i), Phones: []string{"020 7946 " + strconv.Itoa(1000+i%9000)}, Company: strings.Repeat("x", 700)}
	}
	k := serveKeyed(t, many...)
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if v, err := k.Hub.PhonebookOf(k.ctx, "acme", "desk"); err == nil && v.Filled && v.Members > int64(len(many)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the phonebook is not filled")
		}
	}
	const query = `<C:addressbook-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><D:getetag/><C:address-data/></D:prop><C:filter/></C:addressbook-query>`
	for _, request := range []struct{ line, body string }{
		{"GET /phonebooks/acme.desk/contacts.vcf HTTP/1.1\r\n", ""}, {"REPORT /dav/acme.desk/contacts/ HTTP/1.1\r\nDepth: 1\r\n", query},
	} {
		secret := k.key(t, "desk", "slow", registry.KeyPassword)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, k.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("slow", secret)
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.URL.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.(*net.TCPConn).SetReadBuffer(128 << 10) // little of the answer fits; with less, what the sender's socket holds would come slowly
		if _, err := fmt.Fprintf(conn, "%sHost: hub\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s", request.line, r.Header.Get("Authorization"), len(request.body), request.body); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, " 20") {
			t.Fatal(line, err)
		}
		if err := k.Hub.RevokeKey(k.ctx, "acme", "desk", "slow"); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		rest, err := io.ReadAll(in)
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			t.Errorf("%q: the connection stays open", request.line)
		}
		if text := string(rest); strings.HasSuffix(text, "0\r\n\r\n") {
			t.Errorf("%q: all of it came, %d bytes", request.line, len(rest))
		}
	}
}

// TestRequestsAndRevocationsMeet: whichever comes first, no request that began after a revocation is answered, and none stays.
func TestRequestsAndRevocationsMeet(t *testing.T) {
	k := serveKeyed(t)
	k.shows(t, k.as("first", k.key(t, "desk", "first", registry.KeyPassword), "/phonebooks/acme.desk/yealink.xml"), "Jane", true)
	for range 10 {
		secret := k.key(t, "desk", "racer", registry.KeyPassword)
		var work sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			work.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					visit, err := k.Hub.Books().Admit(context.Background(), phonebook.Try{Secret: secret, Fits: func(*phonebook.Book, phonebook.Key) bool { return true }})
					if err != nil {
						t.Error(err)
						return
					}
					if visit == nil {
						continue
					}
					<-visit.Context().Done() // it never leaves by itself
					if !visit.Revoked() {
						t.Error("a visit ended without a revocation")
					}
					visit.Leave()
					return
				}
			})
		}
		if err := k.Hub.RevokeKey(k.ctx, "acme", "desk", "racer"); err != nil {
			t.Fatal(err)
		}
		visit, err := k.Hub.Books().Admit(context.Background(), phonebook.Try{Secret: secret, Fits: func(*phonebook.Book, phonebook.Key) bool { return true }})
		if err != nil || visit != nil {
			t.Fatalf("after the revocation: %v, %v", visit, err)
		}
		close(stop)
		work.Wait()
	}
	if left := k.Hub.Books().Visitors(); len(left) > 0 {
		t.Errorf("still there are %v", left)
	}
}
