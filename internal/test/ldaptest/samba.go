package ldaptest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// StartSamba starts the Active Directory domain controller of Samba. Its ports are fixed, so it lives in a network of its own, which
// only root may make, and is reached by its socket.
func StartSamba(ctx context.Context) (*Server, error) {
	for _, name := range []string{"samba", "samba-tool", "unshare"} {
		if _, err := find(name); err != nil {
			return nil, fmt.Errorf("%w (Debian packages samba-ad-dc, samba-ad-provision and util-linux)", err)
		}
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: a domain controller needs root", ErrNotInstalled)
	}
	dir, err := os.MkdirTemp("", "ldaptest-")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Product: "samba", Dir: dir, Base: "DC=example,DC=lan", Admin: "Administrator@example.lan", AdminPassword: "Passw0rd!x",
		URL: "ldapi://" + filepath.Join(dir, "dc", "private", "ldapi"),
	}
	s.Reader, s.ReaderPassword = s.Admin, s.AdminPassword
	if err := s.provision(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.start = func() *exec.Cmd {
		return exec.Command("unshare", "-n", "bash", "-c", `ip link set lo up; exec samba -s "$0/etc/smb.conf" -i -M single `+
			`--option='server services=ldap' --option='ldap server require strong auth=no' --option="pid directory=$0/run" --option="log file=$0/log"`, s.file("dc"))
	}
	if err := s.Launch(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// provision makes the domain.
func (s *Server) provision(ctx context.Context) error {
	if err := os.WriteFile(s.file("empty.conf"), []byte("[global]\n"), 0o600); err != nil {
		return err
	}
	script := `ip link set lo up; samba-tool domain provision --configfile="$0/empty.conf" --realm=EXAMPLE.LAN --domain=EXAMPLE --server-role=dc ` +
		`--dns-backend=NONE --adminpass=` + strconv.Quote(s.AdminPassword) + ` --targetdir="$0/dc" --host-ip=127.0.0.1 --host-name=dc1 ` +
		`--option='interfaces=lo' --option='bind interfaces only=yes'`
	if err := os.Mkdir(s.file("dc"), 0o755); err != nil {
		return err
	}
	if err := run(ctx, s.Dir, "unshare", "-n", "bash", "-c", script, s.Dir); err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(s.file("dc/cache"), 0o755), os.MkdirAll(s.file("dc/run"), 0o755))
}
