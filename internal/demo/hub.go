package demo

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/listener"
)

// guest is the user as whom browsers on this machine are signed in.
const guest = "demo"

// stayUp runs a hub on the demo's bridge until the context is done.
func (s *story) stayUp(ctx context.Context) (err error) {
	cfg := hubconfig.Default()
	cfg.Data = filepath.Join(s.dir, "hub")
	cfg.Network.Allow = []string{"127.0.0.1/32"} // where the demo's bridge is
	server, err := hubserver.New(ctx, cfg, hubserver.ServerOptions{Version: "demo", Guest: guest})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if err := s.integrate(ctx, server); err != nil {
		return err
	}
	l, err := listen(s.Hub)
	if err != nil {
		return err
	}
	s.whatNext(listener.URL(l, false) + "/")
	return server.Serve(ctx, l)
}

// integrate gives the hub an account with the demo's bridge in it.
func (s *story) integrate(ctx context.Context, server *hubserver.Server) error {
	h := server.Databases.Hub
	// Anyone at this machine is signed in without a password: a hub that is thrown away needs no password.
	if err := h.Registry.PutUser(ctx, registry.User{ID: guest, Name: guest, Role: registry.RoleAdmin}); err != nil {
		return err
	}
	if err := h.PutAccount(ctx, registry.Account{Name: "demo", Region: region, TimeZone: "America/New_York"}); err != nil {
		return err
	}
	return h.AddIntegration(ctx, registry.Integration{
		Key: directory.Key{Account: "demo", Integration: key.Integration}, Bridge: s.url, Schedule: registry.Schedule{Every: time.Minute},
	}, map[string]string{"username": username, "password": password})
}
