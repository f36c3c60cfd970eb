// Package pebble runs Pebble, the ACME server that Let's Encrypt makes for tests, on this machine: it checks challenges as a real
// authority does, and its names all lead to loopback.
package pebble

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/contactbridge/contactbridge/internal/test/ports"
	"github.com/contactbridge/contactbridge/internal/test/process"
)

// Options are an authority's settings.
type Options struct {
	HTTP, TLS int           // ports at which it looks for the answers to HTTP-01 and TLS-ALPN-01
	Validity  time.Duration // of its certificates; 0 is an hour
	Port      int           // at which it listens; 0 is a free one
}

// An Authority is a running Pebble.
type Authority struct {
	Directory string // URL
	Roots     string // PEM file, for its own HTTPS
	manage    string // URL
	folder    string
	client    *http.Client
}

// program builds Pebble, out of the module of deploy, and returns its path. Go keeps what it built.
var program = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/contactbridge/contactbridge").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	cmd := exec.Command("go", "tool", "-n", "pebble")
	cmd.Dir = filepath.Join(strings.TrimSpace(string(root)), "deploy")
	var said bytes.Buffer
	cmd.Stderr = &said
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build Pebble: %w: %s", err, said.String())
	}
	return strings.TrimSpace(string(path)), nil
})

// Start starts an authority, until the test ends. A machine that cannot build Pebble skips the test, or fails it where CI is "true".
func Start(t testing.TB, o Options) *Authority {
	t.Helper()
	a := New(t, o)
	a.Start(t)
	return a
}

// New prepares an authority that does not run yet.
func New(t testing.TB, o Options) *Authority {
	t.Helper()
	folder := t.TempDir()
	pool := writePair(t, folder)
	if o.Port == 0 {
		o.Port = ports.ForTest(t)
	}
	manage := ports.ForTest(t)
	writeSettings(t, folder, o, manage)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &Authority{
		Directory: fmt.Sprintf("https://127.0.0.1:%d/dir", o.Port), Roots: filepath.Join(folder, "cert.pem"), folder: folder,
		manage: fmt.Sprintf("https://127.0.0.1:%d", manage), client: &http.Client{Transport: transport, Timeout: 10 * time.Second},
	}
}

// Start lets the authority run until the test ends, as [Start] does.
func (a *Authority) Start(t testing.TB) {
	t.Helper()
	path, err := program()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cmd := exec.Command(path, "-config", filepath.Join(a.folder, "pebble.json"), "-dnsserver", names(t), "-strict")
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &log, &log, process.Attributes(nil)
	wait, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	a.await(t)
}

// await waits until the authority answers.
func (a *Authority) await(t testing.TB) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		_, err := a.get(t.Context(), a.Directory)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("Pebble does not answer: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (a *Authority) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(response.Body)
	return body.Bytes(), err
}

// Issuers returns what the certificates of this authority are checked with: each Pebble makes a root of its own.
func (a *Authority) Issuers(t testing.TB) *x509.CertPool {
	t.Helper()
	text, err := a.get(t.Context(), a.manage+"/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("the root is %q", text)
	}
	return pool
}

// writeSettings writes Pebble's configuration.
func writeSettings(t testing.TB, folder string, o Options, manage int) {
	t.Helper()
	if o.Validity == 0 {
		o.Validity = time.Hour
	}
	text, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprintf("127.0.0.1:%d", o.Port), "managementListenAddress": fmt.Sprintf("127.0.0.1:%d", manage),
		"certificate": filepath.Join(folder, "cert.pem"), "privateKey": filepath.Join(folder, "key.pem"),
		"httpPort": o.HTTP, "tlsPort": o.TLS, "keyAlgorithm": "ecdsa", "retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{"default": map[string]any{"description": "for tests", "validityPeriod": int(o.Validity.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "pebble.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// writePair writes the certificate of the authority's own HTTPS, and its key.
func writePair(t testing.TB, folder string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the authority itself"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err = errors.Join(os.WriteFile(filepath.Join(folder, "cert.pem"), certificate, 0o600),
		os.WriteFile(filepath.Join(folder, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	return pool
}

// names serves a DNS in which every name is 127.0.0.1, until the test ends, and returns its address.
func names(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // Pebble asks by TCP
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, question *dns.Msg) {
		answer := new(dns.Msg).SetReply(question)
		for _, q := range question.Question {
			if q.Qtype == dns.TypeA {
				answer.Answer = append(answer.Answer, &dns.A{
					Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1),
				})
			}
		}
		_ = w.WriteMsg(answer) // a client that is gone
	})}
	ended, started := make(chan struct{}), make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	go func() { defer close(ended); _ = server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = server.Shutdown(); <-ended })
	return l.Addr().String()
}
