package bridgeserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"

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
	_, err := listener.NewCertificate(cfg.TLS.Cert, cfg.TLS.Key, clock.System{}, nil)
	return err
}

// Serve answers requests until ctx is done, then takes no new ones, finishes the pages under way and closes the endpoints'
// sources. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	l = listener.Limit(l, s.config.Network.PerAddress, listener.ParseProxies(s.config.Network.Proxies))
	server := listener.Server(telemetry.Handler(s), maxHeaderBytes, listener.Times{}, s.logger)
	if s.config.TLS.Enabled() {
		certificate, err := listener.NewCertificate(s.config.TLS.Cert, s.config.TLS.Key, s.clock, s.logger)
		if err != nil {
			return errors.Join(err, l.Close(), s.Close())
		}
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.Get}
	}
	failed := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			failed <- server.ServeTLS(l, "", "")
			return
		}
		failed <- server.Serve(l)
	}()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serve: %w", err), s.Close())
	case <-ctx.Done():
		return errors.Join(s.stop(ctx, server), s.Close())
	}
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
