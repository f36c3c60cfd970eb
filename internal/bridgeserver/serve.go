package bridgeserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/acme"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/internal/telemetry"
)

// CheckTLS reports whether the configuration's certificate can be served.
func CheckTLS(cfg *config.Config) error {
	if !cfg.TLS.Enabled() {
		return nil
	}
	if cfg.TLS.ACME != nil {
		_, err := acme.ReadRoots(cfg.TLS.ACME.Roots)
		return err
	}
	_, err := listener.NewCertificate(cfg.TLS.Cert, cfg.TLS.Key, clock.System{}, nil)
	return err
}

// Serve answers requests until ctx is done, then takes no new ones, finishes the pages under way and closes the endpoints'
// sources. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	l = listener.Limit(l, s.config.Network.PerAddress, listener.ParseProxies(s.config.Network.Proxies))
	server := listener.Server(telemetry.Handler(s), maxHeaderBytes, listener.Times{}, s.logger)
	certificates, err := s.certificates(ctx, server, l)
	if err != nil {
		return errors.Join(err, l.Close(), s.Close())
	}
	failed := make(chan error, 2)
	go func() {
		if server.TLSConfig != nil {
			failed <- server.ServeTLS(l, "", "")
			return
		}
		failed <- server.Serve(l)
	}()
	renewing, end := context.WithCancel(ctx)
	var renewed sync.WaitGroup
	renewed.Go(func() {
		if err := certificates(renewing); err != nil {
			failed <- err
		}
	})
	defer renewed.Wait()
	defer end()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serve: %w", err), server.Close(), s.Close())
	case <-ctx.Done():
		return errors.Join(s.stop(ctx, server), s.Close())
	}
}

// certificates gives the server what it speaks TLS with, if it does. While it serves, the function that is returned must run: it
// gets and renews certificates.
func (s *Server) certificates(ctx context.Context, server *http.Server, l net.Listener) (run func(context.Context) error, err error) {
	t := s.config.TLS
	run = func(context.Context) error { return nil }
	switch {
	case t.ACME != nil:
		return s.automatic(ctx, server, l)
	case t.Enabled():
		certificate, err := listener.NewCertificate(t.Cert, t.Key, s.clock, s.logger)
		if err != nil {
			return nil, err
		}
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.Get}
	}
	return run, nil
}

// automatic is certificates for those that the bridge gets by itself.
func (s *Server) automatic(ctx context.Context, server *http.Server, l net.Listener) (run func(context.Context) error, err error) {
	a := s.config.TLS.ACME
	o, err := acme.OptionsOf(a.Authority, s.logger)
	if err != nil {
		return nil, err
	}
	if o.Storage = acme.Folder(a.Storage); a.SharedStorage() {
		ring, err := secret.Parse(a.SealKey, "tls.acme.seal_key")
		if err != nil {
			return nil, err
		}
		database, err := acme.OpenDatabase(ctx, a.Storage, ring)
		if err != nil {
			return nil, err
		}
		o.Storage, o.End = database, database.Close
	} else if err := acme.CheckFolder(a.Storage); err != nil {
		return nil, err
	}
	manager, err := acme.New(ctx, l, o)
	if err != nil {
		return nil, err
	}
	server.TLSConfig = manager.TLS()
	s.metrics.registry.MustRegister(manager)
	return manager.Run, nil
}

// stop lets the pages under way come to their end.
func (s *Server) stop(ctx context.Context, server *http.Server) error {
	s.stopping.Store(true)
	s.logger.Info("stopping: no new requests, pages under way are finished")
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		_ = server.Close()
		return fmt.Errorf("stop serving: %w", err)
	}
	s.logger.Info("stopped")
	return nil
}
