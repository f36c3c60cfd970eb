package rest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
)

var (
	_ bridge.Searcher      = (*Source)(nil)
	_ source.SearchChecker = (*factory)(nil)
)

// A Search is the request for the records with a phone number. It changes no contact, so checkpoints do not depend on it.
type Search struct {
	Request `yaml:",inline"`

	Records string `yaml:"records" jsonschema_description:"Where the records are in an answer: a path, or $ for the answer itself."`
	MayMiss bool   `yaml:"may_miss" jsonschema_description:"An answer without records has no such key."`
	Most    int    `yaml:"most" jsonschema:"minimum=0" jsonschema_description:"How many spellings {{spellings}} has at most. Default: 16."`
}

// searchNames are the names that stand for values in the request of search only.
var searchNames = []string{"number", "number_digits", "number_national", "spellings"}

// defaultSpellings is how many spellings a service is asked for: texts and addresses of requests are bounded.
const defaultSpellings = 16

func (l *Language) checkSearch(errs *source.ConfigErrors) {
	s := &l.Search
	if s.IsZero() {
		return
	}
	errs.If(s.Records == "", "search.records", "search.records is missing", "Write the path of the records in an answer, or $ for the answer itself.")
	var names []string
	l.texts(func(key string, t Text) {
		if isOfSearch(key) {
			names = append(names, t.names()...)
		}
	})
	asks := slices.ContainsFunc(names, func(name string) bool { return slices.Contains(searchNames, name) })
	errs.If(!asks, "search", "search does not say which number is looked for", "Let {{number}}, {{number_digits}}, {{number_national}} or {{spellings}} stand in it.")
}

// isOfSearch reports whether a text belongs to the request of search.
func isOfSearch(key string) bool { return strings.HasPrefix(key, "search.") }

// CheckSearch implements [source.SearchChecker].
func (f *factory) CheckSearch() error {
	switch {
	case f.language.Search.IsZero() && f.name == "rest":
		return &source.ConfigError{Key: "search", Message: "the source cannot be asked for a number: search is missing", Hint: "Write the service's request for the records with a phone number, or leave ask out."}
	case f.language.Search.IsZero():
		return &source.ConfigError{Message: f.title() + " cannot be asked for a number: it has no search for phone numbers", Hint: "Leave ask out, or write search if your service has one."}
	case len(f.language.Fields.Phones) == 0:
		return source.NoPhones()
	}
	return nil
}

// searchValues are the values of a request of search.
func (l *Language) searchValues(q bridge.Search) scope {
	most := l.Search.Most
	if most <= 0 {
		most = defaultSpellings
	}
	national := ""
	if len(q.Digits) > 0 {
		national = q.Digits[0]
	}
	return scope{
		"number": q.Spellings[0], "number_digits": strings.TrimPrefix(q.Spellings[0], "+"), "number_national": national,
		"spellings": q.Spellings[:min(len(q.Spellings), most)], "limit": int64(q.Most()), "columns": l.paths(), "page": int64(1), "offset": int64(0),
	}
}

// Search implements [bridge.Searcher]. The request counts for the service's limits as any other.
func (s *Source) Search(ctx context.Context, q bridge.Search) ([]contact.Contact, error) {
	found, err := s.search(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("ask for a number: %w", err)
	}
	return found, nil
}

func (s *Source) search(ctx context.Context, q bridge.Search) (found []contact.Contact, err error) {
	l := s.factory.language
	if l.Search.IsZero() || len(q.Spellings) == 0 {
		return nil, ctx.Err()
	}
	a, err := s.client.ask(ctx, call{request: &l.Search.Request, values: l.searchValues(q)})
	if err != nil || a.empty {
		return nil, err
	}
	elements, err := s.client.records(a, &Reading{Request: l.Search.Request, Records: l.Search.Records, MayMiss: l.Search.MayMiss})
	if err != nil {
		return nil, err
	}
	w := &walk{ctx: ctx, client: s.client, f: s.factory, l: l}
	if w.link, err = s.client.linkParts(ctx); err != nil {
		return nil, err
	}
	for _, i := range s.client.items(a, elements, purpose{name: "search", id: s.factory.mapping.id}) {
		if c, ok := w.contactOf(i); ok {
			found = append(found, c)
		}
		if len(found) == q.Most() {
			break
		}
	}
	return found, nil
}

// contactOf makes a contact of a record; false where it is deleted, is no contact, or cannot be read.
func (w *walk) contactOf(i item) (contact.Contact, bool) {
	if i.fault != "" || i.id == "" {
		return contact.Contact{}, false
	}
	if gone, _, err := w.judge(i); gone || err != nil {
		return contact.Contact{}, false
	}
	w.row.Start(i.id, false)
	if err := w.f.mapping.fields.Fill(&w.row, i.values); err != nil {
		return contact.Contact{}, false
	}
	if w.row.Contact.URL == "" && len(w.link) > 0 {
		w.row.Contact.URL = w.url(i)
	}
	return w.row.Contact.Clone(), true
}
