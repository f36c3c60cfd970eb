// Package ldaptest starts private, throw-away directory servers for tests and measurements: OpenLDAP, the Active Directory of Samba, and
// 389 Directory Server. They listen on loopback or a socket only, and are gone when the process is gone.
package ldaptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/internal/test/process"
)

// ErrNotInstalled means that the machine lacks a server.
var ErrNotInstalled = errors.New("a directory server is not installed")

// A Server is a running directory server.
type Server struct {
	Product string // openldap, samba or 389
	URL     string // as kind ldap takes it
	TLSURL  string // of OpenLDAP: ldaps
	Socket  string // of OpenLDAP: ldapi
	CA      string // of OpenLDAP: the certificate that signed its own
	Dir     string // removed by Stop
	Base    string // the naming context

	Admin, AdminPassword   string // may write
	Reader, ReaderPassword string // reads, with the limits of a usual reader

	command *exec.Cmd
	exited  chan struct{}
	start   func() *exec.Cmd
	after   func() // when it has ended for good
}

// Connect opens a connection as admin.
func (s *Server) Connect() (*client.Conn, error) { return s.ConnectAs(s.Admin, s.AdminPassword) }

// ConnectAs opens a connection.
func (s *Server) ConnectAs(dn, password string) (*client.Conn, error) {
	c, err := client.DialURL(s.URL)
	if err != nil {
		return nil, err
	}
	if err := c.Bind(dn, password); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Launch starts the server, again after [Server.Shutdown] or [Server.Kill], and waits until it answers.
func (s *Server) Launch(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.Dir, "log.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.start()
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, log, log
	cmd.SysProcAttr = process.Attributes(nil)
	wait, err := process.Start(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.Product, err)
	}
	s.command, s.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) {
		defer close(exited)
		_ = wait() // its status says nothing that the log does not
	}(s.exited)
	return s.await(ctx)
}

// await waits until the server lets the admin in.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		c, err := s.Connect()
		if err == nil {
			return c.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-s.exited:
			return fmt.Errorf("%s did not start: %s", s.Product, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w: %s", s.Product, err, s.Log())
		}
	}
}

// Log returns the end of the server's log.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.Dir, "log.txt"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-4000):]))
}

// Shutdown ends the server in order.
func (s *Server) Shutdown() { s.signal(syscall.SIGTERM) }

// Kill ends the server with SIGKILL.
func (s *Server) Kill() { s.signal(syscall.SIGKILL) }

func (s *Server) signal(sig syscall.Signal) {
	if s.command == nil {
		return
	}
	_ = syscall.Kill(-s.command.Process.Pid, sig) // its own process group; it may have ended by itself
	select {
	case <-s.exited:
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(-s.command.Process.Pid, syscall.SIGKILL)
		<-s.exited
	}
	s.command = nil
}

// Stop ends the server and removes what it left.
func (s *Server) Stop() error {
	s.Kill()
	if s.after != nil {
		s.after()
	}
	return os.RemoveAll(s.Dir)
}

// find returns the path of a program that may not be in PATH.
func find(names ...string) (string, error) {
	for _, name := range names {
		for _, path := range []string{name, "/usr/sbin/" + name, "/usr/bin/" + name} {
			if found, err := exec.LookPath(path); err == nil {
				return found, nil
			}
		}
	}
	return "", fmt.Errorf("%w: %s is missing", ErrNotInstalled, names[0])
}

// run runs a program to its end.
func run(ctx context.Context, dir, name string, args ...string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out.String())
	}
	return nil
}
