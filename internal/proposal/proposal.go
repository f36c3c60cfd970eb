package proposal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/failure"
)

// A Wish holds what a person has decided already. The zero Wish leaves everything to the proposal.
type Wish struct {
	// Things are the names of the things to read; none leaves the choice open.
	Things []string
	// Settings replace what is proposed for their keys: id, updated, deleted, fields.phones… A value that is empty leaves the key
	// out.
	Settings []Setting
}

// A Proposal is a mapping of the contacts at an external service.
type Proposal struct {
	Things []Thing       // what is read; empty where the inventory has none
	Why    string        // why these: a clause
	Others []Alternative // other things that could hold contacts, the best first
	// Settings are the keys of the source besides the answers that led to the inventory, in the order in which they are written.
	Settings []Setting
	// National says that numbers without a country code were seen, and nothing that tells their country: the configuration needs
	// phones.region. Region is that country, if the other numbers tell.
	National bool
	Region   string
	Problems []Problem
}

// An Alternative is a thing that was not chosen.
type Alternative struct {
	Name string
	Why  string // why not: a clause
}

// Of proposes a mapping. Its error is a [failure.Error]: there is nothing to choose from, or a wish cannot be fulfilled.
func Of(inv Inventory, wish Wish) (Proposal, error) {
	ranked := rank(inv)
	p := Proposal{Problems: slices.Clone(inv.Problems)}
	chosen, err := choose(inv, ranked, wish.Things, &p)
	if err != nil {
		return Proposal{}, err
	}
	p.name(inv, chosen)
	for _, c := range chosen {
		p.Things = append(p.Things, c.thing)
		p.Settings = append(p.Settings, c.thing.Settings...)
	}
	if len(chosen) == 1 && !chosen[0].thing.Ready {
		m := mapper{inventory: inv, thing: chosen[0].thing, facts: chosen[0], wish: wish, proposal: &p}
		if err := m.propose(); err != nil {
			return Proposal{}, err
		}
	}
	p.fulfil(wish.Settings)
	return p, nil
}

// name adds the setting that names what is read.
func (p *Proposal) name(inv Inventory, chosen []candidate) {
	if inv.Key == "" || len(chosen) == 0 || len(chosen) == 1 && chosen[0].thing.Name == "" {
		return
	}
	names := make([]string, len(chosen))
	for i, c := range chosen {
		names[i] = c.thing.Name
	}
	s := Setting{Key: inv.Key, Value: names[0], Why: p.Why}
	if inv.Many {
		s.Value = names
	}
	p.Settings = append(p.Settings, s)
}

// fulfil puts in what a person has decided.
func (p *Proposal) fulfil(settings []Setting) {
	for _, s := range settings {
		s.Why = cmp.Or(s.Why, "as you said")
		at := slices.IndexFunc(p.Settings, func(has Setting) bool { return has.Key == s.Key })
		switch {
		case isEmpty(s.Value) && at >= 0:
			p.Settings = slices.Delete(p.Settings, at, at+1)
		case isEmpty(s.Value):
		case at >= 0:
			p.Settings[at] = s
		default:
			p.Settings = append(p.Settings, s)
		}
	}
	slices.SortStableFunc(p.Settings, func(a, b Setting) int { return cmp.Compare(placeOf(a.Key), placeOf(b.Key)) })
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	case []Setting:
		return len(v) == 0
	}
	return false
}

// order is the order of the keys that most kinds have. Others, which name what is read, stand before them.
var order = []string{
	"id", "updated", "updated_as", "updated_layout", "time_zone", "deleted", "fields.name", "fields.title", "fields.company", "fields.emails", "fields.phones",
	"fields.websites", "fields.photo_url", "fields.address", "fields.twitter", "fields.url", "fields.country", "fields.custom_fields",
}

func placeOf(key string) int {
	if at := slices.Index(order, key); at >= 0 {
		return at
	}
	if strings.HasPrefix(key, "fields") {
		return len(order)
	}
	return -1
}

// Setting returns the value of a key that is a text, or "".
func (p *Proposal) Setting(key string) string {
	for _, s := range p.Settings {
		if text, ok := s.Value.(string); ok && s.Key == key {
			return text
		}
	}
	return ""
}

func (p *Proposal) problem(hint, format string, values ...any) {
	p.Problems = append(p.Problems, Problem{Message: fmt.Sprintf(format, values...), Hint: hint})
}

// choose returns the things to read.
func choose(inv Inventory, ranked []candidate, wanted []string, p *Proposal) ([]candidate, error) {
	if len(wanted) > 0 {
		return choseThese(inv, ranked, wanted, p)
	}
	if len(ranked) == 0 {
		if inv.Key == "" {
			return nil, nil
		}
		return nil, &failure.Error{
			Code: failure.NotFound, Message: fmt.Sprintf("there is no %s that could be read", inv.Noun),
			Hint: "Check that this is the right place, and that the user may read what is in it.",
		}
	}
	best := ranked[0]
	if !best.possible() && len(ranked) == 1 {
		p.problem("Say which columns hold them.", "nothing was found that looks like phone numbers")
		return ranked, nil
	}
	if !best.possible() {
		return nil, &failure.Error{
			Code: failure.NotFound, Message: fmt.Sprintf("no %s looks as if it holds contacts: no phone numbers, and no names with e-mail addresses, were found", inv.Noun),
			Hint: fmt.Sprintf("Name it: --%s. There are %s.", flagOf(inv.Key), list(names(ranked), 12)),
		}
	}
	p.Why = best.why()
	if len(ranked) == 1 {
		p.Why = cmp.Or(best.thing.Why, fmt.Sprintf("the only %s", best.sort(inv)))
	}
	for _, c := range ranked[1:] {
		if c.possible() {
			p.Others = append(p.Others, Alternative{Name: c.thing.Name, Why: c.whyNot()})
		}
	}
	return ranked[:1], nil
}

// choseThese returns the things that a person has named.
func choseThese(inv Inventory, ranked []candidate, wanted []string, p *Proposal) ([]candidate, error) {
	if len(wanted) > 1 && !inv.Many {
		return nil, &failure.Error{Code: failure.Invalid, Message: fmt.Sprintf("one %s is read at a time", inv.Noun), Hint: "Name one of them."}
	}
	var chosen []candidate
	for _, name := range wanted {
		at := slices.IndexFunc(ranked, func(c candidate) bool { return c.thing.Name == name })
		if at < 0 {
			at = slices.IndexFunc(ranked, func(c candidate) bool { return strings.EqualFold(c.thing.Name, name) })
		}
		if at < 0 && inv.Open {
			chosen = append(chosen, unlisted(inv, name))
			continue
		}
		if at < 0 {
			hint := fmt.Sprintf("There are %s.", list(names(ranked), 20))
			if len(ranked) == 0 {
				hint = "There is none that can be read."
			}
			return nil, &failure.Error{Code: failure.NotFound, Message: fmt.Sprintf("there is no %s %q", inv.Noun, name), Hint: hint}
		}
		chosen = append(chosen, ranked[at])
	}
	p.Why = "as you said"
	return chosen, nil
}

// unlisted returns a thing that only a person knows of. What goes with the others goes with it.
func unlisted(inv Inventory, name string) candidate {
	t := Thing{Name: name, Rows: -1, Ready: true}
	if len(inv.Things) > 0 {
		t.Settings = inv.Things[0].Settings
	}
	return candidate{thing: t}
}

func flagOf(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }

func names(ranked []candidate) []string {
	var list []string
	for _, c := range ranked {
		list = append(list, c.thing.Name)
	}
	return list
}

// list writes names with commas, at most so many.
func list(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
