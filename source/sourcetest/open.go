package sourcetest

import (
	"context"
	"errors"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

// openAlone opens a source with a factory of its own, as a process that has just started does.
func openAlone(ctx context.Context, auth bridge.Auth, create func() (source.Factory, error)) (bridge.Source, error) {
	f, err := create()
	if err != nil {
		return nil, err
	}
	s, err := f.Open(ctx, auth)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	alone := aloneSource{s.(engineSource), f}
	if searcher, ok := s.(bridge.Searcher); ok {
		return searchedSource{alone, searcher}, nil
	}
	return alone, nil
}

// A searchedSource is one that can be asked for a number.
type searchedSource struct {
	aloneSource
	bridge.Searcher
}

// An engineSource is everything that a source of an engine can do.
type engineSource interface {
	bridge.Source
	bridge.Describer
	bridge.Prober
	source.Checker
	source.Counter
	source.Inspector
}

// An aloneSource closes its factory with itself, as a process does.
type aloneSource struct {
	engineSource
	factory source.Factory
}

func (s aloneSource) Close() error { return errors.Join(s.engineSource.Close(), s.factory.Close()) }

// suiteFields are the fields of what the suite writes; phones are the columns of the numbers.
func suiteFields(phones ...string) record.Fields {
	return record.Fields{
		Name: "name", Title: "title", Company: "company", Emails: record.Expressions{"email", "email2"}, Phones: phones,
		Websites: record.Expressions{"website"}, PhotoURL: "photo", Address: "address", Twitter: "twitter", URL: "url",
		CustomFields: record.CustomFields{{Key: "Plan", Expression: "plan"}},
	}
}

// at is one of a list's values; empty where there are fewer.
func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// planOf is the custom field of the contacts that [Full] makes.
func planOf(c contact.Contact) string {
	if len(c.CustomFields) == 0 {
		return ""
	}
	return c.CustomFields[0].Value
}
