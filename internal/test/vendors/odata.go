package vendors

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An odataSchema is what queries of OData may name.
type odataSchema struct {
	isField func(name string) bool
	value   func(r *Record, name string) any
	times   []string // the fields that are times
}

// filter reads $filter.
func (o odataSchema) filter(text string) (condition, error) {
	if text == "" {
		return func(*Record) bool { return true }, nil
	}
	s, err := scan(text)
	if err != nil {
		return nil, err
	}
	test, err := s.condition(func() (condition, error) { return o.term(s) })
	if err == nil && !s.peek().end {
		err = invalidf("", "Syntax error in $filter at %q", s.peek().text)
	}
	return test, err
}

// odataOperators are the operators of OData.
var odataOperators = map[string]string{"eq": "=", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}

func (o odataSchema) term(s *scanner) (condition, error) {
	field, operator, value := s.next(), s.next(), s.next()
	if field.quoted || !o.isField(field.text) {
		return nil, invalidf("", "Could not find a property named '%s'.", field.text)
	}
	sign := odataOperators[operator.text]
	if sign == "" || value.end {
		return nil, invalidf("", "Syntax error in $filter at %q", operator.text)
	}
	operand := any(value.text)
	switch {
	case !value.quoted && value.text == "null":
		operand = nil
	case slices.Contains(o.times, field.text):
		at, err := time.Parse(time.RFC3339Nano, value.text)
		if err != nil || value.quoted {
			return nil, invalidf("", "%q is not a DateTimeOffset", value.text)
		}
		operand = at
	}
	return func(r *Record) bool { return holds(sign, o.value(r, field.text), operand) }, nil
}

// keys reads $orderby.
func (o odataSchema) keys(text string) ([]key, error) {
	var keys []key
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		desc := len(words) == 2 && words[1] == "desc"
		if len(words) > 2 || len(words) == 2 && !desc && words[1] != "asc" || !o.isField(words[0]) {
			return nil, invalidf("", "Syntax error in $orderby at %q", part)
		}
		keys = append(keys, key{func(r *Record) any { return o.value(r, words[0]) }, desc})
	}
	return keys, nil
}

// selected reads $select.
func (o odataSchema) selected(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	names := strings.Split(text, ",")
	for _, name := range names {
		if !o.isField(name) {
			return nil, invalidf("", "Could not find a property named '%s'.", name)
		}
	}
	return names, nil
}

// preferences reads the header Prefer.
func preferences(r *http.Request) map[string]string {
	found := map[string]string{}
	for _, line := range r.Header.Values("Prefer") {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			found[name] = strings.Trim(value, `"`)
		}
	}
	return found
}

// pageSize reads odata.maxpagesize.
func pageSize(r *http.Request, otherwise, most int) (int, error) {
	text, ok := preferences(r)["odata.maxpagesize"]
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, invalidf("", "odata.maxpagesize is %q, and must be a number from 1 to %d", text, most)
	}
	return n, nil
}

// A syncState is what a change token of a simulator says.
type syncState struct {
	Kind   string    `json:"k"`           // what it belongs to
	Since  int64     `json:"s"`           // changes after this number
	Upto   int64     `json:"u,omitempty"` // of a page: the newest change when the round began
	After  string    `json:"a,omitempty"` // of a page: the last record of the page before
	Page   int       `json:"p,omitempty"`
	Size   int       `json:"n,omitempty"`
	Select string    `json:"f,omitempty"`
	Made   time.Time `json:"t"`
}

// token writes a state as an opaque token.
func (s syncState) token() string {
	text, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// readState reads a token; ok is false for one that is of another kind, or none.
func readState(token, kind string) (s syncState, ok bool) {
	text, err := base64.RawURLEncoding.DecodeString(token)
	return s, err == nil && json.Unmarshal(text, &s) == nil && s.Kind == kind
}

// round returns the records that a round of changes still has to give: all that are there in a first round, what was changed after a
// token in any later one. Their order is one of its own, and does not change within a round.
func (s syncState) round(store *Store) []*Record {
	found := where(store.Visible(), func(r *Record) bool {
		if s.Since == 0 {
			return !r.Gone()
		}
		return r.Change > s.Since
	})
	order(found, int(s.Upto))
	if s.After == "" {
		return found
	}
	at := scatter(s.After, int(s.Upto))
	return where(found, func(r *Record) bool { return scatter(r.ID, int(s.Upto)) > at })
}
