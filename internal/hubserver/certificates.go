package hubserver

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/contactbridge/contactbridge/internal/acme"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/internal/listener"
)

// CertificatesFolder holds certificates that an embedded hub got by itself, below its data folder.
const CertificatesFolder = "certificates"

// A served says how a server speaks TLS.
type served struct {
	tls        *tls.Config // nil: it does not
	collectors []prometheus.Collector
	manager    *acme.Manager // nil: certificates are not got
}

// run gets and renews certificates until ctx is done.
func (s served) run(ctx context.Context) error {
	if s.manager == nil {
		return nil
	}
	return s.manager.Run(ctx)
}

// end is for one that was never run.
func (s served) end() error {
	if s.manager == nil {
		return nil
	}
	return s.manager.Close()
}

// certificates reads the configuration's certificate, or prepares to get one for a server that listens on l.
func (s *Server) certificates(ctx context.Context, l net.Listener) (served, error) {
	t := s.config.TLS
	switch {
	case t.ACME != nil:
		return s.automatic(ctx, l)
	case t.Enabled():
		certificate, err := listener.NewCertificate(t.Cert, t.Key, clock.System{}, s.logger)
		if err != nil {
			return served{}, err
		}
		return served{tls: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.Get}}, nil
	}
	return served{}, nil
}

// automatic prepares to get certificates. Those of a hub on PostgreSQL are kept there, sealed as credentials are.
func (s *Server) automatic(ctx context.Context, l net.Listener) (served, error) {
	o, err := acme.OptionsOf(*s.config.TLS.ACME, s.logger)
	if err != nil {
		return served{}, err
	}
	o.Storage = acme.Folder(filepath.Join(s.config.Data, CertificatesFolder))
	if s.config.Database != "" {
		database, err := acme.OpenDatabase(ctx, s.config.Database, s.ring)
		if err != nil {
			return served{}, err
		}
		o.Storage, o.End = database, database.Close
	}
	manager, err := acme.New(ctx, l, o)
	if err != nil {
		return served{}, err
	}
	return served{tls: manager.TLS(), collectors: []prometheus.Collector{manager}, manager: manager}, nil
}
