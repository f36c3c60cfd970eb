package ldaptest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/contactbridge/contactbridge/internal/test/ports"
)

// Start389 starts a 389 Directory Server. Its configuration is in /etc/dirsrv, under a name of its own, until [Server.Stop]. sync
// enables the retro changelog and content synchronization.
func Start389(ctx context.Context, sync bool) (*Server, error) {
	daemon, err := find("ns-slapd")
	if err != nil {
		return nil, fmt.Errorf("%w (Debian packages 389-ds-base and python3-lib389)", err)
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: setting up a 389 Directory Server needs root", ErrNotInstalled)
	}
	port, err := ports.Free()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ldaptest-")
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("test%d", port)
	s := &Server{
		Product: "389", Dir: dir, Base: "dc=example,dc=com", URL: fmt.Sprintf("ldap://127.0.0.1:%d", port),
		Admin: "cn=Directory Manager", AdminPassword: "secret12", Reader: "cn=Directory Manager", ReaderPassword: "secret12",
	}
	folder := "/etc/dirsrv/slapd-" + name
	s.after = func() { remove389(name) }
	if err := s.setup389(ctx, name, port, sync); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.start = func() *exec.Cmd { return exec.Command(daemon, "-d", "0", "-D", folder, "-i", s.file("pid")) }
	if err := s.Launch(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

const setup389 = `
import logging, lib389, lib389.instance.setup as S
lib389.DirSrv.with_systemd = lambda self: False
S.SetupDs(verbose=False, dryrun=False, log=logging.getLogger('x'), containerised=False).create_from_inf('%s')
`

func (s *Server) setup389(ctx context.Context, name string, port int, sync bool) error {
	inf := fmt.Sprintf("[general]\nconfig_version = 2\nstart = False\nselinux = False\nsystemd = False\nfull_machine_name = localhost\nstrict_host_checking = False\n"+
		"[slapd]\ninstance_name = %s\nport = %d\nself_sign_cert = False\nuser = dirsrv\ngroup = dirsrv\nroot_password = %s\n"+
		"[backend-userroot]\nsuffix = %s\ncreate_suffix_entry = True\nsample_entries = no\n", name, port, s.AdminPassword, s.Base)
	if err := os.WriteFile(s.file("ds.inf"), []byte(inf), 0o600); err != nil {
		return err
	}
	program := fmt.Sprintf(setup389, s.file("ds.inf"))
	if err := run(ctx, s.Dir, "unshare", "-n", "bash", "-c", `ip link set lo up; exec /usr/bin/python3 -c "$0"`, program); err != nil {
		return err
	}
	file := "/etc/dirsrv/slapd-" + name + "/dse.ldif"
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(configure389(string(text), sync)), 0o600)
}

// configure389 makes a server listen on loopback only, without TLS.
func configure389(dse string, sync bool) string {
	dse = strings.Replace(dse, "nsslapd-security: on", "nsslapd-security: off", 1)
	dse = strings.Replace(dse, "\nnsslapd-port:", "\nnsslapd-listenhost: 127.0.0.1\nnsslapd-port:", 1)
	if !sync {
		return dse
	}
	var entries []string
	for entry := range strings.SplitSeq(dse, "\n\n") {
		if strings.Contains(entry, "dn: cn=Retro Changelog Plugin,") || strings.Contains(entry, "dn: cn=Content Synchronization,") {
			entry = strings.Replace(entry, "nsslapd-pluginEnabled: off", "nsslapd-pluginEnabled: on", 1)
			if strings.Contains(entry, "dn: cn=Retro") {
				entry += "\nnsslapd-attribute: nsuniqueid:targetUniqueId"
			}
		}
		entries = append(entries, entry)
	}
	return strings.Join(entries, "\n\n")
}

// remove389 removes what setting up left outside of the server's folder.
func remove389(name string) {
	for _, pattern := range []string{"/etc/dirsrv/slapd-", "/var/lib/dirsrv/slapd-", "/var/log/dirsrv/slapd-", "/var/lock/dirsrv/slapd-", "/run/dirsrv/slapd-", "/run/lock/dirsrv/slapd-", "/etc/dirsrv/ssca-", "/dev/shm/slapd-"} {
		_ = os.RemoveAll(pattern + name) // the rest is tidiness
	}
	sockets, _ := filepath.Glob("/run/slapd-" + name + "*")
	for _, path := range sockets {
		_ = os.Remove(path)
	}
}
