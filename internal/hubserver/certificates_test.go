package hubserver_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/test/pace"
	"github.com/contactbridge/contactbridge/internal/test/pebble"
	"github.com/contactbridge/contactbridge/internal/test/ports"
)

// A hub gets its certificate by itself and keeps it with its data.
func TestACertificateIsGotFromAnAuthority(t *testing.T) {
	port := ports.ForTest(t)
	authority := pebble.Start(t, pebble.Options{TLS: port, HTTP: port})
	cfg := hubconfig.Default()
	cfg.Data, cfg.Listen = t.TempDir(), fmt.Sprintf("127.0.0.1:%d", port)
	cfg.TLS.ACME = &config.Authority{Domains: []string{"hub.example.com"}, Directory: authority.Directory, Roots: authority.Roots}
	address, _, stop := serve(t, cfg)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Issuers(t), ServerName: "hub.example.com"}}
	client := &http.Client{Transport: transport}
	deadline := time.Now().Add(pace.Limit(20 * time.Second))
	for {
		response, err := client.Get("https" + address[len("http"):] + "/healthz")
		if err == nil {
			response.Body.Close()
			if response.Header.Get("Strict-Transport-Security") == "" {
				t.Error("browsers may come back without HTTPS")
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	transport.CloseIdleConnections()
	stop()
	keys, err := filepath.Glob(filepath.Join(cfg.Data, hubserver.CertificatesFolder, "certificates", "*", "*", "*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("%q, %v", keys, err)
	}
	if info, err := os.Stat(keys[0]); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
}
