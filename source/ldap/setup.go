package ldap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/source"
)

// setup says how a directory is set up by contactbridge init.
func setup() *source.Setup {
	return &source.Setup{Questions: source.Fixed(
		source.Question{
			Key: "url", Title: "Address of the directory server", Help: "ldaps:// encrypts from the beginning. ldap:// is encrypted too where the server offers it.",
			Example: "ldaps://ldap.example.com", Check: checkURL,
		},
		source.Question{
			Key: "bind_dn", Title: "Who reads", Help: "A DN, or with Active Directory name@domain. Without one nobody logs in, and most servers show little.",
			Example: "cn=reader,dc=example,dc=com", Optional: true,
		},
		source.Question{Key: "password", Title: "Password of the reader", Secret: true, Optional: true},
	), Look: look}
}

func checkURL(answer string) error {
	_, err := parseAddress(answer)
	return err
}

// look lists the naming contexts of a server, and the units that hold people.
func look(ctx context.Context, answers source.Answers, deps source.Deps) (proposal.Inventory, error) {
	deps = deps.Defaults()
	found := proposal.Inventory{Noun: "base", Key: "base", Open: true}
	c, l, err := connectWell(ctx, answers, deps)
	if err != nil {
		return found, err
	}
	defer c.close()
	r, err := readRoot(c)
	if err != nil {
		return found, diagnose(err, "")
	}
	s := readSchema(c, r)
	if len(s.names) == 0 {
		found.Problems = append(found.Problems, proposal.Problem{Message: "the server does not show its schema", Hint: "Let the reader read cn=Subschema."})
	}
	reader := &reader{cfg: Config{PageSize: defaultPageSize}, now: deps.Clock.Now, login: l, conn: c, root: r, schema: s, out: new(spoolWriter)}
	var settings []proposal.Setting
	if l.startTLS {
		settings = []proposal.Setting{{Key: "start_tls", Value: true, Why: "the server offers it"}}
	} else if reader.insecure() {
		found.Problems = append(found.Problems, proposal.Problem{Message: "the password goes over the network as plain text", Hint: "Set up TLS on the server."})
	}
	for _, context := range r.contexts() {
		things, err := reader.things(ctx, context)
		if err != nil {
			return found, err
		}
		for i := range things {
			things[i].Settings = settings
		}
		found.Things = append(found.Things, things...)
	}
	return found, nil
}

// connectWell connects, and encrypts the connection where that is possible.
func connectWell(ctx context.Context, answers source.Answers, deps source.Deps) (*conn, login, error) {
	a, err := parseAddress(answers["url"])
	if err != nil {
		return nil, login{}, err
	}
	l := login{address: a, dn: answers["bind_dn"], password: answers["password"]}
	if l.dn != "" && l.password == "" {
		return nil, login{}, &source.ConfigError{Key: "password", Message: "password is missing", Hint: "Servers take a name without a password for nobody: write it."}
	}
	l.startTLS = a.scheme == "ldap"
	c, err := l.connect(ctx, deps)
	if l.startTLS && err != nil && ctx.Err() == nil && isEncryption(err) {
		l.startTLS = false
		c, err = l.connect(ctx, deps)
	}
	return c, l, err
}

// isEncryption reports whether a connection failed because it could not be encrypted.
func isEncryption(err error) bool { return errors.Is(err, errEncryption) }

// mostLooked is how many people of a naming context are looked at.
const mostLooked = 100_000

var errEnough = errors.New("enough was looked at")

// A people is what was seen of one place.
type people struct {
	n          int
	classes    map[string]int
	attributes map[string]int
}

// things lists a naming context and the places in it that hold people.
func (r *reader) things(ctx context.Context, base string) ([]proposal.Thing, error) {
	all, places := newPeople(), map[string]*people{}
	looked := half(ctx)
	q := query{base: base, scope: client.ScopeWholeSubtree, filter: r.contacts(), wanted: []string{"*"}}
	err := r.search(ctx, q, func(e *client.Entry) error {
		parent := parentOf(e.DN)
		if places[parent] == nil {
			places[parent] = newPeople()
		}
		all.look(e)
		places[parent].look(e)
		if all.n >= mostLooked || looked() {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	things := []proposal.Thing{all.thing(base, 100, "it holds everybody")}
	for _, place := range slices.Sorted(maps.Keys(places)) {
		if sameDN(place) != sameDN(base) && len(places) > 1 {
			things = append(things, places[place].thing(place, 50, "it holds some of the people"))
		}
	}
	return things, nil
}

func newPeople() *people { return &people{classes: map[string]int{}, attributes: map[string]int{}} }

func (p *people) look(e *client.Entry) {
	p.n++
	for _, a := range e.Attributes {
		if strings.EqualFold(a.Name, "objectClass") {
			for _, class := range a.Values {
				p.classes[class]++
			}
			continue
		}
		p.attributes[plainName(a.Name)]++
	}
}

func (p *people) thing(dn string, score int, why string) proposal.Thing {
	t := proposal.Thing{Name: dn, Rows: int64(p.n), Ready: true, Score: score, Why: why}
	if p.n == 0 {
		t.Score, t.Why = 0, "it holds nobody whom the reader may see"
		return t
	}
	t.Title = fmt.Sprintf("%s (%s; %s)", dn, strings.Join(most(p.classes, 2, "top"), ", "), strings.Join(most(p.attributes, 8), ", "))
	for _, name := range most(p.attributes, 100) {
		t.Columns = append(t.Columns, proposal.Column{Name: name, Type: "attribute", Null: p.attributes[name] < p.n})
	}
	return t
}

// most returns the names that were met most, but for some.
func most(counts map[string]int, n int, but ...string) []string {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(counts)), func(name string) bool { return slices.Contains(but, name) })
	slices.SortStableFunc(names, func(a, b string) int { return counts[b] - counts[a] })
	return names[:min(n, len(names))]
}
