package hub

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/phonebook"
)

var dialled = regexp.MustCompile(`^[0-9*#]{0,6}$`)

const mostTitle = 100 // characters

// CheckPhonebook says all that is wrong with what is in a phonebook and how it writes numbers. Fields are named as in the configuration
// file; region is the account's.
func CheckPhonebook(c phonebook.Config, region string) (problems []*failure.Error) {
	invalid := func(field, message, hint string) {
		problems = append(problems, &failure.Error{Code: failure.Invalid, Field: field, Message: message, Hint: hint})
	}
	expression := func(field, text string) {
		if text == "" {
			return
		}
		if err := phonebook.CheckExpression(text); err != nil {
			f := failure.Of(err)
			invalid(field, f.Message, f.Hint)
		}
	}
	expression("where", c.Where)
	n := c.Numbers
	if n.Region != "" && !phone.KnownRegion(n.Region) {
		invalid("numbers.region", fmt.Sprintf("unknown region %q", n.Region), country.Hint(n.Region))
	}
	if !slices.Contains(phonebook.Formats(), n.Format) {
		invalid("numbers.format", fmt.Sprintf("unknown format %q", n.Format), "Choose e164, idd, digits, national, local or raw.")
	}
	if n.Region == "" && region == "" && slices.Contains([]phonebook.Format{phonebook.IDD, phonebook.National, phonebook.Local}, n.Format) {
		invalid("numbers.region", fmt.Sprintf("the format %s needs a region", n.Format), "Name the country where the telephones are: region: GB")
	}
	if !dialled.MatchString(n.Area) || n.Area == "" && n.Format == phonebook.Local {
		invalid("numbers.area", "the format local needs the own area code, as it is dialled", `Write  area: "020"`)
	}
	if !dialled.MatchString(n.OutsidePrefix) {
		invalid("numbers.outside_prefix", fmt.Sprintf("%q cannot be dialled", n.OutsidePrefix), `Write digits in quotes: outside_prefix: "9"`)
	}
	if n.OutsidePrefix != "" && (n.Format == phonebook.E164 || n.Format == phonebook.Raw) {
		invalid("numbers.outside_prefix", fmt.Sprintf("the format %s has no outside prefix", n.Format), "Choose national or idd, or leave outside_prefix out.")
	}
	if h := c.HTTP; h != nil {
		expression("http.prefer", h.Prefer)
		if !slices.Contains([]phonebook.First{phonebook.FirstByName, phonebook.FirstByChange, phonebook.FirstByCall}, h.First) {
			invalid("http.first", fmt.Sprintf("unknown order %q", h.First), "Choose name, changed or called.")
		}
	}
	return problems
}

// checkPhonebook says all that is wrong with a phonebook that somebody makes.
func (h *Hub) checkPhonebook(ctx context.Context, p registry.Phonebook, region string) error {
	problems := []error{checkName("name", p.Name)}
	invalid := func(field, message, hint string) {
		problems = append(problems, &failure.Error{Code: failure.Invalid, Field: field, Message: message, Hint: hint})
	}
	for _, problem := range CheckPhonebook(h.configOf(p), region) {
		problems = append(problems, problem)
	}
	s := p.Settings
	for _, name := range s.Integrations {
		if _, err := h.integration(ctx, directory.Key{Account: p.Account, Integration: name}); err != nil {
			if failure.Of(err).Code != failure.NotFound {
				return err
			}
			invalid("integrations", fmt.Sprintf("unknown integration %q", name), "Name integrations of the account, or none for all of them.")
		}
	}
	switch {
	case s.HTTP == nil && s.LDAP == nil && s.CardDAV == nil:
		invalid("http", "no device could read the phonebook", "Choose one of http, ldap and carddav at least.")
	case s.LDAP != nil && h.books.ldap == nil:
		invalid("ldap", "this hub has no address at which made phonebooks are read over LDAP", "Leave ldap out, or ask the hub's operator for one: it is  ldap  in the configuration file.")
	case s.LDAP != nil && s.LDAP.SizeLimitCode != 0 && s.LDAP.SizeLimitCode != 4:
		invalid("ldap.size_limit_code", fmt.Sprintf("the code cannot be %d", s.LDAP.SizeLimitCode), "Choose 4 or 0.")
	}
	if s.HTTP != nil {
		for _, text := range s.HTTP.Allow {
			if _, err := netip.ParsePrefix(text); err != nil {
				invalid("http.allow", fmt.Sprintf("%q is not a network", text), "Write it as 10.1.0.0/16, one machine as 10.1.2.3/32.")
			}
		}
	}
	for field, title := range titles(s) {
		if len([]rune(title)) > mostTitle || strings.ContainsFunc(title, func(r rune) bool { return r < ' ' }) {
			invalid(field, fmt.Sprintf("the title has more than %d characters, or several lines", mostTitle), "Choose a shorter one.")
		}
	}
	return errors.Join(problems...)
}

func titles(s registry.PhonebookSettings) map[string]string {
	all := map[string]string{}
	if s.HTTP != nil {
		all["http.title"] = s.HTTP.Title
	}
	if s.CardDAV != nil {
		all["carddav.title"] = s.CardDAV.Title
	}
	return all
}
