package hubserver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/phonebook/ldapbook"
)

// An ldapServer is what answers at one address of LDAP.
type ldapServer struct {
	server *ldapbook.Server
	listen net.Listener
}

// ldapServers opens the addresses at which phonebooks are served over LDAP.
func (s *Server) ldapServers(ctx context.Context) (servers []ldapServer, err error) {
	if s.config.Role == "worker" {
		return nil, nil
	}
	defer func() {
		if err != nil {
			for _, one := range servers {
				err = errors.Join(err, one.listen.Close())
			}
		}
	}()
	var addresses []string
	books := map[string][]*phonebook.Book{}
	for _, b := range s.phonebooks().All() {
		if b.LDAP == nil {
			continue
		}
		if len(books[b.LDAP.Listen]) == 0 {
			addresses = append(addresses, b.LDAP.Listen)
		}
		books[b.LDAP.Listen] = append(books[b.LDAP.Listen], b)
	}
	for _, address := range addresses {
		o := ldapbook.Options{Books: books[address], Logger: s.logger, Version: s.version, StartTLS: books[address][0].LDAP.StartTLS}
		if o.TLS, err = s.ldapTLS(books[address][0].LDAP); err != nil {
			return servers, err
		}
		l, err := listener.Open(ctx, address)
		if err != nil {
			return servers, err
		}
		servers = append(servers, ldapServer{ldapbook.New(o), listener.Limit(l, s.config.Network.PerAddress, nil)})
	}
	return servers, nil
}

// describeLDAP says at which addresses phonebooks are served over LDAP, and which.
func (s *Server) describeLDAP() (lines []string) {
	names, addresses := map[string]string{}, []string{}
	for _, b := range s.phonebooks().All() {
		if b.LDAP == nil {
			continue
		}
		scheme := "ldap://"
		if b.LDAP.Cert != "" && !b.LDAP.StartTLS {
			scheme = "ldaps://"
		}
		address := scheme + b.LDAP.Listen
		if names[address] == "" {
			addresses = append(addresses, address)
		}
		names[address] += ", " + b.Name
	}
	for _, address := range addresses {
		lines = append(lines, "  LDAP      "+address+"  phonebooks: "+strings.TrimPrefix(names[address], ", "))
	}
	return lines
}

func (s *Server) ldapTLS(l *phonebook.LDAP) (*tls.Config, error) {
	if l.Cert == "" {
		return nil, nil
	}
	certificate, err := listener.NewCertificate(l.Cert, l.Key, clock.System{}, s.logger)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.Get}, nil
}

// serveLDAP answers at all addresses until ctx is done.
func serveLDAP(ctx context.Context, servers []ldapServer) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, one := range servers {
		group.Go(func() error { return one.server.Serve(ctx, one.listen) })
	}
	return group.Wait()
}
