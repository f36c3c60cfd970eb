package rest_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/vendors"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/rest"
)

// A contradiction makes a service other than its preset says. It is found by one of some checks.
type contradiction struct {
	name    string
	applies func(l *rest.Language) bool
	request func(m *middle, name string, r *http.Request)  // changes what the simulator is asked
	answer  func(m *middle, name string, a *http.Response) // changes what it answers
	by      []string
	// open says that it may end as a check that could not be judged, where the service gives no certainty.
	open bool
}

// A middle stands between the engine and a simulator.
type middle struct {
	next     http.RoundTripper
	language *rest.Language

	lock   sync.Mutex
	of     contradiction
	on     bool
	asked  int
	last   string // the request of the language that was sent last
	first  map[string]*http.Request
	pages  map[string][]byte // the first answer of each
	latest map[string][]byte
}

func (m *middle) RoundTrip(r *http.Request) (*http.Response, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.language == nil || !m.on {
		return m.next.RoundTrip(r)
	}
	r = r.Clone(r.Context())
	m.asked++
	name := m.nameOf(r)
	if m.first[name] == nil {
		m.first[name] = r.Clone(r.Context())
	}
	if m.of.request != nil {
		m.of.request(m, name, r)
	}
	a, err := m.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body := textOfAnswer(a)
	if m.pages[name] == nil && a.StatusCode == http.StatusOK {
		m.pages[name] = body
	}
	if a.StatusCode == http.StatusOK {
		m.latest[name] = body
	}
	if m.of.answer != nil {
		m.of.answer(m, name, a)
	}
	return a, nil
}

// nameOf returns which request of the language was sent; a link that is followed belongs to the one before.
func (m *middle) nameOf(r *http.Request) string {
	l := m.language
	if l.Verify.Is(r) {
		return "verify" // it may be like another one, whose place it does not take
	}
	for _, name := range []string{"deletions", "by_id", "agents", "list", "changes"} {
		if l.Reading(name).Is(r) && !(name == "deletions" && l.Deletions.By != "request") {
			m.last = name
			return name
		}
	}
	if l.Changes.Path.Written() == "{{token}}" && m.language.List.Token != "" {
		if isTokenLink(r) {
			m.last = "changes"
		}
	}
	if slices.ContainsFunc(l.Auth, func(way rest.Auth) bool {
		fetched := way.TokenURL.Written()
		return fetched != "" && strings.HasSuffix(fetched, r.URL.Path)
	}) {
		return "token"
	}
	return m.last
}

func isTokenLink(r *http.Request) bool {
	return strings.Contains(strings.ToLower(r.URL.RawQuery), "deltatoken")
}

func textOfAnswer(a *http.Response) []byte {
	body, err := io.ReadAll(a.Body)
	if err != nil {
		panic(err)
	}
	a.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// edit changes an answer's JSON.
func edit(a *http.Response, change func(body any) any) {
	if a.StatusCode != http.StatusOK {
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(textOfAnswer(a)))
	decoder.UseNumber()
	var body any
	if decoder.Decode(&body) != nil {
		return
	}
	text, err := json.Marshal(change(body))
	if err != nil {
		panic(err)
	}
	a.Body = io.NopCloser(bytes.NewReader(text))
	a.ContentLength = int64(len(text))
}

// at calls a function with the object that has the last key of a path, whose keys may have dots in them.
func at(value any, path string, f func(object map[string]any, key string)) bool {
	object, ok := value.(map[string]any)
	if !ok {
		if elements, isList := value.([]any); isList {
			index, rest, deeper := strings.Cut(path, ".")
			for n, element := range elements {
				if fmt.Sprint(n) == index && deeper {
					return at(element, rest, f)
				}
			}
		}
		return false
	}
	if _, ok := object[path]; ok {
		f(object, path)
		return true
	}
	for i := range path {
		if path[i] == '.' {
			if inner, ok := object[path[:i]]; ok && at(inner, path[i+1:], f) {
				return true
			}
		}
	}
	return false
}

// recordsOf calls a function with the records of an answer, which it may replace.
func recordsOf(body any, path string, f func([]any) []any) any {
	if path == "$" {
		if elements, ok := body.([]any); ok {
			return f(elements)
		}
		return body
	}
	at(body, path, func(object map[string]any, key string) {
		if elements, ok := object[key].([]any); ok {
			object[key] = f(elements)
		}
	})
	return body
}

// eachRecord changes the records of answers.
func eachRecord(change func(record any)) func(m *middle, name string, a *http.Response) {
	return func(m *middle, name string, a *http.Response) {
		r := m.language.Reading(name)
		if r == nil {
			return
		}
		edit(a, func(body any) any {
			return recordsOf(body, r.Records, func(elements []any) []any {
				for _, record := range elements {
					change(record)
				}
				return elements
			})
		})
	}
}

// elsewhere gives the value at a path of each record another key.
func elsewhere(path, key string) func(m *middle, name string, a *http.Response) {
	return eachRecord(func(record any) { move(record, path, key) })
}

func move(value any, path, to string) {
	at(value, path, func(object map[string]any, key string) {
		object[to] = object[key]
		delete(object, key)
	})
}

// plain fits a path that is no expression.
var plain = regexp.MustCompile("^`?[@\\w]+(\\.[@\\w]+)*`?$")

func unticked(path string) string { return strings.Trim(path, "`") }

// retimed changes the times of records.
func retimed(change func(m *middle, at time.Time) time.Time) func(m *middle, name string, a *http.Response) {
	return func(m *middle, name string, a *http.Response) {
		eachRecord(func(record any) {
			at(record, unticked(m.language.Updated.Path), func(object map[string]any, key string) {
				switch written := object[key].(type) {
				case json.Number:
					n, _ := written.Int64()
					t := time.Unix(n, 0)
					if m.language.Updated.As == "unix_ms" {
						t = time.UnixMilli(n)
					}
					t = change(m, t)
					if m.language.Updated.As == "unix_ms" {
						object[key] = float64(t.UnixMicro()) / 1e3
					} else {
						object[key] = float64(t.UnixMilli()) / 1e3
					}
				case string:
					if t, ok := rest.TimeOf(written); ok {
						layout := "2006-01-02T15:04:05.999999Z"
						if strings.Contains(written, " ") {
							layout = "2006-01-02 15:04:05.999999"
						}
						object[key] = change(m, t).UTC().Format(layout)
					}
				}
			})
		})(m, name, a)
	}
}

// rewritten changes the values of a name in one request of the language.
func rewritten(of, name string, change func(m *middle, old string, again func(time.Time) string) string) func(m *middle, sent string, r *http.Request) {
	return func(m *middle, sent string, r *http.Request) {
		if sent != of || !m.language.Reading(of).Is(r) {
			return
		}
		m.language.Reading(of).Rewrite(r, name, func(old string, again func(time.Time) string) string { return change(m, old, again) })
	}
}

// shifted changes the time that stands for a name.
func shifted(of, name string, change func(m *middle, at time.Time) time.Time) func(m *middle, sent string, r *http.Request) {
	return rewritten(of, name, func(m *middle, old string, again func(time.Time) string) string {
		if t, ok := rest.TimeOf(old); ok {
			return again(change(m, t))
		}
		return old
	})
}

func answered(of string, change func(m *middle, r *rest.Reading, body any) any) func(m *middle, name string, a *http.Response) {
	return func(m *middle, name string, a *http.Response) {
		if name == of {
			edit(a, func(body any) any { return change(m, m.language.Reading(of), body) })
		}
	}
}

// contradictions are the facts of the language, each the wrong way round. Which presets rest on a fact follows from the keys that they use.
func contradictions() (list []contradiction) {
	add := func(c contradiction) { list = append(list, c) }
	wholeLanguage := func(test func(l *rest.Language) bool) func(l *rest.Language) bool { return test }

	// What belongs to all requests.
	add(contradiction{
		name: "verify refuses good credentials", applies: wholeLanguage(func(*rest.Language) bool { return true }), by: []string{"credentials"},
		answer: func(_ *middle, name string, a *http.Response) {
			if name == "verify" {
				a.StatusCode = http.StatusForbidden
			}
		},
	})
	add(contradiction{
		name: "the account stands elsewhere", applies: func(l *rest.Language) bool { return l.Tenant != "" }, by: []string{"credentials"},
		answer: func(m *middle, name string, a *http.Response) {
			edit(a, func(body any) any { move(body, m.language.Tenant, "account_of_another_name"); return body })
		},
	})
	add(contradiction{
		name: "answers have no date", applies: func(*rest.Language) bool { return true }, by: []string{"credentials"},
		answer: func(_ *middle, _ string, a *http.Response) { a.Header.Del("Date") },
	})
	withKey := func(l *rest.Language) bool { return len(l.Auth) > 0 && l.Auth[0].By != "none" }
	add(contradiction{
		name: "wrong credentials are let in", applies: withKey, by: []string{"wrong_key"},
		request: func(m *middle, name string, r *http.Request) {
			right := m.first["verify"]
			if right == nil || name == "token" {
				return // its credentials are in its body
			}
			for header, values := range right.Header {
				if header == "Authorization" || strings.HasPrefix(header, "X-") || strings.HasSuffix(header, "KEY") || strings.Contains(strings.ToLower(header), "key") {
					r.Header[header] = values
				}
			}
			for header, values := range right.Header {
				if _, ok := r.Header[header]; ok && header != "Content-Type" && header != "Accept" && !isOf(m.language, name, header) {
					r.Header[header] = values
				}
			}
		},
		answer: func(m *middle, name string, a *http.Response) {
			if first := m.pages["token"]; name == "token" && a.StatusCode != http.StatusOK && first != nil {
				a.StatusCode, a.Body = http.StatusOK, io.NopCloser(bytes.NewReader(first))
			}
		},
	})
	add(contradiction{
		name: "wrong credentials are refused in another way", applies: withKey, by: []string{"wrong_key"},
		answer: func(_ *middle, _ string, a *http.Response) {
			if a.StatusCode != http.StatusOK {
				a.StatusCode, a.Body = http.StatusTeapot, io.NopCloser(strings.NewReader(`{"problem": "you"}`))
			}
		},
	})
	add(contradiction{
		name: "more requests are sent than the service takes", applies: func(*rest.Language) bool { return true }, by: []string{"limits"},
		answer: func(m *middle, name string, a *http.Response) {
			if m.asked == 9 {
				a.StatusCode, a.Body = http.StatusTooManyRequests, io.NopCloser(strings.NewReader(`{}`))
				a.Header.Set("Retry-After", "0.01")
				for _, header := range []string{m.language.Throttle.Wait, m.language.Throttle.Reset} {
					if header != "" {
						a.Header.Set(header, "0.01")
					}
				}
			}
		},
	})
	for _, header := range []func(l *rest.Language) string{func(l *rest.Language) string { return l.Throttle.Left }, func(l *rest.Language) string { return l.Throttle.Reset }} {
		add(contradiction{
			name: "a header of limits has another name", open: true, applies: func(l *rest.Language) bool { return header(l) != "" }, by: []string{"limits"},
			answer: func(m *middle, _ string, a *http.Response) { a.Header.Del(header(m.language)) },
		})
	}

	for _, name := range []string{"changes", "list", "deletions", "by_id"} {
		list = append(list, ofReading(name)...)
	}

	// What belongs to records.
	plainTime := func(l *rest.Language) bool {
		return plain.MatchString(l.Updated.Path) && l.Changes.Token == "" && l.Changes.Uses("since") && l.Changes.Since.Granularity == 0
	}
	add(contradiction{
		name: "ids have another name", applies: func(l *rest.Language) bool { return plain.MatchString(l.ID) }, by: []string{"records", "order"},
		answer: func(m *middle, name string, a *http.Response) {
			elsewhere(unticked(m.language.ID), "identity")(m, name, a)
		},
	})
	add(contradiction{
		name: "times have another name", applies: plainTime, by: []string{"order", "fields"},
		answer: func(m *middle, name string, a *http.Response) {
			elsewhere(unticked(m.language.Updated.Path), "touched")(m, name, a)
		},
	})
	add(contradiction{
		name: "times are finer", by: []string{"precision"}, applies: func(l *rest.Language) bool { return plainTime(l) && l.Updated.Fineness() > time.Microsecond },
		answer: retimed(func(m *middle, at time.Time) time.Time { return at.Add(m.language.Updated.Fineness() / 2) }),
	})
	add(contradiction{
		name: "times are coarser", applies: func(l *rest.Language) bool { return plainTime(l) && l.Updated.Fineness() < time.Minute }, by: []string{"precision"},
		answer: retimed(func(m *middle, at time.Time) time.Time {
			if m.language.Updated.Fineness() < time.Second {
				return at.Truncate(time.Second)
			}
			return at.Truncate(time.Minute)
		}),
	})
	add(contradiction{
		name: "times are of another zone", applies: plainTime, by: []string{"since", "clock"},
		answer: retimed(func(_ *middle, at time.Time) time.Time { return at.Add(3 * time.Hour) }),
	})
	add(contradiction{
		name: "times are of the future", applies: plainTime, by: []string{"clock"},
		answer: retimed(func(_ *middle, at time.Time) time.Time { return at.Add(90 * 24 * time.Hour) }),
	})
	add(contradiction{
		name: "what says that a record is deleted has another name", by: []string{"fields", "deletions"}, open: true,
		applies: func(l *rest.Language) bool { return l.Deleted != "" && l.Changes.Token == "" },
		answer: func(m *middle, name string, a *http.Response) {
			elsewhere(firstPath(m.language.Deleted), "no_longer")(m, name, a)
		},
	})
	add(contradiction{
		name: "what says that a record is a contact has another name", by: []string{"fields", "values"}, open: true,
		applies: func(l *rest.Language) bool { return l.Keep != "" },
		answer: func(m *middle, name string, a *http.Response) {
			elsewhere(firstPath(m.language.Keep), "kind_of_person")(m, name, a)
		},
	})
	add(contradiction{
		name: "merged ids are written otherwise", applies: func(l *rest.Language) bool { return plain.MatchString(l.Merged) }, by: []string{"merged"},
		answer: func(m *middle, name string, a *http.Response) {
			eachRecord(func(record any) {
				at(record, unticked(m.language.Merged), func(object map[string]any, key string) {
					if text, ok := object[key].(string); ok && text != "" {
						object[key] = strings.NewReplacer(";", "|", ",", "|").Replace(text) + "|"
					}
				})
			})(m, name, a)
		},
	})
	add(contradiction{
		name: "merged ids have another name", applies: func(l *rest.Language) bool { return plain.MatchString(l.Merged) }, by: []string{"merged", "fields"}, open: true,
		answer: func(m *middle, name string, a *http.Response) {
			elsewhere(unticked(m.language.Merged), "taken_in")(m, name, a)
		},
	})
	add(contradiction{
		name: "a field has another name", by: []string{"fields"}, open: true,
		applies: func(l *rest.Language) bool {
			return slices.ContainsFunc(l.Fields.Mapped(), func(m record.Mapped) bool { return m.Field == "title" && plain.MatchString(m.From) })
		},
		answer: func(m *middle, name string, a *http.Response) {
			for _, mapped := range m.language.Fields.Mapped() {
				if mapped.Field == "title" {
					elsewhere(firstPath(mapped.From), "position_held")(m, name, a)
				}
			}
		},
	})

	// What belongs to users.
	for what, expression := range map[string]func(l *rest.Language) string{
		"names": func(l *rest.Language) string { return l.Agents.Name }, "e-mail addresses": func(l *rest.Language) string { return l.Agents.Email },
		"ids": func(l *rest.Language) string { return cmp.Or(l.Agents.ID, "id") },
	} {
		add(contradiction{
			name: what + " of users have another name", by: []string{"agents"},
			applies: func(l *rest.Language) bool { return !l.Agents.IsZero() && plain.MatchString(expression(l)) },
			answer: func(m *middle, name string, a *http.Response) {
				if name == "agents" {
					elsewhere(unticked(expression(m.language)), "called")(m, name, a)
				}
			},
		})
	}
	add(contradiction{
		name: "users stand elsewhere", by: []string{"agents"},
		applies: func(l *rest.Language) bool { return !l.Agents.IsZero() && l.Agents.Records != "$" },
		answer:  answered("agents", func(_ *middle, r *rest.Reading, body any) any { move(body, r.Records, "users_are_here"); return body }),
	})
	add(contradiction{
		name: "there is no request for users", by: []string{"agents"}, applies: func(l *rest.Language) bool { return !l.Agents.IsZero() },
		answer: func(_ *middle, name string, a *http.Response) {
			if name == "agents" {
				a.StatusCode, a.Body = http.StatusBadRequest, io.NopCloser(strings.NewReader(`{"problem": "no such users"}`))
			}
		},
	})

	// What belongs to deletions and tokens.
	byRequest := func(l *rest.Language) bool { return l.Deletions.By == "request" }
	add(contradiction{
		name: "the list of deleted records has all records", applies: byRequest, by: []string{"deletions"},
		answer: answered("deletions", func(m *middle, r *rest.Reading, body any) any {
			var live any
			if json.Unmarshal(m.pages["changes"], &live) != nil {
				return body
			}
			var people []any
			recordsOf(live, m.language.Changes.Records, func(elements []any) []any { people = elements; return elements })
			for _, person := range people { // the list names them by a key of its own
				if id := m.language.Deletions.ID; plain.MatchString(id) && plain.MatchString(m.language.ID) {
					at(person, unticked(m.language.ID), func(object map[string]any, key string) { person.(map[string]any)[unticked(id)] = object[key] })
				}
			}
			return recordsOf(body, r.Records, func([]any) []any { return people })
		}),
	})
	add(contradiction{
		name: "the time of deletion has another name", applies: func(l *rest.Language) bool { return byRequest(l) && plain.MatchString(l.Deletions.At) }, by: []string{"deletions", "since"},
		answer: func(m *middle, name string, a *http.Response) {
			if name == "deletions" {
				elsewhere(unticked(m.language.Deletions.At), "left_at")(m, name, a)
			}
		},
	})
	tokens := func(l *rest.Language) bool { return l.Changes.Token != "" }
	add(contradiction{
		name: "the token is ignored", applies: tokens, by: []string{"token", "next_page"},
		request: func(m *middle, name string, r *http.Request) {
			all := m.first["list"]
			if m.language.List.Token == "" {
				all = nil
			}
			switch {
			case name != "changes":
			case all != nil && m.language.Changes.Path.Written() == "{{token}}":
				if isTokenLink(r) {
					*r.URL, r.Header = *all.URL, all.Header
				}
			default:
				m.language.Changes.Rewrite(r, "token", func(string, func(time.Time) string) string { return "" })
				if !m.language.Changes.Uses("since") {
					return
				}
				m.language.Changes.Rewrite(r, "since", func(_ string, again func(time.Time) string) string { return again(time.Unix(0, 0)) })
				query := r.URL.Query()
				for key, text := range m.language.Changes.Query {
					if strings.Contains(text.Written(), "{{since") && query.Get(key) == "" {
						query.Set(key, "0")
					}
				}
				r.URL.RawQuery = query.Encode()
			}
		},
	})
	return list
}

// isOf reports whether a request of the language has a header of its own.
func isOf(l *rest.Language, name, header string) bool {
	if r := l.Reading(name); r != nil {
		for own := range r.Headers {
			if http.CanonicalHeaderKey(own) == header {
				return true
			}
		}
	}
	return false
}

// aPath finds the first path in an expression.
var aPath = regexp.MustCompile("`[^`]+`|[A-Za-z_@][\\w.]*")

func firstPath(expression string) string { return unticked(aPath.FindString(expression)) }

// ofReading returns the contradictions of one request for records.
func ofReading(of string) (list []contradiction) {
	has := func(test func(l *rest.Language, r *rest.Reading) bool) func(l *rest.Language) bool {
		return func(l *rest.Language) bool {
			r := l.Reading(of)
			return r != nil && !r.IsZero() && (of != "deletions" || l.Deletions.By == "request") && test(l, r)
		}
	}
	add := func(name string, by []string, c contradiction) {
		c.name, c.by = of+": "+name, by
		list = append(list, c)
	}
	uses := func(name string) func(l *rest.Language) bool {
		return has(func(_ *rest.Language, r *rest.Reading) bool { return r.Uses(name) })
	}
	exact := has(func(l *rest.Language, r *rest.Reading) bool {
		return r.Uses("since") && l.Changes.Token == "" && r.Since.Granularity == 0 && r.Since.Margin == 0
	})
	fine := func(m *middle) time.Duration { return m.language.Updated.Fineness() }

	add("records stand elsewhere", []string{"records", "deletions", "by_id", "token"}, contradiction{
		applies: has(func(_ *rest.Language, r *rest.Reading) bool { return r.Records != "$" && !r.MayMiss }),
		answer:  answered(of, func(_ *middle, r *rest.Reading, body any) any { move(body, r.Records, "people_are_here"); return body }),
	})
	if of != "by_id" {
		add("the time is ignored", []string{"far_future", "since"}, contradiction{
			applies: uses("since"), request: shifted(of, "since", func(*middle, time.Time) time.Time { return time.Unix(86400, 0) }),
		})
		add("the time itself is left out", []string{"since"}, contradiction{
			applies: func(l *rest.Language) bool { return exact(l) && !l.Reading(of).Since.Exclusive },
			request: shifted(of, "since", func(m *middle, at time.Time) time.Time { return at.Add(fine(m)) }),
		})
		add("the time is taken by day", []string{"since", "next_page"}, contradiction{
			applies: exact, request: shifted(of, "since", func(_ *middle, at time.Time) time.Time { return at.Truncate(24 * time.Hour) }),
		})
		for _, by := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
			add("the time is taken in another zone, by "+by.String(), []string{"since"}, contradiction{
				applies: exact, request: shifted(of, "since", func(_ *middle, at time.Time) time.Time { return at.Add(by) }),
			})
		}
	}
	add("fewer records come than are asked for", []string{"page_size", "by_id", "ties"}, contradiction{
		applies: has(func(_ *rest.Language, r *rest.Reading) bool {
			return r.Uses("limit") && r.Page.Size > 2 && r.Page.More == "" && r.Page.Next == "" && !r.Page.ToEmpty
		}),
		request: rewritten(of, "limit", func(m *middle, old string, _ func(time.Time) string) string {
			if most := m.language.Reading(of).Page.Size - 1; old == fmt.Sprint(most+1) {
				return fmt.Sprint(most)
			}
			return old
		}),
	})
	if of != "by_id" {
		add("how many are asked for is ignored", []string{"page_size"}, contradiction{
			applies: has(func(_ *rest.Language, r *rest.Reading) bool { return r.Uses("limit") && r.Page.Size > 2 }),
			request: rewritten(of, "limit", func(m *middle, _ string, _ func(time.Time) string) string {
				return fmt.Sprint(m.language.Reading(of).Page.Size)
			}),
		})
	}
	readable := has(func(l *rest.Language, r *rest.Reading) bool { // without waiting for a change
		return of != "changes" || l.Changes.Token == "" || r.Uses("since")
	})
	add("every page is the first", []string{"next_page", "records", "by_id"}, contradiction{
		applies: func(l *rest.Language) bool {
			return readable(l) && l.Reading(of).Page.By != "keyset" && l.Reading(of).Page.By != "none"
		},
		request: func(m *middle, sent string, r *http.Request) {
			first := "0"
			if m.language.Reading(of).Page.By == "number" && !m.language.Reading(of).Page.Zero {
				first = "1"
			}
			for name, value := range map[string]string{"page": first, "offset": "0", "cursor": ""} {
				rewritten(of, name, func(*middle, string, func(time.Time) string) string { return value })(m, sent, r)
			}
		},
		answer: func(m *middle, name string, a *http.Response) {
			if first := m.pages[of]; name == of && first != nil && m.language.Reading(of).Page.By == "link" && a.StatusCode == http.StatusOK {
				a.Body = io.NopCloser(bytes.NewReader(first))
			}
		},
	})
	add("the next page stands elsewhere", []string{"next_page", "page_size", "by_id", "records"}, contradiction{
		applies: has(func(l *rest.Language, r *rest.Reading) bool {
			return readable(l) && (r.Page.By == "cursor" || r.Page.By == "link") && (r.Page.Next != "header:Link" || r.Uses("limit"))
		}),
		answer: func(m *middle, name string, a *http.Response) {
			if name == of {
				if header, ok := strings.CutPrefix(m.language.Reading(of).Page.Next, "header:"); ok {
					a.Header.Del(header)
				}
				edit(a, func(body any) any { move(body, m.language.Reading(of).Page.Next, "the_next_page"); return body })
			}
		},
	})
	add("whether there are more stands elsewhere", []string{"next_page", "page_size", "by_id"}, contradiction{
		applies: has(func(_ *rest.Language, r *rest.Reading) bool { return r.Page.More != "" }),
		answer: func(m *middle, name string, a *http.Response) {
			if header, ok := strings.CutPrefix(m.language.Reading(of).Page.More, "header:"); ok && name == of {
				a.Header.Del(header)
			}
			answered(of, func(_ *middle, r *rest.Reading, body any) any { move(body, r.Page.More, "are_there_more"); return body })(m, name, a)
		},
	})
	add("the end stands elsewhere", []string{"next_page", "records", "token"}, contradiction{
		applies: has(func(_ *rest.Language, r *rest.Reading) bool { return r.Done != "" }),
		answer:  answered(of, func(_ *middle, r *rest.Reading, body any) any { move(body, r.Done, "over"); return body }),
	})
	add("the token stands elsewhere", []string{"token", "records"}, contradiction{
		applies: has(func(l *rest.Language, r *rest.Reading) bool {
			return r.Token != "" && (of == "list" || l.List.Token == "")
		}),
		answer: answered(of, func(_ *middle, r *rest.Reading, body any) any { move(body, r.Token, "remember_this"); return body }),
	})
	add("records come in another order", []string{"order", "by_id"}, contradiction{
		applies: has(func(_ *rest.Language, r *rest.Reading) bool {
			return r.Order != "" && r.Order != "none" && (r.Order != "id" || r.IDs != "")
		}),
		answer: answered(of, func(_ *middle, r *rest.Reading, body any) any {
			return recordsOf(body, r.Records, func(elements []any) []any { slices.Reverse(elements); return elements })
		}),
	})
	if of != "by_id" {
		return list
	}
	by := []string{"by_id", "ties"}
	add("the first time is ignored", by, contradiction{applies: uses("from"), request: shifted(of, "from", func(*middle, time.Time) time.Time { return time.Unix(86400, 0) })})
	add("the last time is ignored", by, contradiction{applies: uses("before"), request: shifted(of, "before", func(*middle, time.Time) time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) })})
	add("the first time is left out", by, contradiction{applies: uses("from"), request: shifted(of, "from", func(m *middle, at time.Time) time.Time { return at.Add(fine(m)) })})
	add("the id is ignored", by, contradiction{
		applies: uses("after_id"),
		request: rewritten(of, "after_id", func(m *middle, old string, _ func(time.Time) string) string { return m.language.ByID.FirstID }),
	})
	add("the direction is ignored", by, contradiction{
		applies: uses("direction"),
		request: rewritten(of, "direction", func(m *middle, _ string, _ func(time.Time) string) string { return m.language.ByID.Directions[0] }),
	})
	return list
}

// A service that is other than its preset says in one thing is found out, whatever the preset: the facts on which it rests are those of
// the keys that it uses.
func TestEveryContradictionIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("OPTIONAL: it tries every contradiction with every preset")
	}
	tried := map[string]int{}
	var lock sync.Mutex
	t.Run("presets", func(t *testing.T) {
		for _, v := range tenantsOfPresets(t) {
			t.Run(v.kind, func(t *testing.T) {
				t.Parallel()
				for _, c := range contradictions() {
					if found, asked := contradicted(t, v, c, new(vendors.Clock)); asked {
						lock.Lock()
						tried[c.name]++
						lock.Unlock()
						if found != "" {
							t.Errorf("%s: not found:\n%s", c.name, found)
						}
					}
				}
			})
		}
	})
	for _, c := range contradictions() {
		t.Logf("%2d presets: %s", tried[c.name], c.name)
	}
}

// contradicted runs the checks of a tenant with a contradiction. It returns what they say where none found it.
func contradicted(t *testing.T, v tenant, c contradiction, clock *vendors.Clock) (missed string, asked bool) {
	simulator, store := v.new(clock.Now)
	cloud := new(vendors.Cloud)
	cloud.Add(simulator)
	simulator.Common().Lenient = true
	between := &middle{next: cloud, of: c, first: map[string]*http.Request{}, pages: map[string][]byte{}, latest: map[string][]byte{}}
	s, err := open(t.Context(), v.kind, smallPages(v), between, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	between.language = rest.LanguageOf(s.(openedSource).fullSource.(*rest.Source))
	if !c.applies(between.language) {
		return "", false
	}
	populate(v, store, clock)
	simulator.Common().SetUsers(someUsers()...)
	between.on = true
	var checks []source.Check
	for check := range s.Verify(t.Context(), 1000) {
		usual := v.token && slices.Contains(unjudged, check.Name)
		if slices.Contains(c.by, check.Name) && (check.Verdict == source.Failed || c.open && !usual && check.Verdict == source.NotJudged) {
			return "", true
		}
		checks = append(checks, check)
	}
	return tell(checks), true
}

// The hour that a zone's clocks show twice in autumn is read as one: nothing is judged by bounds between which there is all or nothing.
func TestBoundsAreContradictedInTheRepeatedHourToo(t *testing.T) {
	if testing.Short() {
		t.Skip("OPTIONAL: TestEveryContradictionIsFound tries the other hours")
	}
	repeated := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC) // in Paris, as in Berlin
	v := dolibarr()
	for before := range 140 {
		for _, c := range contradictions() {
			if c.name != "by_id: the first time is ignored" && c.name != "by_id: the last time is ignored" {
				continue
			}
			clock := new(vendors.Clock)
			clock.Advance(repeated.Add(40*24*time.Hour - time.Duration(before)*30*time.Minute).Sub(clock.Now()))
			missed, asked := contradicted(t, v, c, clock)
			if !asked {
				t.Fatal("not asked:", c.name)
			}
			if missed != "" {
				t.Errorf("%s, from %d half hours before:\n%s", c.name, before, missed)
			}
		}
	}
}
