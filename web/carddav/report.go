package carddav

import (
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/phonebook"
)

// report answers REPORT.
func (h *Handler) report(r *request) error {
	body, err := parse(r.Body)
	if err != nil {
		return err
	}
	if body == nil {
		return errXML
	}
	if r.at == book {
		switch body.name {
		case xml.Name{Space: dav, Local: "sync-collection"}:
			return h.changes(r, body)
		case xml.Name{Space: card, Local: "addressbook-multiget"}:
			return h.multiget(r, body)
		case xml.Name{Space: card, Local: "addressbook-query"}:
			return h.query(r, body)
		}
	}
	r.refuse(http.StatusForbidden, "<D:supported-report/>")
	return nil
}

// readAtOnce is how many cards are read at once.
const readAtOnce = 500

// multiget sends the cards that a client names, in their order, however many there are.
func (h *Handler) multiget(r *request, body *node) error {
	var paths []string
	for _, c := range body.children {
		if (c.name == xml.Name{Space: dav, Local: "href"}) {
			paths = append(paths, strings.TrimSpace(c.text))
		}
	}
	w, m := wishOf(body), r.multistatus()
	for start := 0; start < len(paths); start += readAtOnce {
		some := paths[start:min(start+readAtOnce, len(paths))]
		cards := make([]string, len(some))
		for i, path := range some {
			cards[i] = r.cardOf(path)
		}
		err := r.view.ByCards(r.Context(), cards, func(at int, e *phonebook.Entry) {
			if e == nil {
				m.gone(some[at])
			} else {
				m.response(r, r.href(e.Card), object, e, w)
			}
		})
		if err != nil {
			return err
		}
		if err := m.visited(r.Context()); err != nil {
			return err
		}
	}
	return m.end()
}

// cardOf is the card that a path names; empty where it names none of this address book.
func (r *request) cardOf(path string) string {
	if strings.ContainsAny(path, "%:?#") || !strings.HasPrefix(path, "/") { // not as we wrote it
		u, err := url.Parse(path)
		if err != nil {
			return ""
		}
		path = u.Path
	}
	name, ok := strings.CutPrefix(path, r.collection())
	if !ok {
		return ""
	}
	name, _ = strings.CutSuffix(name, ".vcf")
	return name
}

var errToken = errors.New("the token is not of this phonebook")

// since reads a token.
func (r *request) since(token string) (int64, error) {
	if token == "" {
		return 0, nil
	}
	text, ok := strings.CutPrefix(token, tokenPrefix+r.view.Epoch()+":")
	if !ok {
		return 0, errToken
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < r.view.State.Floor || n > r.view.State.Seq || n < 0 {
		return 0, errToken
	}
	return n, nil
}

// changes says what happened after a token; without one, what there is.
func (h *Handler) changes(r *request, body *node) error {
	token := body.value(dav, "sync-token")
	since, err := r.since(token)
	if err != nil {
		status := http.StatusForbidden
		if strings.Contains(r.agent, "Thunderbird") { // it begins anew on no other status
			status = http.StatusBadRequest
		}
		r.refuse(status, "<D:valid-sync-token/>")
		return nil
	}
	w := wishOf(body)
	limit := nresults(body, dav)
	if token == "" && limit == 0 {
		m := r.multistatus()
		if err := r.list(m, w); err != nil {
			return err
		}
		m.write("<D:sync-token>", escape(r.token(r.view.State.Seq)), "</D:sync-token>\n") // what changed meanwhile is told again
		return h.end(r, m)
	}
	step := limit
	if step == 0 {
		step = readAtOnce
	}
	var m *multistatus
	more := false
	for {
		changes, err := r.view.Changes(r.Context(), since, step)
		if err != nil {
			return err
		}
		if m == nil {
			m = r.multistatus()
		}
		for i := range changes.Entries {
			e := &changes.Entries[i]
			m.response(r, r.href(e.Card), object, e, w)
		}
		for _, card := range changes.Left {
			if token != "" { // who begins has nothing to delete
				m.gone(r.href(card))
			}
		}
		since = changes.Seq
		if !changes.More {
			break
		}
		if limit > 0 {
			more = true
			m.write("<D:response><D:href>", escape(r.collection()), "</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status>",
				"<D:error><D:number-of-matches-within-limits/></D:error></D:response>\n")
			break
		}
		if err := m.visited(r.Context()); err != nil {
			return err
		}
	}
	m.write("<D:sync-token>", escape(r.token(since)), "</D:sync-token>\n")
	if more { // it comes back for the rest
		return m.end()
	}
	return h.end(r, m)
}

// end ends an answer after which a client knows all of the phonebook.
func (h *Handler) end(r *request, m *multistatus) error {
	err := m.end()
	if err == nil {
		h.note(r)
	}
	return err
}

// list sends what a client wants of all cards. Most want only tags at first.
func (r *request) list(m *multistatus, w wish) error {
	return r.view.EachCard(r.Context(), w.tagsOnly(), func(e *phonebook.Entry) error {
		m.response(r, r.href(e.Card), object, e, w)
		return m.visited(r.Context())
	})
}

// nresults is how many answers a client takes; 0: all.
func nresults(body *node, space string) int {
	limit := body.child(space, "limit")
	if limit == nil {
		return 0
	}
	n, err := strconv.Atoi(limit.value(space, "nresults"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// query sends the cards that fit a filter; one that is empty, or missing, fits all.
func (h *Handler) query(r *request, body *node) error {
	f := body.child(card, "filter")
	w, limit, sent := wishOf(body), nresults(body, card), 0
	m := r.multistatus()
	err := r.view.All(r.Context(), func(e *phonebook.Entry) error {
		if !fits(f, e, r.view.Numbers) {
			return nil
		}
		if limit > 0 && sent == limit {
			return errEnough
		}
		sent++
		m.response(r, r.href(e.Card), object, e, w)
		return m.visited(r.Context())
	})
	if errors.Is(err, errEnough) {
		m.write("<D:response><D:href>", escape(r.collection()), "</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status></D:response>\n")
		err = nil
	}
	if err != nil {
		return err
	}
	if f == nil || len(f.children) == 0 {
		return h.end(r, m)
	}
	return m.end()
}

var errEnough = errors.New("there are enough cards")

// fits compares an entry with a filter (RFC 6352, 10.5).
func fits(f *node, e *phonebook.Entry, n phonebook.Numbers) bool {
	if f == nil {
		return true
	}
	return anyOrAll(f, card, "prop-filter", func(p *node) bool { return fitsProperty(p, e, n) })
}

// anyOrAll combines the children of a name as the attribute test says. Without such children it is true.
func anyOrAll(n *node, space, local string, fits func(*node) bool) bool {
	all, seen := n.attr("test", "anyof") == "allof", false
	for _, c := range n.children {
		if c.name.Space != space || c.name.Local != local {
			continue
		}
		seen = true
		if ok := fits(c); ok != all {
			return ok
		}
	}
	return all || !seen
}

func fitsProperty(p *node, e *phonebook.Entry, n phonebook.Numbers) bool {
	values := valuesOf(e, strings.ToUpper(p.attr("name", "")), n)
	if p.child(card, "is-not-defined") != nil {
		return len(values) == 0
	}
	if len(values) == 0 {
		return false
	}
	return anyOrAll(p, card, "text-match", func(m *node) bool { return fitsText(m, values) })
}

func fitsText(m *node, values []string) bool {
	asked, how := strings.ToLower(strings.TrimSpace(m.text)), m.attr("match-type", "contains")
	found := false
	for _, v := range values {
		v = strings.ToLower(v)
		switch how {
		case "equals":
			found = found || v == asked
		case "starts-with":
			found = found || strings.HasPrefix(v, asked)
		case "ends-with":
			found = found || strings.HasSuffix(v, asked)
		default:
			found = found || strings.Contains(v, asked)
		}
	}
	return found != (m.attr("negate-condition", "no") == "yes")
}

// valuesOf are the values of a vCard's property. Numbers are there in every spelling.
func valuesOf(e *phonebook.Entry, name string, n phonebook.Numbers) (values []string) {
	one := func(text string) []string {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	switch name {
	case "FN":
		return one(e.Name)
	case "N":
		return one(e.Family + ";" + e.Given)
	case "ORG":
		if e.IsCompany() {
			return one(e.Name)
		}
		return one(e.Company)
	case "TITLE":
		return one(e.Title)
	case "EMAIL":
		return e.Emails
	case "UID":
		return one(e.Card)
	case "URL":
		return one(e.URL)
	case "ADR":
		return one(e.Address)
	case "TEL":
		for i := range e.Numbers {
			values = append(append(values, e.Numbers[i].Dial), n.Spelt(&e.Numbers[i])...)
		}
	}
	return values
}
