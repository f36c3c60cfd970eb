package inside

import (
	"slices"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/proposal"
)

// Adopt implements [hub.Catalogue].
func (s *Sources) Adopt(text string, l hub.Listing, things []string, problem error) (string, hub.Found, error) {
	d, err := parseDocument(text)
	if err != nil {
		return "", hub.Found{}, err
	}
	found := foundOf(l.Inventory)
	if problem != nil {
		if err := found.unproposed(d, l.Inventory, things, problem); err != nil {
			return "", found.Found, err
		}
	} else {
		found.take(l.Inventory, l.Proposal)
		if err := d.adopt(l.Inventory, l.Proposal); err != nil {
			return "", found.Found, err
		}
	}
	filled, err := d.text()
	return filled, found.Found, err
}

// findings are what was found, while it is put together.
type findings struct{ hub.Found }

func foundOf(inventory proposal.Inventory) findings {
	f := findings{hub.Found{Noun: inventory.Noun, Many: inventory.Many, Whys: map[string]string{}}}
	for _, t := range inventory.Things {
		if t.Name != "" {
			f.Things = append(f.Things, hub.Thing{Name: t.Name, Title: t.Title, Sort: t.Sort, Rows: t.Rows})
		}
	}
	f.Notes = slices.Clone(inventory.Problems)
	return f
}

// unproposed keeps a thing that a person chose and for which no mapping can be proposed: the person may write one.
func (f *findings) unproposed(d document, inventory proposal.Inventory, things []string, problem error) error {
	said := failure.Of(problem)
	wrong := &failure.Error{Code: failure.Invalid, Message: said.Error(), Hint: said.Hint}
	if len(f.Things) > 0 && len(things) == 0 {
		wrong.Hint = "Choose it yourself."
	}
	if len(things) != 1 || inventory.Key == "" || !slices.ContainsFunc(f.Things, func(t hub.Thing) bool { return t.Name == things[0] }) {
		return wrong
	}
	f.Chosen, f.Columns = things, columnsOf(inventory, things)
	f.Notes = append(f.Notes, proposal.Problem{Message: said.Error(), Hint: said.Hint})
	d.set("source."+inventory.Key, scalarOf(things[0]))
	return nil
}

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
	if len(p.Problems) > len(inventory.Problems) { // it repeats those of the inventory
		f.Notes = slices.Clone(p.Problems)
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
