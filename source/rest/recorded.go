package rest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/source"
)

var _ source.Recordable = (*Source)(nil)

// Recorded implements [source.Recordable].
func (s *Source) Recorded() source.Recorded {
	l, c := s.factory.language, s.client
	known := source.Recorded{Secrets: map[string]string{}, Values: map[string]string{}, Address: c.base.String(), Wrong: spoil}
	for _, f := range l.Connection {
		value := textOf(c.values[f.Name])
		switch {
		case f.Secret:
			known.Secrets[f.Name] = value
		case value != f.Default: // which is everyone's, and need not be written
			known.Values[f.Name] = value
		}
	}
	for name, value := range c.values {
		if strings.HasPrefix(name, "auth.") {
			known.Secrets[name] = textOf(value)
		}
	}
	if known.Values["url"] == "" {
		known.Values["url"] = textOf(c.values["url"])
	}
	for i := range l.Auth {
		way := &l.Auth[i]
		switch way.By {
		case "query":
			known.CredentialQuery = append(known.CredentialQuery, way.Name)
		default:
			known.CredentialHeaders = append(known.CredentialHeaders, way.Name)
		}
		for name := range way.Headers {
			known.CredentialHeaders = append(known.CredentialHeaders, name)
		}
		if path, err := way.TokenURL.expand(c.values, nil); err == nil && path != "" {
			if address, err := c.resolve(path); err == nil {
				known.Tokens = append(known.Tokens, address.String())
			}
		}
	}
	known.CredentialHeaders = append(known.CredentialHeaders, "Authorization")
	l.recorded(&known)
	return known
}

// recorded adds what the language says of answers.
func (l *Language) recorded(known *source.Recorded) {
	known.Headers = []string{"Date", "Content-Type", "Retry-After", "Link", l.Throttle.Wait, l.Throttle.Left, l.Throttle.Reset}
	path := func(path string, keys *[]string) {
		if name, isHeader := strings.CutPrefix(path, headerPrefix); isHeader {
			known.Headers = append(known.Headers, name)
			return
		}
		*keys = append(*keys, keysOf(path)...)
		known.Keys = append(known.Keys, partsOf(path)...)
	}
	texts := []string{l.ID, l.Updated.Path, l.Deleted, l.Keep, l.Merged, l.Deletions.ID, l.Deletions.At, l.Agents.ID, l.Agents.Name, l.Agents.Email, l.Agents.Keep}
	path(l.Updated.Path, &known.Times)
	path(l.Deletions.At, &known.Times)
	path(l.Deleted, &known.Flags)
	path(l.Keep, &known.Flags)
	path(l.ID, &known.IDs)
	path(l.Deletions.ID, &known.IDs)
	path(l.Agents.ID, &known.IDs)
	path(l.Agents.Keep, &known.Flags)
	for _, r := range l.readings() {
		path(r.Page.More, &known.Flags)
		path(r.Done, &known.Flags)
		path(r.Page.Next, &known.Cursors)
		path(r.Token, &known.Cursors)
		texts = append(texts, r.Records)
	}
	texts = append(texts, l.Tenant)
	for _, name := range l.Link.names() {
		texts = append(texts, strings.TrimPrefix(name, recordPrefix))
	}
	for _, m := range l.Fields.Mapped() {
		texts = append(texts, m.From)
		if m.Field == "country" {
			known.Countries = append(known.Countries, keysOf(m.From)...)
		}
	}
	for _, text := range texts {
		known.Keys = append(known.Keys, partsOf(text)...)
		for _, quoted := range literal.FindAllString(text, -1) {
			known.Literals = append(known.Literals, strings.Trim(quoted, `"`))
		}
		for _, compared := range comparedNumber.FindAllStringSubmatch(text, -1) {
			known.Literals = append(known.Literals, compared[1])
		}
	}
	for _, keys := range [][]string{known.Times, known.Flags, known.IDs, known.Cursors} {
		known.Keys = append(known.Keys, keys...)
	}
	known.Keys = append(known.Keys, l.paths()...)
	for _, e := range l.Errors {
		var flags []string
		path(e.Path, &flags)
		known.Keys = append(known.Keys, flags...)
		known.Literals = append(known.Literals, e.Is)
		known.Reactions = append(known.Reactions, e.Contains)
	}
	if l.Nothing != "" {
		known.Literals = append(known.Literals, strings.Trim(l.Nothing, `"`))
	}
	known.Literals = append(known.Literals, l.ByID.FirstID)
	known.Literals = slices.DeleteFunc(known.Literals, func(text string) bool { return len(text) < 2 })
}

var (
	literal = regexp.MustCompile(`"[^"]*"`)
	// comparedNumber fits what a value is compared with, such as the number of a custom field.
	comparedNumber = regexp.MustCompile(`[=!]=\s*(\d+)`)
	aKey           = regexp.MustCompile(`[\w@]+(?:\.[\w@]+)*`)
)

// keysOf returns the last keys of the paths in an expression; of a key with dots in it the whole too.
func keysOf(expression string) (keys []string) {
	for _, path := range aKey.FindAllString(literal.ReplaceAllString(expression, ""), -1) {
		keys = append(keys, path[strings.LastIndexByte(path, '.')+1:], path)
	}
	return keys
}

// partsOf returns the keys that stand in an expression, also those in the middle of a path.
func partsOf(expression string) (keys []string) {
	for _, path := range aKey.FindAllString(literal.ReplaceAllString(expression, ""), -1) {
		keys = append(append(keys, path), strings.Split(path, ".")...)
	}
	for quoted := range strings.SplitSeq(expression, "`") { // a key may have anything in it
		keys = append(append(keys, quoted), strings.Split(quoted, ".")...)
	}
	return keys
}

// substituted returns what of a request an answer brought.
func (one call) substituted() source.Substituted {
	s := source.Substituted{Link: one.address != ""}
	for _, name := range []string{"id", "after_id", "cursor", "token"} {
		if value := textOf(one.values[name]); value != "" && value != "0" {
			s.Values = append(s.Values, value)
		}
	}
	return s
}
