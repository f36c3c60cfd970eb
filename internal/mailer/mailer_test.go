package mailer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/mailer"
	"github.com/contactbridge/contactbridge/internal/test/mailtest"
)

func serverOf(o *mailtest.Server, how string) mailer.Server {
	return mailer.Server{Address: o.Address, TLS: how, Username: mailtest.User, Password: mailtest.Password, From: "contactbridge@example.com", Roots: o.Roots}
}

func TestAMailIsSent(t *testing.T) {
	t.Parallel()
	for _, how := range []string{mailer.StartTLS, mailer.Implicit, mailer.Plain} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			o := mailtest.Start(t, how)
			s := serverOf(o, how)
			if how == mailer.Plain {
				s.Username, s.Password = "", ""
			}
			s.Clock = func() time.Time { return time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) }
			code, err := s.Send(t.Context(), mailer.Message{To: "ops@example.com", Subject: "crm of acme\r\nBcc: evil@example.com ist müde", Text: "line one\nläuft nicht\n.\nend", ID: "alert-7-9"})
			if err != nil || code != 250 {
				t.Fatal(code, err)
			}
			all := o.Got()
			if len(all) != 1 || all[0].From != "contactbridge@example.com" || all[0].To != "ops@example.com" || all[0].Encrypted != (how != mailer.Plain) {
				t.Fatalf("%+v", all)
			}
			message, err := mail.ReadMessage(strings.NewReader(all[0].Text))
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
	o, plain := mailtest.Start(t, mailer.StartTLS), mailtest.Start(t, mailer.Plain)
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
		"no STARTTLS":      {func(s *mailer.Server) { s.Address = plain.Address }, "ops@example.com", 0, "offers no STARTTLS", "implicit"},
		"nobody there":     {func(s *mailer.Server) { s.Address = "localhost:1" }, "ops@example.com", 0, "cannot be asked", "firewall"},
		"not an address":   {func(*mailer.Server) {}, "ops", 0, "not an e-mail address", "receiver"},
		"a sender's fault": {func(s *mailer.Server) { s.From = "me" }, "ops@example.com", 0, "not an e-mail address", "alerts.smtp.from"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serverOf(o, mailer.StartTLS)
			c.change(&s)
			code, err := s.Send(t.Context(), mailer.Message{To: c.to, Subject: "x", Text: "x", ID: "1"})
			if err == nil || code != c.code || !strings.Contains(err.Error(), c.says) || !strings.Contains(failure.Of(err).Hint, c.hint) {
				t.Errorf("%d %v; hint: %s", code, err, failure.Of(err).Hint)
			}
			if err != nil && (strings.Contains(err.Error(), mailtest.Password) || strings.Contains(err.Error(), "wrong-word")) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
	if got := append(o.Got(), plain.Got()...); len(got) != 0 {
		t.Errorf("sent: %+v", got)
	}
	if plain.Logins() != 0 {
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
