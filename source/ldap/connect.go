package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// A login is where a caller's directory is, and who reads it.
type login struct {
	address  address
	startTLS bool
	trusted  *x509.CertPool // nil: the system's
	dn       string
	password string
}

// A conn is one connection to a server, bound. It is used by one goroutine.
type conn struct {
	*client.Conn
	unlink func() bool
}

// dialTimeout is how long a connection and its encryption may take together.
const dialTimeout = 5 * time.Second

// connect opens a connection and binds. The connection ends with ctx.
func (l login) connect(ctx context.Context, deps source.Deps) (*conn, error) {
	c, err := l.dial(ctx, deps)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, diagnose(err, "")
	}
	if err := l.bind(c); err != nil {
		c.close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, diagnose(err, "")
	}
	return c, nil
}

func (l login) dial(ctx context.Context, deps source.Deps) (*conn, error) {
	dialling, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := deps.Dial(dialling, l.address.network, l.address.target)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: l.address.host, RootCAs: l.trusted, MinVersion: tls.VersionTLS12}
	if l.address.scheme == "ldaps" {
		secured := tls.Client(raw, config)
		if err := secured.HandshakeContext(dialling); err != nil {
			_ = raw.Close() // the handshake's error counts
			return nil, &tlsError{err}
		}
		raw = secured
	}
	if l.startTLS {
		secured, err := startTLS(dialling, raw, config)
		if err != nil {
			_ = raw.Close() // the error counts
			return nil, &tlsError{err}
		}
		raw = secured
	}
	c := &conn{Conn: client.NewConn(&boundedConn{Conn: raw}, l.address.scheme == "ldaps" || l.startTLS)}
	c.Start()
	c.unlink = context.AfterFunc(ctx, func() { _ = raw.Close() })
	return c, nil
}

// startTLS encrypts a connection (RFC 4511, 4.14). The library could do that too, but would then read past what bounds its messages.
func startTLS(ctx context.Context, raw net.Conn, config *tls.Config) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	const message = 1
	asked := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	asked.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, int64(message), ""))
	extended := ber.Encode(ber.ClassApplication, ber.TypeConstructed, client.ApplicationExtendedRequest, nil, "")
	extended.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", ""))
	asked.AppendChild(extended)
	if _, err := raw.Write(asked.Bytes()); err != nil {
		return nil, client.NewError(client.ErrorNetwork, err)
	}
	answer, err := ber.ReadPacket(&boundedConn{Conn: raw})
	if err != nil {
		return nil, client.NewError(client.ErrorNetwork, err)
	}
	if err := client.GetLDAPError(answer); err != nil {
		return nil, err
	}
	secured := tls.Client(raw, config)
	return secured, secured.HandshakeContext(ctx)
}

// bind says who reads.
func (l login) bind(c *conn) error {
	switch {
	case l.dn != "":
		return c.Bind(l.dn, l.password)
	case l.address.scheme == "ldapi":
		root, err := readRoot(c)
		if err == nil && root.has("supportedSASLMechanisms", "EXTERNAL") {
			return c.ExternalBind()
		}
	}
	return nil // nobody
}

func (c *conn) close() {
	c.unlink()
	_ = c.Close() // nothing that was asked for is lost
}

// readCA reads the certificates of an authority; without a file the result is nil.
func readCA(name string) (*x509.CertPool, error) {
	if name == "" {
		return nil, nil
	}
	wrong := func(message string, err error) error {
		return &bridge.Error{Code: bridge.CodeSourceBroken, Message: message, Hint: "Name a file with certificates in PEM in ca.", Err: err}
	}
	text, err := source.ReadFile(name, source.MaxCertificates)
	if err != nil {
		return nil, wrong("the file of ca cannot be read", errors.Unwrap(err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, wrong("the file of ca holds no certificate", nil)
	}
	return pool, nil
}

// A tlsError is what went wrong while a connection was being encrypted.
type tlsError struct{ err error }

func (e *tlsError) Error() string { return "the connection cannot be encrypted" }

func (e *tlsError) Unwrap() error { return e.err }

var errNotAHost = errors.New("it is not a host's name")
