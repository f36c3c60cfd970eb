package bridgeserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/contactbridge/contactbridge/internal/config"
)

// Listen opens the configuration's listener. Its error is a [*ListenError].
func Listen(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	var listen net.ListenConfig
	if path, ok := cfg.UnixSocket(); ok {
		removeStale(ctx, path)
		l, err := listen.Listen(ctx, "unix", path)
		if err != nil {
			return nil, listenError(cfg.Listen, err)
		}
		return l, nil
	}
	l, err := listen.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, listenError(cfg.Listen, err)
	}
	return l, nil
}

// A ListenError says why an address cannot be listened on, and what to do.
type ListenError struct {
	Address string
	Hint    string
	Err     error
}

func (e *ListenError) Error() string { return fmt.Sprintf("listen on %s: %v", e.Address, e.Err) }

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.Err }

func listenError(address string, err error) error {
	e := &ListenError{Address: address, Err: err, Hint: "Check listen in the configuration."}
	if inner, ok := errors.AsType[*net.OpError](err); ok {
		e.Err = inner.Err
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e.Hint = "Another process listens there already: stop it, or choose another port (0 takes any free one)."
	case errors.Is(err, syscall.EACCES):
		e.Hint = "Ports below 1024 need a privilege, sockets a folder that may be written; choose another one."
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		e.Hint = "This machine has no such address; 127.0.0.1 is for this machine only, 0.0.0.0 for all of its addresses."
	case errors.Is(err, os.ErrNotExist):
		e.Hint = "Make the socket's folder first."
	}
	return e
}

// removeStale removes the socket that a killed bridge left behind: one that nobody answers at.
func removeStale(ctx context.Context, path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path) // or listening says why not
	}
}

// BaseURL is where a listener is reached.
func BaseURL(cfg *config.Config, l net.Listener) string {
	scheme := "http"
	if cfg.TLS.Enabled() {
		scheme = "https"
	}
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return scheme + "://" + l.Addr().String()
}

// Serve answers requests until ctx is done, then takes no new ones, finishes the pages under way and closes the endpoints'
// sources. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: readHeaderTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug), // callers that come and go are no news
	}
	if s.config.TLS.Enabled() {
		certificate, err := newCertificate(s.config.TLS, s.clock, s.logger)
		if err != nil {
			return errors.Join(err, l.Close(), s.Close())
		}
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.get}
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
