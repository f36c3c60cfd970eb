package ldapbook_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/phonebook/ldapbook"
)

// certificate makes one for localhost, and writes it into a file.
func certificate(t *testing.T) (config *tls.Config, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

func trusting(t *testing.T, file string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func TestStartTLSAndLDAPS(t *testing.T) {
	config, file := certificate(t)
	later := serve(t, ldapbook.Options{TLS: config, StartTLS: true}, []phonebook.Config{desk()}, clara)
	c, err := ldap.DialURL("ldap://" + later.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind("cn=phones,dc=acme", "geheim-123"); err != nil {
		t.Fatal(err)
	}
	if err := c.StartTLS(trusting(t, file)); err != nil {
		t.Fatal(err)
	}
	search := ldap.NewSearchRequest("dc=acme", 2, 0, 6, 5, false, "(sn=*schr*der*)", nil, nil)
	if _, err := c.Search(search); !ldap.IsErrorWithCode(err, 50) {
		t.Errorf("who signed in before TLS began: %v", err)
	}
	if err := c.Bind("cn=phones,dc=acme", "geheim-123"); err != nil {
		t.Fatal(err)
	}
	if found, err := c.Search(search); err != nil || len(found.Entries) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	atOnce := serve(t, ldapbook.Options{TLS: config}, []phonebook.Config{desk()}, clara)
	s, err := ldap.DialURL("ldaps://"+atOnce.address, ldap.DialWithTLSConfig(trusting(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Bind("cn=phones,dc=acme", "geheim-123"); err != nil {
		t.Error(err)
	}
}

// run runs a program of the system.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed: %v", name, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s\n%v", out, err)
	}
	return string(out)
}

func TestLdapsearch(t *testing.T) {
	config, file := certificate(t)
	h := serve(t, ldapbook.Options{TLS: config, StartTLS: true}, []phonebook.Config{desk()}, append(many(90), clara)...)
	signIn := []string{"-x", "-LLL", "-H", "ldap://" + h.address, "-D", "cn=phones,dc=acme", "-w", "geheim-123"}
	search := func(args ...string) string {
		return run(t, []string{"LDAPTLS_CACERT=" + file}, "ldapsearch", append(signIn, args...)...)
	}
	count := func(text string) int { return strings.Count("\n"+text, "\ndn: uid=") }
	if got := search("-b", "dc=acme", "-z", "5", "(|(cn=schr*)(sn=schr*))", "cn", "telephoneNumber"); count(got) != 1 || !strings.Contains(got, "telephoneNumber: +493023125201") {
		t.Errorf("a search:\n%s", got)
	}
	if got := search("-ZZ", "-b", "dc=acme", "(mail=clara*)", "mail"); count(got) != 1 {
		t.Errorf("with StartTLS:\n%s", got)
	}
	if got := search("-P", "2", "-b", "dc=acme", "(cn=clara*)", "cn"); count(got) != 1 {
		t.Errorf("version 2:\n%s", got)
	}
	if got := search("-b", "dc=acme", "-E", "pr=20/noprompt", "(cn=person*)", "cn"); count(got) != 90 {
		t.Errorf("in pages: %d entries\n%.500s", count(got), got)
	}
	if got := search("-b", "dc=acme", "-E", "sss=-sn", "(cn=person 0000*)", "cn"); count(got) != 10 || strings.Index(got, "Person 00009") > strings.Index(got, "Person 00001") {
		t.Errorf("sorted:\n%s", got)
	}
	if got := search("-b", "dc=acme", "-E", "!vlv=0/3/1/0", "-E", "sss=cn", "(cn=*)"); !strings.Contains(got, "Critical extension is unavailable") {
		t.Errorf("a critical VLV:\n%.300s", got)
	}
	if got := search("-b", "dc=acme", "(cn=*)", "1.1"); count(got) != 50 || !strings.Contains(got, "Size limit exceeded") {
		t.Errorf("the limit of size: %d\n%.300s", count(got), got)
	}
	if got := search("-s", "base", "-b", "", "+"); !strings.Contains(got, "namingContexts: dc=acme") {
		t.Errorf("the server itself:\n%s", got)
	}
	if got := search("-s", "base", "-b", "cn=Subschema", "(objectClass=subschema)", "attributeTypes"); !strings.Contains(got, "NAME 'mobile'") {
		t.Errorf("the schema:\n%.300s", got)
	}
}

const program = `
import sys, ldap3
host, port = sys.argv[1].split(":")
server = ldap3.Server(host, port=int(port), get_info=ldap3.ALL)
c = ldap3.Connection(server, "cn=phones,dc=acme", "geheim-123", auto_bind=True)
print("schema", "telephoneNumber" in server.schema.attribute_types, "inetOrgPerson" in server.schema.object_classes)
print("contexts", server.info.naming_contexts)
c.search("dc=acme", "(&(objectClass=person)(sn=schr*))", attributes=ldap3.ALL_ATTRIBUTES)
print("found", [e.cn.value for e in c.entries], c.entries[0].telephoneNumber.values)
pages = list(c.extend.standard.paged_search("dc=acme", "(cn=*)", attributes=["cn"], paged_size=20, generator=True))
print("paged", len(pages))
print("compare", c.compare(c.entries[0].entry_dn, "sn", "Schroder") if c.entries else None)
print("add", c.add("uid=x,dc=acme", "person"), c.result["result"])
`

func TestPythonLdap3(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, append(many(90), clara)...)
	python := "/usr/bin/python3" // the system's: it has the system's packages
	if out := run(t, nil, python, "-c", "import ldap3"); out != "" {
		t.Skipf("python3-ldap3 is not installed: %s", out)
	}
	got := run(t, nil, python, "-c", program, h.address)
	for _, want := range []string{"schema True True", "contexts ['dc=acme']", "found ['Clara Schröder'] ['+493023125201']", "paged 91", "add False 53"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestManyConnectionsDoNotHurtOthers(t *testing.T) {
	h := serve(t, ldapbook.Options{}, []phonebook.Config{desk()}, many(500)...)
	p := h.signedIn()
	for range 1000 { // silent ones
		h.dial()
	}
	var work sync.WaitGroup
	for range 20 {
		work.Go(func() {
			c, err := ldap.DialURL("ldap://" + h.address)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if err := c.Bind("cn=phones,dc=acme", "geheim-123"); err != nil {
				t.Error(err)
			}
			for n := range 20 {
				found, err := c.Search(ldap.NewSearchRequest("dc=acme", 2, 0, 50, 5, false, fmt.Sprintf("(cn=person 00%03d*)", n), []string{"cn"}, nil))
				if err != nil || len(found.Entries) != 1 {
					t.Errorf("%+v, %v", found, err)
				}
			}
		})
	}
	work.Wait()
	if got := p.search(request{scope: 2, filter: "(cn=person 00007)"}); len(got.entries) != 1 {
		t.Errorf("%+v", got)
	}
}
