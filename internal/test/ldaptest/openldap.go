package ldaptest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/ports"
)

// OpenLDAP are choices for an OpenLDAP server.
type OpenLDAP struct {
	// NoSync leaves out the overlay syncprov.
	NoSync bool
	// Limits are limits of the reader, as in slapd.conf; empty: pages without limits, and 500 entries without pages.
	Limits string
	// Port is TCP port; 0 means a free one.
	Port int
	// People are more entries, in LDIF.
	People string
}

const openLDAPConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
moduleload ppolicy
pidfile %[1]s/slapd.pid
sizelimit 500
TLSCACertificateFile %[1]s/cert.pem
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
database mdb
maxsize 1073741824
suffix "dc=example,dc=com"
rootdn "cn=admin,dc=example,dc=com"
rootpw secret
directory %[1]s/db
dbnosync
index objectClass,entryUUID,entryCSN,modifyTimestamp eq
index uid,mail,cn,sn eq
%[2]s
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,dc=example,dc=com" by * none
access to * by dn.exact="cn=reader,dc=example,dc=com" read by users read by anonymous auth
limits dn.exact="cn=reader,dc=example,dc=com" %[3]s
`

const syncprov = `overlay syncprov
syncprov-checkpoint 100 10
syncprov-sessionlog 10000`

// StartOpenLDAP starts an OpenLDAP server with the naming context and its reader in it.
func StartOpenLDAP(ctx context.Context, o OpenLDAP) (*Server, error) {
	slapd, err := find("slapd")
	if err != nil {
		return nil, fmt.Errorf("%w (Debian package slapd)", err)
	}
	slapadd, err := find("slapadd")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Product: "openldap", Base: "dc=example,dc=com", Admin: "cn=admin,dc=example,dc=com", AdminPassword: "secret",
		Reader: "cn=reader,dc=example,dc=com", ReaderPassword: "reader",
	}
	if s.Dir, err = os.MkdirTemp("", "ldaptest-"); err != nil {
		return nil, err
	}
	port := o.Port
	if port == 0 {
		port, err = ports.Free()
	}
	tlsPort, err2 := ports.Free()
	if err = errors.Join(err, err2, s.configure(o), os.Mkdir(s.file("db"), 0o700)); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.URL = fmt.Sprintf("ldap://127.0.0.1:%d", port)
	s.TLSURL = fmt.Sprintf("ldaps://127.0.0.1:%d", tlsPort)
	s.Socket = "ldapi://" + s.file("ldapi")
	s.CA = s.file("cert.pem")
	s.start = func() *exec.Cmd {
		return exec.Command(slapd, "-d", "0", "-f", s.file("slapd.conf"), "-h", s.URL+" "+s.TLSURL+" ldapi://"+url.PathEscape(s.file("ldapi")))
	}
	if err = run(ctx, s.Dir, slapadd, "-q", "-f", s.file("slapd.conf"), "-l", s.file("first.ldif")); err == nil {
		err = s.Launch(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) file(name string) string { return filepath.Join(s.Dir, name) }

const firstEntries = `dn: dc=example,dc=com
objectClass: domain
dc: example

dn: cn=reader,dc=example,dc=com
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: reader
userPassword: reader

dn: ou=hidden,dc=example,dc=com
objectClass: organizationalUnit
ou: hidden
`

// configure writes the server's files.
func (s *Server) configure(o OpenLDAP) error {
	overlay, limits := syncprov, o.Limits
	if o.NoSync {
		overlay = ""
	}
	if limits == "" {
		limits = "size.pr=unlimited size.prtotal=unlimited size.soft=500 size.hard=500"
	}
	return errors.Join(
		os.WriteFile(s.file("slapd.conf"), []byte(fmt.Sprintf(openLDAPConf, s.Dir, overlay, limits)), 0o600),
		os.WriteFile(s.file("first.ldif"), []byte(firstEntries+"\n"+o.People), 0o600),
		writeCertificate(s.file("cert.pem"), s.file("key.pem")),
	)
}

// writeCertificate makes a certificate for 127.0.0.1 that signs itself.
func writeCertificate(certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
}

// Load adds entries in LDIF while the server is down: the fast way for many.
func (s *Server) Load(ctx context.Context, ldif string) error {
	slapadd, err := find("slapadd")
	if err != nil {
		return err
	}
	s.Shutdown()
	if err := os.WriteFile(s.file("more.ldif"), []byte(strings.TrimSpace(ldif)+"\n"), 0o600); err != nil {
		return err
	}
	if err := run(ctx, s.Dir, slapadd, "-q", "-f", s.file("slapd.conf"), "-l", s.file("more.ldif")); err != nil {
		return err
	}
	return s.Launch(ctx)
}
