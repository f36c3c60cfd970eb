package davtest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
)

// Radicale starts a Radicale.
func Radicale(ctx context.Context) (*Server, error) {
	path, err := program("radicale", "radicale")
	if err != nil {
		return nil, err
	}
	s, err := newServer("Radicale")
	if err != nil {
		return nil, err
	}
	if err = s.radicale(ctx, path); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) radicale(ctx context.Context, path string) error {
	port, err := s.listen()
	if err != nil {
		return err
	}
	s.URL, s.Home = s.base+"/", "/"+User+"/"
	if err := s.write("htpasswd", User+":"+Password+"\n"); err != nil {
		return err
	}
	config := fmt.Sprintf("[server]\nhosts = 127.0.0.1:%d\n[auth]\ntype = htpasswd\nhtpasswd_filename = %s\nhtpasswd_encryption = plain\ndelay = 0\n"+
		"[rights]\ntype = owner_only\n[storage]\nfilesystem_folder = %s\n[logging]\nlevel = warning\n", port, s.file("htpasswd"), s.file("data"))
	if err := s.write("radicale.conf", config); err != nil {
		return err
	}
	if err := s.launch(exec.Command(path, "-C", s.file("radicale.conf")), nil); err != nil {
		return err
	}
	return s.await(ctx)
}
