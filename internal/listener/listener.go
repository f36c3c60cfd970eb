// Package listener opens what a server listens on, with a word on what to do where that fails, and keeps its certificate
// current.
package listener

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/contactbridge/contactbridge/failure"
)

// Open listens on host:port, or on unix:/path/to/socket. Its error is an [*Error].
func Open(ctx context.Context, address string) (net.Listener, error) {
	var listen net.ListenConfig
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		removeStale(ctx, path)
		l, err := listen.Listen(ctx, "unix", path)
		if err != nil {
			return nil, listenError(address, err)
		}
		// Whatever the umask: a socket is for its owner and group, such as a reverse proxy's.
		if info, err := os.Stat(path); err == nil {
			err = os.Chmod(path, info.Mode().Perm()&0o770)
			if err != nil {
				return nil, errors.Join(listenError(address, err), l.Close())
			}
		}
		return l, nil
	}
	l, err := listen.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, listenError(address, err)
	}
	return l, nil
}

// listenError says why an address cannot be listened on, and what to do.
func listenError(address string, err error) error {
	e := &failure.Error{Message: "listen on " + address, Hint: "Check listen in the configuration.", Err: err}
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

// removeStale removes the socket of a killed process: a socket without an answer.
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

// URL is where a listener is reached; secure says that it speaks TLS.
func URL(l net.Listener, secure bool) string {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	if l.Addr().Network() == "unix" {
		return "unix:" + l.Addr().String()
	}
	return scheme + "://" + l.Addr().String()
}
