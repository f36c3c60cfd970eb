package mailer_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/mailer"
)

// A post office is a mail server of a test's own, at a free port of this machine.
type postOffice struct {
	address string
	roots   string // file

	mu     sync.Mutex
	mails  []letter
	logins []string
}

type letter struct {
	from, to, text string
	encrypted      bool
}

const user, password = "hub", "s3cret-of-smtp"

// open starts a server. It offers STARTTLS, speaks TLS from the start, or neither.
func open(t *testing.T, how string) *postOffice {
	t.Helper()
	certificate, roots := certify(t)
	o := &postOffice{roots: roots}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{office: o, conn: c}, nil }))
	server.Domain, server.AllowInsecureAuth = "mail.example.com", how == mailer.Plain
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	settings := &tls.Config{Certificates: []tls.Certificate{certificate}}
	switch how {
	case mailer.StartTLS:
		server.TLSConfig = settings
	case mailer.Implicit:
		l = tls.NewListener(l, settings)
	}
	o.address = strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return o
}

// certify makes a certificate for localhost, and the file of who signed it.
func certify(t *testing.T) (tls.Certificate, string) {
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
	office *postOffice
	conn   *smtp.Conn
	in     bool
	letter letter
}

var _ smtp.AuthSession = (*session)(nil)

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, given string) error {
		s.office.mu.Lock()
		defer s.office.mu.Unlock()
		s.office.logins = append(s.office.logins, name)
		if name != user || given != password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "authentication failed"}
		}
		s.in = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	_, s.letter.encrypted = s.conn.TLSConnectionState()
	s.letter.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	}
	s.letter.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.letter.text = string(text)
	s.office.mu.Lock()
	defer s.office.mu.Unlock()
	s.office.mails = append(s.office.mails, s.letter)
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (o *postOffice) got() []letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]letter{}, o.mails...)
}

func (o *postOffice) server(how string) mailer.Server {
	return mailer.Server{Address: o.address, TLS: how, Username: user, Password: password, From: "contactbridge@example.com", Roots: o.roots}
}

func TestAMailIsSent(t *testing.T) {
	t.Parallel()
	for _, how := range []string{mailer.StartTLS, mailer.Implicit, mailer.Plain} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			o := open(t, how)
			s := o.server(how)
			if how == mailer.Plain {
				s.Username, s.Password = "", ""
			}
			s.Clock = func() time.Time { return time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) }
			code, err := s.Send(t.Context(), mailer.Message{To: "ops@example.com", Subject: "crm of acme\r\nBcc: evil@example.com ist müde", Text: "line one\nläuft nicht\n.\nend", ID: "alert-7-9"})
			if err != nil || code != 250 {
				t.Fatal(code, err)
			}
			all := o.got()
			if len(all) != 1 || all[0].from != "contactbridge@example.com" || all[0].to != "ops@example.com" || all[0].encrypted != (how != mailer.Plain) {
				t.Fatalf("%+v", all)
			}
			message, err := mail.ReadMessage(strings.NewReader(all[0].text))
			if err != nil {
				t.Fatal(err)
			}
			if message.Header.Get("Bcc") != "" || message.Header.Get("Message-Id") != "<alert-7-9@example.com>" || message.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("the headers are %v", message.Header)
			}
			if date, err := message.Header.Date(); err != nil || date.Unix() != s.Clock().Unix() {
				t.Errorf("dated %v, %v", date, err)
			}
			if body, _ := io.ReadAll(message.Body); !bytes.Contains(body, []byte("line one")) || !bytes.Contains(body, []byte("end")) {
				t.Errorf("the body is %s", body)
			}
		})
	}
}

func TestWhatAMailServerRefusesIsExplained(t *testing.T) {
	t.Parallel()
	o, plain := open(t, mailer.StartTLS), open(t, mailer.Plain)
	for name, c := range map[string]struct {
		change func(*mailer.Server)
		to     string
		code   int
		says   string
		hint   string
	}{
		"wrong password":   {func(s *mailer.Server) { s.Password = "wrong-word" }, "ops@example.com", 0, "did not let the hub in", "username and password"},
		"no such mailbox":  {func(*mailer.Server) {}, "nobody@example.com", 550, "no such mailbox", "may send from"},
		"unknown root":     {func(s *mailer.Server) { s.Roots = "" }, "ops@example.com", 0, "is not trusted", "alerts.smtp.roots"},
		"another name":     {func(s *mailer.Server) { s.Address = strings.Replace(s.Address, "localhost", "127.0.0.1", 1) }, "ops@example.com", 0, "is not trusted", "the name that its certificate is for"},
		"no STARTTLS":      {func(s *mailer.Server) { s.Address = plain.address }, "ops@example.com", 0, "offers no STARTTLS", "implicit"},
		"nobody there":     {func(s *mailer.Server) { s.Address = "localhost:1" }, "ops@example.com", 0, "cannot be asked", "firewall"},
		"not an address":   {func(*mailer.Server) {}, "ops", 0, "not an e-mail address", "receiver"},
		"a sender's fault": {func(s *mailer.Server) { s.From = "me" }, "ops@example.com", 0, "not an e-mail address", "alerts.smtp.from"},
	} {
		t.Run(name, func(t *testing.T) {
			s := o.server(mailer.StartTLS)
			c.change(&s)
			code, err := s.Send(t.Context(), mailer.Message{To: c.to, Subject: "x", Text: "x", ID: "1"})
			if err == nil || code != c.code || !strings.Contains(err.Error(), c.says) || !strings.Contains(failure.Of(err).Hint, c.hint) {
				t.Errorf("%d %v; hint: %s", code, err, failure.Of(err).Hint)
			}
			if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "wrong-word")) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
	if got := append(o.got(), plain.got()...); len(got) != 0 {
		t.Errorf("sent: %+v", got)
	}
	if len(plain.logins) != 0 {
		t.Error("a password was sent in the clear")
	}
}

// A server that says nothing is not waited for longer than anyone is.
func TestASilentMailServerIsGivenUp(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = mailer.Server{Address: l.Addr().String(), TLS: mailer.Implicit, From: "a@example.com", Timeout: time.Second}.
		Send(ctx, mailer.Message{To: "b@example.com", Subject: "x", Text: "x", ID: "1"})
	if err == nil || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
