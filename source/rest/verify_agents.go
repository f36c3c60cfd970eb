package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
)

// agents checks the request for the service's users: all of its pages can be read, and those who may be agents have names and e-mail
// addresses.
func (p *prover) agents() {
	if p.l.Agents.IsZero() {
		return
	}
	const name, title = "agents", "users can be read as agents"
	keys, asked := []string{"agents.path", "agents.query", "agents.records"}, says("agents", &p.l.Agents.Request)
	users, err := p.ofUsers()
	if err != nil {
		p.broke(name, title, keys, asked, err)
		return
	}
	s := users.read("agents", scope{}, p.l.Agents.Page.Size, p.records)
	p.throttled = users.throttled
	came := fmt.Sprintf("%d users", len(s.items))
	switch {
	case isForbidden(s.err):
		p.open(name, title, keys, asked, said(s.err), "These credentials may not read users. That matters only where this stands below an endpoint's agents.")
	case s.err != nil:
		p.broke(name, title, append(keys, "agents.page"), asked, s.err)
	case !s.whole && len(s.items) < p.records:
		p.failed(name, title, []string{"agents.page"}, asked, came+", and a page that has none but those", "The next page is one that was there before. Compare how pages are asked for with the documentation.")
	case len(s.items) == 0:
		p.open(name, title, keys, asked, "no users", "It takes a user whom these credentials may see.")
	default:
		p.listed(users, s, name, title, asked, came)
	}
}

// listed checks what users consist of.
func (p *prover) listed(users *prover, s *sample, name, title, asked, came string) {
	var absent []string
	for _, path := range users.l.paths() {
		if found, certain := users.has(s.raw, path); !found && certain && !users.isOptional(path) {
			absent = append(absent, path)
		}
	}
	w, kept, named, reachable, unknown := &walk{f: users.f, l: users.l, client: users.client}, 0, 0, 0, 0
	for _, i := range s.items {
		if i.id == "" || i.fault != "" {
			unknown++
			continue
		}
		if !users.isSent(i) {
			continue
		}
		kept++
		w.row.Bare = i.bare
		w.row.Start(i.id, false)
		if err := users.f.mapping.fields.Fill(&w.row, i.values); err != nil {
			p.failed(name, title, []string{"agents.name", "agents.email"}, asked, i.id+": "+said(err), "Correct the expression.")
			return
		}
		if w.row.Contact.Name != "" {
			named++
		}
		if len(w.row.Contact.Emails) > 0 {
			reachable++
		}
	}
	switch {
	case unknown > 0:
		p.failed(name, title, []string{"agents.id"}, asked, fmt.Sprintf("%s, %d of them without an id", came, unknown), "Correct agents.id: it is the path of a user's id.")
	case kept == 0:
		p.failed(name, title, []string{"agents.keep"}, asked, came+", none of whom may be an agent", "Correct agents.keep: it has to be true for the users who may be agents.")
	case named == 0:
		p.failed(name, title, []string{"agents.name"}, asked, came+" without names", "Correct agents.name: it is the path of a user's name.")
	case reachable == 0:
		p.failed(name, title, []string{"agents.email"}, asked, came+" without e-mail addresses", "Correct agents.email: the contact centre knows its agents by their e-mail addresses.")
	case len(absent) > 0:
		p.failed(name, title, []string{"agents.name", "agents.email", "agents.keep"}, asked, "none has "+strings.Join(absent, ", "), "These keys have other names, or may not be seen with these credentials. Correct the expressions.")
	default:
		p.passed(name, title, []string{"agents"}, asked, fmt.Sprintf("%s, of whom %d may be agents and have an e-mail address", came, reachable), "Below an endpoint's agents they are the agents of the contact centre.")
	}
}

// ofUsers returns a prover of the language whose records are users. It says nothing by itself, and its requests are those of p.
func (p *prover) ofUsers() (*prover, error) {
	made, err := newFactory(p.f.name, p.l.users(), p.f.deps)
	if err != nil {
		return nil, err
	}
	f := made.(*factory)
	f.language.Agents = p.l.Agents // by whose name they are asked for
	c := p.client
	own := &client{factory: f, values: c.values, base: c.base, zone: c.zone, readZone: c.readZone, bucket: c.bucket, auth: c.auth, settings: c.settings, http: c.http}
	return &prover{ctx: p.ctx, client: own, f: f, l: f.language, records: p.records, yield: p.yield, sent: p.sent, walk: &walk{ctx: p.ctx, client: own, f: f, l: f.language}}, nil
}

// isForbidden reports whether a service knows the credentials, and does not permit what was asked.
func isForbidden(err error) bool {
	known, ok := errors.AsType[*bridge.Error](err)
	return ok && known.Status == http.StatusForbidden
}
