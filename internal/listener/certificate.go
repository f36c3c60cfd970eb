package listener

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/internal/clock"
)

// A Certificate is read again when its file has changed, so that a renewed one needs no restart.
type Certificate struct {
	cert   string // PEM files
	key    string
	clock  clock.Clock
	logger *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	changed time.Time // of the file that current was read from
	looked  time.Time
}

const lookEvery = 10 * time.Second

// NewCertificate reads a certificate with its chain, and its key, from PEM files.
func NewCertificate(cert, key string, clock clock.Clock, logger *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, clock: clock, logger: logger}
	if err := c.read(c.modified()); err != nil {
		return nil, err
	}
	return c, nil
}

// modified is when the certificate's file changed last; zero where that cannot be told.
func (c *Certificate) modified() time.Time {
	info, err := os.Stat(c.cert)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func (c *Certificate) read(changed time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("read the certificate of tls: %w", err)
	}
	c.current, c.changed = &pair, changed
	return nil
}

// Get returns the certificate that the next handshake shows. A new certificate that cannot be read does not replace the old one.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.clock.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		if changed := c.modified(); !changed.IsZero() && !changed.Equal(c.changed) {
			if err := c.read(changed); err != nil {
				c.logger.Warn("the new certificate cannot be read; the old one is shown", "error", err)
			}
		}
	}
	return c.current, nil
}
