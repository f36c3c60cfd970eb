package ldapbook_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/internal/demo/sample"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/phonebook/ldapbook"
)

// BenchmarkSearch searches in 100,000 contacts.
func BenchmarkSearch(b *testing.B) {
	store, err := sqlite.Open(b.Context(), sqlite.Memory, sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	c := desk()
	if err := store.SetBooks(b.Context(), phonebook.Declared([]phonebook.Config{c})); err != nil {
		b.Fatal(err)
	}
	for more := true; more; {
		if more, err = store.FillBooks(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	run, err := store.StartRun(b.Context(), directory.Key{Account: "acme", Integration: "crm"}, directory.Start{})
	if err != nil {
		b.Fatal(err)
	}
	number, people := "", sample.New(1, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for seq := int64(1); seq <= 100; seq++ {
		page := directory.PageChanges{Seq: seq, NextOffset: "x"}
		for range 1000 {
			p := people.Next()
			person := contact.Contact{ID: strconv.Itoa(p.ID), Name: p.FirstName + " " + p.LastName, Title: p.Title, Company: p.Company, Emails: []string{p.Email}, Phones: []string{p.E164}}
			page.Contacts = append(page.Contacts, directory.Record{Contact: person, Numbers: caller.Numbers(person.Phones, "GB")})
			number = p.E164
		}
		if seq == 100 {
			page.NextOffset = ""
		}
		if err := store.ApplyPage(b.Context(), run, page); err != nil {
			b.Fatal(err)
		}
	}
	if err := store.CompleteSearch(b.Context(), run.Key); err != nil {
		b.Fatal(err)
	}
	set := phonebook.NewSet([]phonebook.Config{c}, func(context.Context, string) (phonebook.Access, error) {
		return phonebook.Access{Store: store, Region: "GB"}, nil
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = ldapbook.New(ldapbook.Options{Books: set.All()}).Serve(ctx, l) }()
	client, err := ldap.DialURL("ldap://" + l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	if err := client.Bind("cn=phones,dc=acme", "geheim-123"); err != nil {
		b.Fatal(err)
	}
	for name, filter := range map[string]string{
		"three-letters": "(|(cn=mar*)(sn=mar*))", "number": "(telephoneNumber=" + ldap.EscapeFilter(number) + ")", "not": "(!(cn=a*))", "list": "(cn=*)", "rare-middle": "(cn=*zqx*)", "two-words": "(cn=an*sm*)",
	} {
		b.Run(name, func(b *testing.B) {
			entries := 0
			for b.Loop() {
				found, err := client.Search(ldap.NewSearchRequest("dc=acme", 2, 0, 50, 5, false, filter, []string{"cn", "telephoneNumber"}, nil))
				if err != nil && !ldap.IsErrorWithCode(err, 4) {
					b.Fatal(fmt.Errorf("%s: %w", filter, err))
				}
				entries = len(found.Entries)
			}
			b.ReportMetric(float64(entries), "entries")
		})
	}
}
