package bridgeserver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/bridgeserver"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/test/pace"
	"github.com/contactbridge/contactbridge/internal/test/pebble"
	"github.com/contactbridge/contactbridge/internal/test/ports"
)

// writePair writes a self-signed certificate with a serial number, and its key, as modified at a time.
func writePair(t *testing.T, folder string, serial int64, modified time.Time) config.TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := config.TLS{Cert: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")}
	for file, block := range map[string]*pem.Block{
		files.Cert: {Type: "CERTIFICATE", Bytes: certificate}, files.Key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestARenewedCertificateIsTakenUp(t *testing.T) {
	folder := t.TempDir()
	cfg := parse(t, twoEndpoints)
	modified := time.Now().Add(-time.Hour)
	cfg.TLS = writePair(t, folder, 1, modified)
	clock := &handClock{}
	r := serve(t, cfg, clock)
	transport := r.client.Transport.(*http.Transport)
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the test looks at the certificate itself
	transport.DisableKeepAlives = true
	serial := func() int64 {
		t.Helper()
		response, err := r.client.Get(r.url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if !strings.HasPrefix(r.url, "https://127.0.0.1:") {
		t.Errorf("the URL is %s", r.url)
	}
	if got := serial(); got != 1 {
		t.Errorf("the first certificate is %d", got)
	}
	writePair(t, folder, 2, modified.Add(time.Minute))
	clock.pass(time.Minute)
	if got := serial(); got != 2 {
		t.Errorf("after the renewal it is %d", got)
	}
	if err := os.WriteFile(cfg.TLS.Cert, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	clock.pass(time.Minute)
	if got := serial(); got != 2 {
		t.Errorf("while a new one is broken it is %d", got)
	}
}

func TestCheckTLSFindsAPairThatCannotBeServed(t *testing.T) {
	files := writePair(t, t.TempDir(), 1, time.Now())
	other := writePair(t, t.TempDir(), 2, time.Now())
	for _, c := range []struct {
		tls  config.TLS
		good bool
	}{
		{config.TLS{}, true},
		{files, true},
		{config.TLS{Cert: files.Cert, Key: other.Key}, false},
		{config.TLS{Cert: files.Cert, Key: files.Cert}, false},
		{config.TLS{Cert: files.Cert + "x", Key: files.Key}, false},
	} {
		if err := bridgeserver.CheckTLS(&config.Config{TLS: c.tls}); (err == nil) != c.good {
			t.Errorf("%+v: %v", c.tls, err)
		}
	}
}

// A bridge gets its certificate by itself, keeps it beside its configuration, and tells when it ends.
func TestACertificateIsGotFromAnAuthority(t *testing.T) {
	port := ports.ForTest(t)
	authority := pebble.Start(t, pebble.Options{TLS: port, HTTP: port})
	cfg, folder := parse(t, twoEndpoints), t.TempDir()
	cfg.Listen = fmt.Sprintf("127.0.0.1:%d", port)
	cfg.TLS.ACME = &config.ACME{
		Authority: config.Authority{Domains: []string{"bridge.example.com"}, Directory: authority.Directory, Roots: authority.Roots},
		Storage:   filepath.Join(folder, "certificates"),
	}
	r := serve(t, cfg, nil)
	transport := r.client.Transport.(*http.Transport)
	transport.TLSClientConfig = &tls.Config{RootCAs: authority.Issuers(t), ServerName: "bridge.example.com"}
	deadline := time.Now().Add(pace.Limit(20 * time.Second))
	for {
		response, err := r.client.Get(r.url + "/metrics")
		if err == nil {
			text, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if response.ProtoMajor != 1 && response.ProtoMajor != 2 || !strings.Contains(string(text), `contactbridge_certificate_expiry_timestamp_seconds{domain="bridge.example.com"} 1.`) {
				t.Errorf("%s: the metrics are\n%s", response.Proto, text)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if info, err := os.Stat(cfg.TLS.ACME.Storage); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the folder of keys: %v, %v", info, err)
	}
}
