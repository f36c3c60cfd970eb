package bridgeserver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/source"
)

// A certificate is read again when its file has changed, so that a renewed one needs no restart.
type certificate struct {
	files  config.TLS
	clock  source.Clock
	logger *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	changed time.Time // of the file that current was read from
	looked  time.Time
}

const lookEvery = 10 * time.Second

func newCertificate(files config.TLS, clock source.Clock, logger *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, clock: clock, logger: logger}
	if err := c.read(c.modified()); err != nil {
		return nil, err
	}
	return c, nil
}

// CheckTLS reports whether the configuration's certificate can be served.
func CheckTLS(cfg *config.Config) error {
	if !cfg.TLS.Enabled() {
		return nil
	}
	_, err := newCertificate(cfg.TLS, source.SystemClock{}, nil)
	return err
}

// modified is when the certificate's file changed last; zero where that cannot be told.
func (c *certificate) modified() time.Time {
	info, err := os.Stat(c.files.Cert)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func (c *certificate) read(changed time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return fmt.Errorf("read the certificate of tls: %w", err)
	}
	c.current, c.changed = &pair, changed
	return nil
}

// get is what the next handshake shows. A new certificate that cannot be read does not replace the old one.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
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
