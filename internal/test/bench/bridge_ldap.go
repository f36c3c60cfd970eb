package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/internal/test/ldaptest"
)

// ldapWanted are the attributes that the library is asked for: those of the kind's own fields that people have.
var ldapWanted = []string{"displayName", "cn", "title", "o", "mail", "telephoneNumber", "mobile", "l", "departmentNumber", "entryUUID", "createTimestamp"}

// people writes customers as entries.
func people(base string, n int) string {
	var ldif strings.Builder
	fmt.Fprintf(&ldif, "dn: ou=people,%s\nobjectClass: organizationalUnit\nou: people\n", base)
	g := sample.New(seed, start)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&ldif, "%s: %s\n", name, value)
		}
	}
	for i := range n {
		c := g.Next()
		fmt.Fprintf(&ldif, "\ndn: cn=p%d,ou=people,%s\nobjectClass: inetOrgPerson\ncn: p%[1]d\n", i, base)
		line("sn", c.LastName)
		line("displayName", c.FirstName+" "+c.LastName)
		line("title", c.Title)
		line("o", c.Company)
		line("mail", c.Email)
		line("mail", c.Email2)
		line("telephoneNumber", c.Phone)
		line("mobile", c.Mobile)
		line("l", c.City)
		line("departmentNumber", c.Plan)
	}
	return ldif.String()
}

func bridgeLDAP(ctx context.Context, l *laboratory) (results []result, err error) {
	directory, err := ldaptest.StartOpenLDAP(ctx, ldaptest.OpenLDAP{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, directory.Stop()) }()
	if err := directory.Load(ctx, people(directory.Base, l.contacts)); err != nil {
		return nil, fmt.Errorf("fill OpenLDAP: %w", err)
	}
	s, err := l.serve(ctx, fmt.Sprintf("{kind: ldap, url: %q, bind_dn: %q, password: %q, base: %q}", directory.URL, directory.Reader, directory.ReaderPassword, "ou=people,"+directory.Base), "{format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	ours := func(ctx context.Context) (float64, error) { return l.crawlPatiently(ctx, s.url()) }
	value, limit, err := paired(ctx, l.repeat, ours, func(ctx context.Context) (float64, error) { return searchInPages(ctx, directory, l.contacts) })
	if err != nil {
		return nil, err
	}
	memory, err := s.peakMemory()
	return []result{
		{
			Name: "bridge-ldap", Value: value, Limit: limit, Unit: "contacts/s", Target: 0.6,
			against: "a full run over loopback HTTP, one client, against the library's own paged search, using nothing of it",
		},
		{
			Name: "memory-ldap", Value: memory, Limit: 128, Unit: "MiB", Target: 1, atMost: true,
			against: fmt.Sprintf("peak memory of the bridge with %d people", l.contacts),
		},
	}, err
}

// searchInPages reads everybody with the client library.
func searchInPages(_ context.Context, directory *ldaptest.Server, n int) (float64, error) {
	c, err := directory.ConnectAs(directory.Reader, directory.ReaderPassword)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	started := time.Now()
	found, err := c.SearchWithPaging(&client.SearchRequest{
		BaseDN: "ou=people," + directory.Base, Scope: client.ScopeWholeSubtree, Filter: "(objectClass=person)", Attributes: ldapWanted,
	}, 500)
	if err != nil {
		return 0, err
	}
	if len(found.Entries) != n {
		return 0, fmt.Errorf("the library found %d people, not %d", len(found.Entries), n)
	}
	return float64(n) / time.Since(started).Seconds(), nil
}

// crawlPatiently is crawl with a bridge that may ask to come again while it reads.
func (l *laboratory) crawlPatiently(ctx context.Context, url string) (float64, error) {
	started := time.Now()
	for {
		_, err := l.crawl(ctx, url)
		if err == nil {
			return float64(l.contacts) / time.Since(started).Seconds(), nil
		}
		if !strings.Contains(err.Error(), strconv.Itoa(http.StatusServiceUnavailable)) {
			return 0, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}
