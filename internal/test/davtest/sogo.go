package davtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/jackc/pgx/v5"

	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/internal/test/ports"
	"github.com/contactbridge/contactbridge/internal/test/process"
)

// SOGo starts a SOGo with a PostgreSQL of its own.
func SOGo(ctx context.Context) (*Server, error) {
	daemon, err := program("sogod", "sogo")
	if err != nil {
		return nil, err
	}
	memcached, err := program("memcached", "memcached")
	if err != nil {
		return nil, err
	}
	s, err := newServer("SOGo")
	if err != nil {
		return nil, err
	}
	if err = s.sogo(ctx, daemon, memcached); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) sogo(ctx context.Context, daemon, memcached string) error {
	port, err := s.listen()
	if err != nil {
		return err
	}
	cache, err := ports.Free()
	if err != nil {
		return err
	}
	s.Home = "/SOGo/dav/" + User + "/Contacts/"
	s.URL = s.base + "/SOGo/dav/"
	owner, err := process.Owner("sogo")
	if err != nil {
		return err
	}
	database, err := pgtest.Start(ctx)
	if err != nil {
		return err
	}
	s.stop = append(s.stop, database.Stop)
	if err := makeUsers(ctx, database.DSN("postgres")); err != nil {
		return err
	}
	if err := os.Mkdir(s.file("run"), 0o755); err != nil {
		return err
	}
	if err := os.Chown(s.file("run"), int(owner.Uid), int(owner.Gid)); err != nil {
		return err
	}
	if err := s.launch(exec.Command(memcached, "-l", "127.0.0.1", "-p", fmt.Sprint(cache), "-U", "0", "-m", "16"), owner); err != nil {
		return err
	}
	tables := fmt.Sprintf("postgresql://postgres@127.0.0.1:%d/postgres/", database.Port)
	cmd := exec.Command(daemon, "-WOUseWatchDog", "YES", "-WOPort", fmt.Sprintf("127.0.0.1:%d", port), "-WOWorkersCount", "4",
		"-WOLogFile", "-", "-WOPidFile", s.file("run/pid"), "-WONoDetach", "YES",
		"-SOGoProfileURL", tables+"sogo_user_profile", "-OCSFolderInfoURL", tables+"sogo_folder_info", "-OCSSessionsFolderURL", tables+"sogo_sessions_folder",
		"-SOGoUserSources", `({type=sql;id=users;viewURL="`+tables+`sogo_users";canAuthenticate=YES;isAddressBook=NO;userPasswordAlgorithm=md5;})`,
		"-SOGoMailDomain", "example.com", "-SOGoTimeZone", "UTC", "-SOGoMemcachedHost", fmt.Sprintf("127.0.0.1:%d", cache), "-SxVMemLimit", "2048")
	cmd.Env = []string{"HOME=" + s.file("run"), "PATH=/usr/bin:/bin"}
	if err := s.launch(cmd, owner); err != nil {
		return err
	}
	return s.await(ctx)
}

// makeUsers makes the table of SOGo's users.
func makeUsers(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, `CREATE TABLE sogo_users (c_uid varchar(50) PRIMARY KEY, c_name varchar(50), c_password varchar(200), c_cn varchar(200), mail varchar(200));
		INSERT INTO sogo_users VALUES ('`+User+`', '`+User+`', md5('`+Password+`'), 'Alice', 'alice@example.com')`)
	return err
}
