package inside

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
)

// lookTime is how long a kind may look at what is there.
const lookTime = 30 * time.Second

// visiting returns the dependencies of a source that is opened for a moment, and where refused addresses are noted.
func (s *Sources) visiting(trusted bool) (source.Deps, *opened, error) {
	o, deps := &opened{}, source.Deps{Logger: slog.New(slog.DiscardHandler), Clock: s.o.Clock}
	if trusted {
		deps.Folder = s.o.Folder
		return deps, o, nil
	}
	if s.o.Transport == nil || s.o.Dial == nil {
		return deps, o, errors.New("nothing guards what this source would ask")
	}
	deps.Transport = guarded{s.o.Transport, o, s.o.Clock}
	deps.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := s.o.Dial(ctx, network, address)
		o.note(err, s.o.Clock.Now())
		return conn, err
	}
	return deps, o, nil
}

// Find implements [hub.Catalogue].
func (s *Sources) Find(ctx context.Context, text string, things []string) (string, hub.Found, error) {
	d, err := parseDocument(text)
	if err != nil {
		return "", hub.Found{}, err
	}
	k, err := d.kindOf()
	if err != nil {
		return "", hub.Found{}, err
	}
	if err := d.required(k, hub.GroupConnection); err != nil || k.Setup == nil || k.Setup.Look == nil {
		return "", hub.Found{}, err
	}
	if k.Untrusted == nil {
		return "", hub.Found{}, invalid("source.kind", "a source of this kind reads files of this machine", "Choose another one from the catalogue.")
	}
	if err := s.mayVisit(d, k); err != nil {
		return "", hub.Found{}, err
	}
	deps, o, err := s.visiting(false)
	if err != nil {
		return "", hub.Found{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	inventory, err := k.Setup.Look(ctx, d.answers(k), deps)
	if last := o.refused.Load(); err != nil && last != nil {
		return "", hub.Found{}, last.err
	}
	if err != nil {
		return "", hub.Found{}, explained(err)
	}
	found := foundOf(inventory)
	p, err := proposal.Of(inventory, proposal.Wish{Things: things})
	if err != nil {
		return s.unproposed(d, inventory, things, found, err)
	}
	found.take(inventory, p)
	if err := d.adopt(inventory, p); err != nil {
		return "", found.Found, err
	}
	filled, err := d.text()
	return filled, found.Found, err
}

// mayVisit refuses to ask what only the operator may have asked, before anything is.
func (s *Sources) mayVisit(d document, k source.Kind) error {
	copied, err := document{d.at("source")}.text()
	if err != nil {
		return err
	}
	own, err := parseDocument(copied)
	if err != nil {
		return err
	}
	escape(own.root)
	text, err := own.text()
	if err != nil {
		return err
	}
	read, err := strictyaml.Parse("", []byte(text), strictyaml.Environment{Folder: s.o.Folder})
	if err != nil {
		return explain(err)
	}
	cfg := k.Config()
	_ = read.Decode(cfg) // what does not fit is said when the source is checked
	return below(k.Untrusted(cfg))
}

// explained makes an error of looking one of the form: what was wrong with an answer belongs to its field, and the rest is about asking.
func explained(err error) error {
	if _, ok := errors.AsType[*source.ConfigError](err); ok {
		return below(err)
	}
	said := failure.Of(err)
	if errors.Is(err, context.DeadlineExceeded) && said.Message == "" {
		return &failure.Error{Code: failure.Busy, Message: "looking at what is there took too long", Hint: "Try again when the external service has less to do."}
	}
	if said.Message == "" {
		return err
	}
	return &failure.Error{Code: failure.Invalid, Message: said.Error(), Hint: said.Hint}
}

// unproposed says what was found, where no mapping can be proposed: people may write one.
func (s *Sources) unproposed(d document, inventory proposal.Inventory, things []string, found findings, err error) (string, hub.Found, error) {
	said := failure.Of(err)
	wrong := &failure.Error{Code: failure.Invalid, Message: said.Error(), Hint: said.Hint}
	if len(found.Things) > 0 && len(things) == 0 {
		wrong.Hint = "Choose it yourself."
	}
	if len(things) != 1 || inventory.Key == "" || !slices.ContainsFunc(inventory.Things, func(t proposal.Thing) bool { return t.Name == things[0] }) {
		return "", found.Found, wrong
	}
	found.Chosen = things
	d.set("source."+inventory.Key, scalarOf(things[0]))
	found.Columns = columnsOf(inventory, things)
	found.Notes = append(found.Notes, hub.SourceProblem{Severity: string(source.Failure), Message: said.Error(), Hint: said.Hint})
	text, err := d.text()
	return text, found.Found, err
}

// findings are what was found, while it is put together.
type findings struct{ hub.Found }

// take keeps what was proposed, and why.
func (f *findings) take(inventory proposal.Inventory, p proposal.Proposal) {
	for _, t := range p.Things {
		f.Chosen = append(f.Chosen, t.Name)
	}
	f.Why, f.National = p.Why, p.National
	for _, other := range p.Others {
		for n := range f.Things {
			if f.Things[n].Name == other.Name {
				f.Things[n].Why = other.Why
			}
		}
	}
	for _, s := range p.Settings {
		if s.Key != inventory.Key {
			f.Whys["source."+s.Key] = s.Why
		}
	}
	for _, each := range p.Problems[len(inventory.Problems):] { // it repeats those of the inventory
		f.Notes = append(f.Notes, hub.SourceProblem{Severity: string(source.Warning), Message: each.Message, Hint: each.Hint})
	}
	f.Columns = columnsOf(inventory, f.Chosen)
}

// columnsOf returns the columns of things as expressions of the source.
func columnsOf(inventory proposal.Inventory, names []string) (list []string) {
	var language proposal.Language = proposal.Records{}
	if inventory.Language != nil {
		language = inventory.Language
	}
	for _, t := range inventory.Things {
		if !slices.Contains(names, t.Name) && t.Name != "" {
			continue
		}
		for _, c := range t.Columns {
			list = append(list, language.Column(c.Name))
		}
	}
	return list
}

// adopt puts a proposal in place of what was proposed before.
func (d document) adopt(inventory proposal.Inventory, p proposal.Proposal) error {
	for _, key := range []string{"id", "updated", "updated_as", "deleted", "fields", inventory.Key} {
		if key != "" {
			d.set("source."+key, nil)
		}
	}
	for _, s := range p.Settings {
		value, err := nodeOf(s.Value)
		if err != nil {
			return err
		}
		d.set("source."+s.Key, value)
	}
	if p.Region != "" && d.word("phones.region") == "" {
		d.set("phones.region", scalarOf(p.Region))
	}
	return nil
}

func foundOf(inventory proposal.Inventory) findings {
	f := findings{hub.Found{Noun: inventory.Noun, Many: inventory.Many, Whys: map[string]string{}}}
	for _, t := range inventory.Things {
		f.Things = append(f.Things, hub.Thing{Name: t.Name, Title: t.Title, Sort: t.Sort, Rows: t.Rows})
	}
	for _, p := range inventory.Problems {
		f.Notes = append(f.Notes, hub.SourceProblem{Severity: string(source.Note), Message: p.Message, Hint: p.Hint})
	}
	return f
}

// How much a preview reads, and how long it may take.
var previewed = preview.Options{Limit: 8, Examine: 500, Inspect: 5 * time.Second, Read: 8 * time.Second, Wait: 10 * time.Second}

// Preview implements [hub.Catalogue].
func (s *Sources) Preview(ctx context.Context, text string) (hub.SourcePreview, error) {
	e, err := s.parse(text, false)
	if err != nil {
		return hub.SourcePreview{}, err
	}
	deps, o, err := s.visiting(false)
	if err != nil {
		return hub.SourcePreview{}, err
	}
	p, err := preview.Of(ctx, e, deps, bridge.Auth{}, previewed)
	if err != nil {
		return hub.SourcePreview{}, err
	}
	shown := hub.SourcePreview{
		OK: p.OK, Contacts: p.Contacts, Examined: p.Examined, Total: p.Total, Complete: p.Complete, Unused: p.Unused,
	}
	if last := o.refused.Load(); last != nil && !p.OK { // what the source makes of it does not say how to allow it
		said := failure.Of(last.err)
		shown.Problems = append(shown.Problems, hub.SourceProblem{Severity: string(source.Failure), Message: said.Error(), Hint: said.Hint})
		return shown, nil
	}
	for _, m := range p.Mapping {
		shown.Mapping = append(shown.Mapping, [2]string{m.Field, m.From})
	}
	for _, f := range p.Facts {
		shown.Facts = append(shown.Facts, [2]string{f.Name, f.Value})
	}
	for _, each := range p.Problems {
		shown.Problems = append(shown.Problems, hub.SourceProblem{Severity: string(each.Severity), Message: each.Message, Hint: each.Hint})
	}
	return shown, nil
}
