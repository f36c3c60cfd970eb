// Package mailer sends the hub's e-mails by SMTP (RFC 5321), with STARTTLS or TLS from the start, and with a password where there is one.
package mailer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/contactbridge/contactbridge/failure"
)

// How a connection is encrypted.
const (
	StartTLS = "starttls" // after a greeting in the clear (RFC 3207); a server that does not offer it is sent nothing
	Implicit = "implicit" // from the start (RFC 8314)
	Plain    = "none"     // not at all
)

// A Server is a mail server and how it lets the hub in.
type Server struct {
	Address  string // host:port
	TLS      string // StartTLS, Implicit or Plain
	Username string // empty: it asks for none
	Password string
	From     string           // address of the sender
	Roots    string           // PEM file of the authorities that its certificate is judged by; empty: the machine's
	Timeout  time.Duration    // of everything together; 0: 10 s
	Clock    func() time.Time // for the date of messages; nil: the machine's
}

// A Message is a plain text to one address.
type Message struct {
	To, Subject, Text string
	ID                string // a word, the same for every attempt
}

// Send sends a message, and returns the code of the server's answer: 250, or of a refusal; 0 where it did not answer. A
// failure's hint says what to do. No error holds the password.
func (s Server) Send(ctx context.Context, m Message) (code int, err error) {
	message, err := s.message(m)
	if err != nil {
		return 0, err
	}
	client, err := s.client()
	if err != nil {
		return 0, err
	}
	if err := client.DialAndSendWithContext(ctx, message); err != nil {
		return codeOf(err), s.explained(err)
	}
	return 250, nil
}

func (s Server) message(m Message) (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := message.From(s.From); err != nil {
		return nil, &failure.Error{Code: failure.Invalid, Message: "the sender " + strconv.Quote(s.From) + " is not an e-mail address", Hint: "Correct alerts.smtp.from.", Err: failure.Hidden(err)}
	}
	if err := message.To(m.To); err != nil {
		return nil, &failure.Error{Code: failure.Invalid, Message: strconv.Quote(m.To) + " is not an e-mail address", Hint: "Correct the receiver.", Err: failure.Hidden(err)}
	}
	message.Subject(oneLine(m.Subject))
	message.SetBodyString(mail.TypeTextPlain, m.Text)
	_, domain, _ := strings.Cut(message.GetFrom()[0].Address, "@")
	message.SetMessageIDWithValue(m.ID + "@" + domain)
	message.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody is to answer by itself
	if s.Clock != nil {
		message.SetDateWithValue(s.Clock())
	}
	return message, nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func (s Server) client() (*mail.Client, error) {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return nil, &failure.Error{Code: failure.Invalid, Message: "the mail server's address is not host:port", Hint: "Write alerts.smtp.server as smtp.example.com:587."}
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, &failure.Error{Code: failure.Invalid, Message: "the mail server's port is not a number", Hint: "Write alerts.smtp.server as smtp.example.com:587."}
	}
	settings := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.Roots != "" {
		if settings.RootCAs, err = roots(s.Roots); err != nil {
			return nil, err
		}
	}
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	options := []mail.Option{mail.WithPort(number), mail.WithTimeout(timeout), mail.WithTLSConfig(settings), mail.WithoutNoop()}
	switch s.TLS {
	case Implicit:
		options = append(options, mail.WithSSL())
	case Plain:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.Username), mail.WithPassword(s.Password))
	}
	return mail.NewClient(host, options...)
}

func roots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the mail server's authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, &failure.Error{Code: failure.Invalid, Message: file + " holds no certificate", Hint: "alerts.smtp.roots is a PEM file with the certificates of authorities."}
	}
	return pool, nil
}

// codeOf is the code of the server's refusal; 0 where it did not answer.
func codeOf(err error) int {
	if refused, ok := errors.AsType[*mail.SendError](err); ok {
		return refused.ErrorCode()
	}
	return 0
}

// explained says what to do about a failure.
func (s Server) explained(err error) error {
	explain := func(message, hint string) error {
		return &failure.Error{Message: message, Hint: hint, Err: failure.Hidden(err)}
	}
	said := oneLine(err.Error())
	if s.Password != "" {
		said = strings.ReplaceAll(said, s.Password, "[password]")
	}
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, named := errors.AsType[x509.HostnameError](err)
	switch {
	case errors.Is(err, mail.ErrNoSupportedAuthDiscovered), strings.Contains(said, "SMTP AUTH failed"), strings.Contains(said, "535 "):
		return explain("the mail server "+s.Address+" did not let the hub in: "+said, "Correct alerts.smtp.username and password.")
	case strings.Contains(said, "STARTTLS"):
		return explain("the mail server "+s.Address+" offers no STARTTLS", "Set alerts.smtp.tls to implicit if it speaks TLS from the start (often port 465), or to none on a network that you trust.")
	case unknown, named:
		return explain("the certificate of the mail server "+s.Address+" is not trusted: "+said, "Write the name that its certificate is for, or name its authority in alerts.smtp.roots.")
	case codeOf(err) != 0:
		return explain("the mail server "+s.Address+" did not take the message: "+said, "Look whether it may send from "+s.From+" to this address.")
	}
	return explain("the mail server "+s.Address+" cannot be asked: "+said, "Look at alerts.smtp.server and tls, and whether a firewall is in between.")
}
