package rest_test

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// A people API answers in every way that the language knows, for the classes of services that no preset of this package's tests has.
type people struct {
	lock    sync.Mutex
	clock   *vendors.Clock
	changes []change // in the order in which they were made
	limit   int      // of a page
	made    int      // how many changes were made
	expired bool     // tokens are of no use
	asked   []string
}

// A change is the newest version of a person.
type change struct {
	ID      string          `json:"id"`
	Updated string          `json:"updated"`
	Gone    bool            `json:"gone"`
	Merged  string          `json:"merged,omitempty"`
	Person  contact.Contact `json:"-"`
	Fields  map[string]any  `json:"person"`
	at      time.Time
	number  int
}

func newPeople() *people { return &people{clock: new(vendors.Clock), limit: 4} }

func (p *people) put(at time.Time, contacts ...contact.Contact) error {
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, c := range contacts {
		p.set(change{ID: c.ID, at: at, Fields: map[string]any{
			"name": c.Name, "title": c.Title, "company": c.Company, "email": part(c.Emails, 0), "email2": part(c.Emails, 1), "phone": part(c.Phones, 0),
			"mobile": part(c.Phones, 1), "website": part(c.Websites, 0), "photo": c.PhotoURL,
			"address": c.Address, "twitter": c.Twitter, "url": c.URL, "plan": plan(c),
		}})
	}
	return nil
}

func (p *people) delete(at time.Time, ids ...string) error {
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, id := range ids {
		p.set(change{ID: id, at: at, Gone: true, Fields: map[string]any{}})
	}
	return nil
}

func (p *people) set(c change) {
	c.Updated = c.at.UTC().Format(time.RFC3339Nano)
	p.changes = slices.DeleteFunc(p.changes, func(o change) bool { return o.ID == c.ID })
	p.made++
	c.number = p.made
	p.changes = append(p.changes, c)
}

// RoundTrip answers a request, without a connection.
func (p *people) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	w.Header().Set("Date", p.clock.Now().UTC().Format(http.TimeFormat))
	p.lock.Lock()
	p.asked = append(p.asked, r.URL.RequestURI())
	status, body := p.answer(r)
	p.lock.Unlock()
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		return nil, err
	}
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

func (p *people) answer(r *http.Request) (int, any) {
	if r.Header.Get("Authorization") != "Bearer right" {
		return http.StatusUnauthorized, map[string]any{"error": "no"}
	}
	q := r.URL.Query()
	since, _ := time.Parse(time.RFC3339, q.Get("since"))
	page, _ := strconv.Atoi(q.Get("page"))
	list := slices.Clone(p.changes)
	switch r.URL.Path {
	case "/me":
		return http.StatusOK, map[string]any{"account": "acme"}
	case "/people": // unsorted, by number; those that are there
		list = slices.DeleteFunc(list, func(c change) bool { return c.Gone || c.at.Before(since) })
		slices.SortFunc(list, func(a, b change) int { return cmp.Compare(a.ID, b.ID) })
		return p.cut(list, (page-1)*p.limit)
	case "/deleted":
		list = slices.DeleteFunc(list, func(c change) bool { return !c.Gone })
		return p.cut(list, page*p.limit)
	case "/newest":
		list = slices.DeleteFunc(list, func(c change) bool { return c.Gone })
		slices.SortStableFunc(list, func(a, b change) int { return b.at.Compare(a.at) })
		return p.cut(list, page)
	case "/feed": // by token
		if cursor := q.Get("cursor"); cursor != "" {
			n, _ := strconv.Atoi(cursor)
			return p.feed(n)
		}
		from, ok := strings.CutPrefix(q.Get("token"), "t")
		if !ok || p.expired {
			return http.StatusBadRequest, map[string]any{"error": "expired_token"}
		}
		n, _ := strconv.Atoi(from)
		return p.feed(n)
	case "/all":
		n, _ := strconv.Atoi(q.Get("cursor"))
		return p.feed(n)
	}
	return http.StatusNotFound, map[string]any{}
}

func (p *people) cut(list []change, from int) (int, any) {
	from = min(max(from, 0), len(list))
	to := min(from+p.limit, len(list))
	answer := map[string]any{"data": append([]change{}, list[from:to]...)}
	if to < len(list) {
		answer["more"] = true
	}
	return http.StatusOK, answer
}

// feed answers with the changes after a number. Every change has one, for ever: tokens hold the newest that was seen.
func (p *people) feed(after int) (int, any) {
	var list []change
	next := after
	for _, c := range p.changes {
		if c.number > after && len(list) < p.limit {
			list, next = append(list, c), c.number
		}
	}
	answer := map[string]any{"data": append([]change{}, list...)}
	if next < p.made {
		answer["cursor"] = strconv.Itoa(next)
	} else {
		answer["token"] = "t" + strconv.Itoa(next)
	}
	return http.StatusOK, answer
}

// peopleText is the part of a configuration that all classes have.
const peopleText = `
language: 1
url: https://people.example.com
connection: [{name: key, title: Key, secret: true}]
values: {key: "{{auth.key}}"}
auth: [{by: bearer, token: "{{key}}"}]
verify: {path: /me}
id: id
updated: {path: updated, precision: 1us, overlap: 5m}
fields:
  name: "[person.name]"
  title: "[person.title]"
  company: "[person.company]"
  emails: ["[person.email]", "[person.email2]"]
  phones: ["[person.phone]", "[person.mobile]"]
  websites: "[person.website]"
  photo_url: "[person.photo]"
  address: "[person.address]"
  twitter: "[person.twitter]"
  url: "[person.url]"
  custom_fields: {Plan: "[person.plan]"}
`

// classes are the classes of services, by what their configuration says of changes.
var classes = map[string]string{
	"B: a filter, and no order": `
changes:
  {path: /people, query: {since: "{{since}}", page: "{{page}}"}, records: data, order: none, page: {by: number, size: 4, recheck: true}}
deletions: {by: request, path: /deleted, query: {page: "{{page}}"}, records: data, order: none, page: {by: number, size: 4, zero: true, recheck: true}, at: updated}
`,
	"D: the newest first, and no filter": `
changes: {path: /newest, query: {page: "{{offset}}"}, records: data, order: newest, page: {by: offset, size: 4, more: more, recheck: true}}
deletions: {by: request, path: /deleted, query: {page: "{{page}}"}, records: data, order: none, page: {by: number, size: 4, zero: true, recheck: true}, at: updated}
`,
	"E: a list first, then changes after a token": feedText,
}

func (p *people) service(text string) sourcetest.Service {
	opening := func(token string) func(ctx context.Context) (bridge.Source, error) {
		return func(ctx context.Context) (bridge.Source, error) {
			return open(ctx, "rest", peopleText+text, p, p.clock, bridge.Auth{"key": token})
		}
	}
	return sourcetest.Service{Open: opening("right"), OpenWrong: opening("wrong"), Now: p.clock.Now, LongIDs: true, Put: p.put, Delete: p.delete}
}

func TestClasses(t *testing.T) {
	for name, text := range classes {
		t.Run(name, func(t *testing.T) {
			sourcetest.Run(t, sourcetest.Target{
				OwnClock: true, Unordered: true, OwnEnd: true, Slides: strings.Contains(text, "recheck: true"), HistoryTime: 500 * time.Millisecond,
				New: func(testing.TB) sourcetest.Service { return newPeople().service(text) },
			})
		})
	}
}

// feedText is class E: a full list, then changes after a token.
const feedText = `
deleted: gone
list: {path: /all, query: {cursor: "{{cursor}}"}, records: data, order: none, page: {by: cursor, next: cursor}, token: token}
changes: {path: /feed, query: {token: "{{token}}", cursor: "{{cursor}}"}, records: data, order: none, page: {by: cursor, next: cursor}, token: token}
deletions: {by: inline}
errors: [{path: error, is: expired_token, then: restart}]
`
