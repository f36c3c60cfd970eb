// Package mailtest is a mail server for tests, at a free port of this machine.
package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A Server takes every mail but those to nobody@…, which has no mailbox.
type Server struct {
	Address string // localhost:port
	Roots   string // file of the authority that its certificate is judged by

	mu     sync.Mutex
	mails  []Mail
	logins int
}

// A Mail is what was sent.
type Mail struct {
	From, To, Text string
	Encrypted      bool
}

// What a server lets in.
const (
	User     = "hub"
	Password = "s3cret-of-smtp"
)

// The ways to speak TLS.
const (
	StartTLS = "starttls"
	Implicit = "implicit"
	Plain    = "none" // it offers none
)

// Start starts a server until the test ends. Plain, it lets anyone send.
func Start(t testing.TB, how string) *Server {
	t.Helper()
	certificate, roots := certify(t)
	o := &Server{Roots: roots}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{office: o, conn: c}, nil }))
	server.Domain, server.AllowInsecureAuth = "mail.example.com", how == Plain
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	settings := &tls.Config{Certificates: []tls.Certificate{certificate}}
	switch how {
	case StartTLS:
		server.TLSConfig = settings
	case Implicit:
		l = tls.NewListener(l, settings)
	}
	o.Address = strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return o
}

// certify makes a certificate for localhost, and the file of who signed it.
func certify(t testing.TB) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

type session struct {
	office *Server
	conn   *smtp.Conn
	in     bool
	mail   Mail
}

var _ smtp.AuthSession = (*session)(nil)

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, given string) error {
		s.office.mu.Lock()
		defer s.office.mu.Unlock()
		s.office.logins++
		if name != User || given != Password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "authentication failed"}
		}
		s.in = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	_, s.mail.Encrypted = s.conn.TLSConnectionState()
	s.mail.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	s.mail.To = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.mail.Text = string(text)
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	s.office.mails = append(s.office.mails, s.mail)
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// Got returns the mails so far.
func (o *Server) Got() []Mail {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.mails)
}

// Logins counts the tries to sign in.
func (o *Server) Logins() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.logins
}
