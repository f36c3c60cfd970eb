package mysql

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
)

// An authority signs certificates.
type authority struct {
	t      testing.TB
	folder string
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	file   string // its certificate
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	folder, err := os.MkdirTemp("", "mysqltls-") // which the server's user may read, as it may not those of tests
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, folder: folder}
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.file = a.write("ca.pem", "CERTIFICATE", der)
	return a
}

// write writes a file in PEM form.
func (a *authority) write(name, kind string, der []byte) (file string) {
	a.t.Helper()
	file = filepath.Join(a.folder, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o644); err != nil {
		a.t.Fatal(err)
	}
	return file
}

// server starts a server with a certificate for some names.
func (a *authority) server(until time.Time, names ...string) *mysqltest.Suite {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	s := &mysqltest.Suite{Options: []string{"--ssl-cert=" + a.write("cert.pem", "CERTIFICATE", der), "--ssl-key=" + a.write("key.pem", "PRIVATE KEY", private)}}
	started := s.Server(a.t)
	a.t.Cleanup(func() { _ = started.Stop() })
	return s
}

// The server's certificate is checked against ca, or the machine's authorities, and every failure says what is wrong.
func TestTLSWithAnAuthorityOfOnesOwn(t *testing.T) {
	ours, others := newAuthority(t, "Ours"), newAuthority(t, "Others")
	ca := func(a *authority) string { return "ca=" + url.QueryEscape(a.file) }
	attempt := func(db *mysqltest.Database, dsn string) error {
		r, err := tryRead(t, dsn, plain, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Check(t.Context()); err != nil {
			return err
		}
		got, _ := r.run(t, "", 10)
		expect(t, "contacts", ids(got), "1")
		return nil
	}
	refused := func(name string, err error, words, hint string) {
		t.Helper()
		text := failure.Of(err).Hint
		if err == nil || bridge.CodeOf(err) != bridge.CodeSourceUnavailable || !strings.Contains(err.Error(), words) || !strings.Contains(text, hint) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v (%s), hint %q; want %q and %q", name, err, bridge.CodeOf(err), text, words, hint)
		}
	}
	const table = `CREATE TABLE c (id int PRIMARY KEY, name text, updated_at datetime(6), KEY (updated_at, id)); INSERT INTO c VALUES (1, 'a', UTC_TIMESTAMP(6))`
	good := ours.server(time.Now().Add(12*time.Hour), "localhost").Database(t, table)
	dsn := strings.Replace(good.User(t, "PROCESS"), "127.0.0.1", "localhost", 1)
	good.Run(t, "ALTER USER "+strings.TrimPrefix(dsn[:strings.Index(dsn, ":secret")], "mysql://")+"@'127.0.0.1' REQUIRE SSL")
	if err := attempt(good, dsn+"?"+ca(ours)); err != nil {
		t.Errorf("with its authority: %v", err)
	}
	if err := attempt(good, dsn+"?tls=true&"+ca(ours)); err != nil {
		t.Errorf("with its authority and tls=true: %v", err)
	}
	if err := attempt(good, dsn); err != nil { // encrypted, whoever it is
		t.Errorf("preferred: %v", err)
	}
	if err := attempt(good, dsn+"?tls=false"); bridge.CodeOf(err) != bridge.CodeUnauthorized {
		t.Errorf("a user who must use TLS, without it: %v", err)
	}
	refused("another authority", attempt(good, dsn+"?"+ca(others)), "certificate is not trusted", "ca in dsn")
	refused("the machine's authorities", attempt(good, dsn+"?tls=true"), "certificate is not trusted", "ca in dsn")
	refused("another name", attempt(good, strings.Replace(dsn, "localhost", "127.0.0.1", 1)+"?"+ca(ours)), "certificate is for another name", "such as localhost")
	old := ours.server(time.Now().Add(-time.Hour), "localhost").Database(t, table)
	refused("expired", attempt(old, strings.Replace(old.User(t, "PROCESS"), "127.0.0.1", "localhost", 1)+"?"+ca(ours)), "has expired", "Renew it")
}
