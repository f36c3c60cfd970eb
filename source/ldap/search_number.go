package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

var (
	_ bridge.Searcher      = (*Source)(nil)
	_ source.SearchChecker = (*factory)(nil)
)

// CheckSearch implements [source.SearchChecker].
func (f *factory) CheckSearch() error {
	if !f.cfg.Fields.Empty() && len(f.cfg.Fields.Phones) == 0 {
		return source.NoPhones()
	}
	return nil
}

// Search implements [bridge.Searcher]. It asks for the usual spellings first, which an index for equality finds at once. Where there is no such
// entry, it asks for the digits with anything between them.
func (s *Source) Search(ctx context.Context, q bridge.Search) (found []contact.Contact, err error) {
	err = s.tenant.with(ctx, func(r *reader) (err error) {
		attributes := r.mapping.phones(r.cfg)
		if len(attributes) == 0 || len(q.Spellings) == 0 {
			return nil
		}
		if found, err = r.ask(ctx, oneOfThese(attributes, q.Spellings, client.EscapeFilter), q.Most()); err != nil || len(found) > 0 {
			return err
		}
		found, err = r.ask(ctx, oneOfThese(attributes, q.Digits, apartDigits), q.Most())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask for a number: %w", err)
	}
	return found, nil
}

// phones lists the attributes that phone numbers are made of.
func (m *mapping) phones(cfg Config) []string {
	fields := cfg.Fields
	if m.usual {
		fields = m.usualFields()
	}
	var list []string
	for _, expression := range fields.Phones {
		for _, name := range attributeName.FindAllString(expression, -1) {
			known := slices.ContainsFunc(m.wanted, func(wanted string) bool { return strings.EqualFold(wanted, name) })
			if known && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// usualFields are the fields where none are configured.
func (m *mapping) usualFields() record.Fields {
	if m.product == activeDirectoryServer {
		return accountFields
	}
	return personFields
}

// oneOfThese is the filter of entries in which one of the attributes has one of the values, each written as a pattern.
func oneOfThese(attributes, values []string, write func(string) string) string {
	var filter strings.Builder
	for _, attribute := range attributes {
		for _, value := range values {
			fmt.Fprintf(&filter, "(%s=%s)", attribute, write(value))
		}
	}
	return "(|" + filter.String() + ")"
}

// apartDigits is the pattern of values in which digits stand one after the other, whatever is between them.
func apartDigits(digits string) string {
	return "*" + strings.Join(strings.Split(digits, ""), "*") + "*"
}

// ask reads the contacts for which a filter holds.
func (r *reader) ask(ctx context.Context, filter string, most int) (found []contact.Contact, err error) {
	var row record.Row
	for _, p := range r.parts {
		err := r.search(ctx, r.queryOf(p, filter), func(e *client.Entry) error {
			if !p.members.has(e) {
				return nil
			}
			r.mapping.contact(&row, r.mapping.record(e, r.schema, &r.row))
			if row.Rejected == "" && !row.Deleted {
				found = append(found, row.Contact.Clone())
			}
			if len(found) >= most {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}
