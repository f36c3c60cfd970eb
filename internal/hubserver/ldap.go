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
	for _, at := range s.ldapAddresses() {
		o := ldapbook.Options{Books: at.books, Set: s.Hub.Books(), Listen: at.Listen, Logger: s.logger, Version: s.version, StartTLS: at.StartTLS}
		if o.TLS, err = s.ldapTLS(at.LDAP); err != nil {
			return servers, err
		}
		l, err := listener.Open(ctx, at.Listen)
		if err != nil {
			return servers, err
		}
		servers = append(servers, ldapServer{ldapbook.New(o), listener.Limit(l, s.config.Network.PerAddress, nil)})
	}
	return servers, nil
}

// An ldapAddress is where phonebooks are served over LDAP, and which of the configuration file are.
type ldapAddress struct {
	*phonebook.LDAP // of any of them: what belongs to the address is the same
	books           []*phonebook.Book
	made            bool // those that somebody makes are served there as well
}

// ldapAddresses are those at which phonebooks are served over LDAP.
func (s *Server) ldapAddresses() (all []*ldapAddress) {
	at := func(l *phonebook.LDAP) *ldapAddress {
		for _, a := range all {
			if a.Listen == l.Listen {
				return a
			}
		}
		all = append(all, &ldapAddress{LDAP: l})
		return all[len(all)-1]
	}
	for _, b := range s.Hub.Books().All() {
		if b.LDAP != nil && !b.Made {
			a := at(b.LDAP)
			a.books = append(a.books, b)
		}
	}
	if l := s.config.SharedLDAP(); l != nil {
		at(l).made = true
	}
	return all
}

// describeLDAP says at which addresses phonebooks are served over LDAP, and which.
func (s *Server) describeLDAP() (lines []string) {
	for _, a := range s.ldapAddresses() {
		scheme := "ldap://"
		if a.Cert != "" && !a.StartTLS {
			scheme = "ldaps://"
		}
		var names []string
		for _, b := range a.books {
			names = append(names, b.Name)
		}
		if a.made {
			names = append(names, "those that are made in the console")
		}
		lines = append(lines, "  LDAP      "+scheme+a.Listen+"  phonebooks: "+strings.Join(names, ", "))
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
