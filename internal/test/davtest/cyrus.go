package davtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/ports"
	"github.com/contactbridge/contactbridge/internal/test/process"
)

// Cyrus starts a Cyrus.
func Cyrus(ctx context.Context) (*Server, error) {
	master, err := program("master", "cyrus-caldav")
	if err != nil {
		return nil, err
	}
	if _, err := program("httpd", "cyrus-caldav"); err != nil {
		return nil, err
	}
	passwords, err := program("saslpasswd2", "sasl2-bin")
	if err != nil {
		return nil, err
	}
	s, err := newServer("Cyrus")
	if err != nil {
		return nil, err
	}
	if err = s.cyrus(ctx, master, passwords); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) cyrus(ctx context.Context, master, passwords string) error {
	port, err := s.listen()
	if err != nil {
		return err
	}
	mail, err := ports.Free()
	if err != nil {
		return err
	}
	s.URL, s.Home = s.base+"/", "/dav/addressbooks/user/"+User+"/"
	owner, err := process.Owner("cyrus")
	if err != nil {
		return err
	}
	for _, folder := range strings.Fields("conf conf/db conf/socket conf/user conf/quota conf/proc conf/lock conf/msg conf/ptclient conf/log conf/sync conf/backup conf/patch mail run run/proc run/lock run/socket sieve") {
		if err := os.MkdirAll(s.file(folder), 0o755); err != nil {
			return err
		}
	}
	imapd := fmt.Sprintf(`configdirectory: %[1]s/conf
proc_path: %[1]s/run/proc
mboxname_lockpath: %[1]s/run/lock
partition-default: %[1]s/mail
sievedir: %[1]s/sieve
admins: admin
unixhierarchysep: yes
virtdomains: off
httpmodules: caldav carddav
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: %[1]s/sasldb2
sasl_mech_list: PLAIN
servername: localhost
`, s.dir)
	services := fmt.Sprintf("START {\n recover cmd=\"%[1]s/ctl_cyrusdb -C %[2]s/imapd.conf -r\"\n}\nSERVICES {\n"+
		" imap cmd=\"imapd -C %[2]s/imapd.conf\" listen=\"127.0.0.1:%[3]d\" prefork=0\n"+
		" http cmd=\"httpd -C %[2]s/imapd.conf\" listen=\"127.0.0.1:%[4]d\" prefork=1\n}\nEVENTS {\n}\n", filepath.Dir(master), s.dir, mail, port)
	if err := errors.Join(s.write("imapd.conf", imapd), s.write("cyrus.conf", services)); err != nil {
		return err
	}
	for _, name := range []string{User, "admin"} {
		cmd := exec.CommandContext(ctx, passwords, "-p", "-c", "-f", s.file("sasldb2"), "-u", "localhost", name)
		cmd.Stdin = strings.NewReader(Password)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("saslpasswd2: %w: %s", err, out)
		}
	}
	err = filepath.Walk(s.dir, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, int(owner.Uid), int(owner.Gid))
	})
	if err != nil {
		return fmt.Errorf("give files to the user that Cyrus runs as: %w", err)
	}
	cmd := exec.Command(master, "-C", s.file("imapd.conf"), "-M", s.file("cyrus.conf"), "-p", s.file("run/master.pid"), "-D")
	if err := s.launch(cmd, owner); err != nil {
		return err
	}
	if err := makeMailbox(ctx, mail); err != nil {
		return fmt.Errorf("%w: %s", err, s.Log())
	}
	return s.await(ctx)
}

// makeMailbox makes the mailbox that a user of Cyrus needs before there can be address books.
func makeMailbox(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := speakIMAP(ctx, port, "LOGIN admin "+Password, "CREATE user/"+User)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("make a mailbox: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// speakIMAP sends commands, each of which must be answered with OK.
func speakIMAP(ctx context.Context, port int, commands ...string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	answers := bufio.NewReader(conn)
	if _, err := answers.ReadString('\n'); err != nil {
		return err
	}
	for i, command := range append(commands, "LOGOUT") {
		tag := fmt.Sprintf("a%d ", i)
		if _, err := fmt.Fprintf(conn, "%s%s\r\n", tag, command); err != nil {
			return err
		}
		for {
			line, err := answers.ReadString('\n')
			if err != nil {
				return err
			}
			if answer, ok := strings.CutPrefix(line, tag); ok {
				if !strings.HasPrefix(answer, "OK") {
					return fmt.Errorf("%s: %s", command, strings.TrimSpace(answer))
				}
				break
			}
		}
	}
	return nil
}
