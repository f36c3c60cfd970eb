package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What follows lets tests stand between the engine and a simulator, and change requests by the names of the language.

// LanguageOf returns what a source's configuration says, the preset included.
func LanguageOf(s *Source) *Language { return s.factory.language }

// Reading returns a request for records by its key.
func (l *Language) Reading(name string) *Reading { return l.readings()[name] }

// IsSorted is isSorted.
func (l *Language) IsSorted() bool { return l.isSorted() }

// Uses is uses.
func (r *Request) Uses(name string) bool { return r.uses(name) }

// Fineness is precision.
func (s Stamp) Fineness() time.Duration { return s.precision() }

// Written returns a text as it stands in the configuration.
func (t Text) Written() string { return t.written }

// named fits a name in a template.
var named = regexp.MustCompile(`\{\{[^}]*\}\}`)

// pattern returns an expression that what a template becomes fits, and the names by its groups.
func pattern(template string) (*regexp.Regexp, []textPart) {
	var b strings.Builder
	var parts []textPart
	b.WriteString("(?s)^")
	rest := template
	for {
		at := named.FindStringIndex(rest)
		if at == nil {
			break
		}
		before, name := rest[:at[0]], rest[at[0]+2:at[1]-2]
		after := rest[at[1]:]
		if strings.HasSuffix(before, `"`) && strings.HasPrefix(after, `"`) { // a value of its own in JSON: it may be no text
			b.WriteString(regexp.QuoteMeta(strings.TrimSuffix(before, `"`)) + `"?`)
			b.WriteString(`(.*?)`)
			b.WriteString(`"?`)
			after = after[1:]
		} else {
			b.WriteString(regexp.QuoteMeta(before) + `(.*?)`)
		}
		part, err := parsePart(name)
		if err != nil {
			panic(err)
		}
		parts = append(parts, part)
		rest = after
	}
	b.WriteString(regexp.QuoteMeta(rest) + "$")
	return regexp.MustCompile(b.String()), parts
}

// bodyOf returns a request's body, which can be read again.
func bodyOf(r *http.Request) []byte {
	if r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// Is reports whether a request that was sent is one of the language.
func (r *Request) Is(sent *http.Request) bool {
	if r.IsZero() || sent.Method != r.method() {
		return false
	}
	written, constant, _ := strings.Cut(r.Path.written, "?")
	path, _ := pattern(written)
	if i := strings.Index(written, "{{"); i < 0 && !strings.HasSuffix(sent.URL.Path, written) || i >= 0 && !fitsEnd(path, sent.URL.Path) {
		return false
	}
	query := sent.URL.Query()
	own, err := url.ParseQuery(constant)
	if err != nil {
		panic(err)
	}
	for name, values := range own {
		if !slices.Equal(query[name], values) {
			return false
		}
		query.Del(name)
	}
	for name, t := range r.Query {
		p, _ := pattern(t.written)
		always := strings.Contains(t.written, "{{from") || strings.Contains(t.written, "{{before")
		if !p.MatchString(query.Get(name)) || always && !query.Has(name) {
			return false
		}
		query.Del(name)
	}
	for name, t := range r.Headers {
		if p, _ := pattern(t.written); !p.MatchString(sent.Header.Get(name)) {
			return false
		}
	}
	for name := range query {
		if !slices.Contains([]string{"api_token", "access_token"}, name) {
			return false
		}
	}
	body := bodyOf(sent)
	if r.Body.IsZero() {
		return len(body) == 0
	}
	return r.Body.templateOf(string(body)) != ""
}

// optional fits a member of a JSON object that is left out where it has no value.
var optional = regexp.MustCompile(`"[^"]+":"\{\{[^"}]*\|optional\}\}",?|,"[^"]+":"\{\{[^"}]*\|optional\}\}"`)

// templateOf returns the template that a body fits: the whole one, or the one without what is optional; empty if it fits none.
func (b Body) templateOf(body string) string {
	whole := b.template()
	for _, template := range []string{whole, strings.ReplaceAll(optional.ReplaceAllString(whole, ""), ",}", "}")} {
		if p, _ := pattern(template); p.MatchString(body) {
			return template
		}
	}
	return ""
}

func fitsEnd(p *regexp.Regexp, path string) bool {
	for i := range path {
		if path[i] == '/' && p.MatchString(path[i:]) {
			return true
		}
	}
	return false
}

// template returns a body as JSON with its names.
func (b Body) template() string {
	text, err := json.Marshal(b.root.written())
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Rewrite changes the values that stand for a name in a request that was sent.
func (r *Request) Rewrite(sent *http.Request, name string, change func(old string, again func(time.Time) string) string) {
	replace := func(template, written string) string {
		p, parts := pattern(template)
		groups := p.FindStringSubmatchIndex(written)
		if groups == nil {
			return written
		}
		var b strings.Builder
		done := 0
		for i, part := range parts {
			from, to := groups[2*i+2], groups[2*i+3]
			if part.name != name {
				continue
			}
			b.WriteString(written[done:from])
			b.WriteString(change(written[from:to], func(t time.Time) string {
				value := any(moment{t, time.UTC})
				for _, f := range part.filters {
					value = f.apply(value)
				}
				return textOf(value)
			}))
			done = to
		}
		return b.String() + written[done:]
	}
	query := sent.URL.Query()
	for key, t := range r.Query {
		if value := replace(t.written, query.Get(key)); value == "" {
			query.Del(key)
		} else {
			query.Set(key, value)
		}
	}
	sent.URL.RawQuery = query.Encode()
	for key, t := range r.Headers {
		if value := replace(t.written, sent.Header.Get(key)); value != "" {
			sent.Header.Set(key, value)
		}
	}
	if body := bodyOf(sent); !r.Body.IsZero() {
		sent.Body = io.NopCloser(strings.NewReader(replace(r.Body.templateOf(string(body)), string(body))))
	}
}

// TimeOf reads a time as a request has it.
func TimeOf(text string) (time.Time, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n > 1e11 {
			return time.UnixMilli(n).UTC(), true
		}
		return time.Unix(n, 0).UTC(), true
	}
	for _, layout := range append(layouts, time.DateOnly) {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// Link returns an address of a link as a URL.
func Link(text string) *url.URL {
	address, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return address
}
