package directory_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

func TestFoldFindsWhatPeopleType(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Zoë  Müller-Ångström", "zoe muller angstrom"},
		{"Zoe\u0308", "zoe"},
		{"O'Neill & Sons, Ltd.", "o neill sons ltd"},
		{"ﬁve Ⅻ", "five xii"},
		{"Łukasz Wałęsa, Đorđe Ørsted, Straße ŒUVRE Æsir ĞÜLŞEN ıI", "lukasz walesa dorde orsted strasse oeuvre aesir gulsen ii"},
		{"山田 太郎", "山田 太郎"},
		{"jane.doe+crm@Example.COM", "jane doe crm example com"},
		{" \t?!", ""},
		{"", ""},
	} {
		if got := strings.Join(directory.Fold(c.text), " "); got != c.want {
			t.Errorf("%q folds to %q, want %q", c.text, got, c.want)
		}
	}
}

func TestApostrophesMayBeLeftOut(t *testing.T) {
	for _, name := range []string{"Sinéad O'Connor", "Sinead O’Connor", "sinead oʼconnor"} {
		if got := strings.Join(directory.Terms(&contact.Contact{Name: name}), " "); got != "connor o oconnor sinead" {
			t.Errorf("%s has the terms %q", name, got)
		}
	}
}

func TestFoldEmailMakesSpellingsEqual(t *testing.T) {
	for _, address := range []string{"zoë@example.com", " Zoë@EXAMPLE.com\n", "zoe\u0308@example.com"} {
		if got := directory.FoldEmail(address); got != "zoë@example.com" {
			t.Errorf("%q folds to %q", address, got)
		}
	}
	if directory.FoldEmail("zoe@example.com") == directory.FoldEmail("zoë@example.com") {
		t.Error("two mailboxes fold to one address")
	}
}

func TestTermsAreOnceAndSortedAndNotABook(t *testing.T) {
	c := contact.Contact{Name: "Jane Doe", Company: "Doe Ltd.", Title: "CTO", Emails: []string{"jane@doe.example", "j@x.example"}}
	want := []string{"cto", "doe", "example", "j", "jane", "ltd", "x"}
	if got := directory.Terms(&c); !slices.Equal(got, want) {
		t.Errorf("terms %q, want %q", got, want)
	}
	c.Title = strings.Repeat("very important ", 1000) + "person"
	if got := directory.Terms(&c); len(got) > 64 || !slices.Contains(got, "jane") {
		t.Errorf("%d terms: %q", len(got), got)
	}
}
