package carddav

import (
	"context"
	"fmt"
	"strings"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/vcard"
)

// mostInspected is how many cards an inspection reads.
const mostInspected = 20_000

// Inspect implements [source.Inspector]. It reads the cards, as far as there are not too many.
func (s *Source) Inspect(ctx context.Context) (source.Inspection, error) {
	found, err := s.inspect(ctx)
	if err != nil {
		return source.Inspection{}, fmt.Errorf("inspect source: %w", err)
	}
	return found, nil
}

func (s *Source) inspect(ctx context.Context) (source.Inspection, error) {
	if err := ctx.Err(); err != nil {
		return source.Inspection{}, err
	}
	l, err := fly(ctx, s.account, "inspect", func(ctx context.Context) (looked, error) {
		books, err := s.account.books(ctx)
		if err != nil {
			return looked{}, err
		}
		b, err := s.account.begin(ctx, "", nil)
		return looked{books, b}, err
	})
	if err != nil {
		return source.Inspection{}, err
	}
	i := &inspector{source: s, books: l.books, begun: l.begun, cards: vcard.NewReader(s.factory.texts), uids: map[string]string{}, used: map[int]bool{}}
	if err := i.scan(ctx); err != nil {
		return source.Inspection{}, err
	}
	problems := i.problems()
	source.SortProblems(problems)
	return source.Inspection{
		Mapping: record.Mapping("the card's path", s.factory.mapper.Columns()), Facts: i.facts(), Problems: problems, Unused: i.unused(),
	}, nil
}

// A looked is what an inspection begins with.
type looked struct {
	books []book
	begun begun
}

// An inspector counts what is wrong with cards.
type inspector struct {
	source *Source
	books  []book
	begun  begun
	cards  *vcard.Reader
	row    record.Row

	seen   int // entries, whatever became of them
	groups int
	wrong  finds
	strays finds
	twice  finds
	uids   map[string]string // the path of the first card of a UID
	used   map[int]bool      // columns that some card has
}

// finds are cards of which something is to be said: how many, and the first few.
type finds struct {
	n     int
	paths []string
}

func (f *finds) add(path string) {
	if f.n++; f.n <= 5 {
		f.paths = append(f.paths, path)
	}
}

// that returns a sentence about the cards.
func (f *finds) that(one, many string) string {
	more := ""
	if f.n > len(f.paths) {
		more = " and more"
	}
	if f.n == 1 {
		return "1 card " + one + " (" + f.paths[0] + ")"
	}
	return fmt.Sprintf("%d cards %s (%s%s)", f.n, many, strings.Join(f.paths, ", "), more)
}

// scan reads the cards, as long as there is time.
func (i *inspector) scan(ctx context.Context) error {
	entries, late := i.begun.entries, halfOf(ctx)
	ctx, cancel := context.WithCancel(ctx)
	p := &pipeline{ctx: ctx, account: i.source.account, left: entries[:min(len(entries), mostInspected)]}
	defer p.wait()
	defer cancel()
	for p.start(-1); ; p.start(-1) {
		batch, err := p.next()
		if err != nil || len(batch) == 0 {
			return err
		}
		p.start(-1)
		for n := range batch {
			i.look(&batch[n])
		}
		i.seen += len(batch)
		select {
		case <-late:
			return nil
		default:
		}
	}
}

// look looks at a card.
func (i *inspector) look(f *fetched) {
	if f.absent {
		return
	}
	if f.wrong != "" {
		i.wrong.add(f.path + ": " + f.wrong)
		return
	}
	card := i.cards.Read(f.card)
	switch {
	case card.Group:
		i.groups++
		return
	case card.Wrong != "":
		i.wrong.add(f.path + ": " + card.Wrong)
		return
	}
	if card.Strays {
		i.strays.add(f.path)
	}
	i.row.Start(f.path, false)
	if err := i.source.factory.mapper.Fill(&i.row, card.Values); err != nil {
		i.wrong.add(f.path + ": " + err.Error())
		return
	}
	for column, value := range card.Values {
		if len(value) > 0 {
			i.used[column] = true
		}
	}
	if uid := string(vcard.UID(card.Values)); uid != "" {
		if first, there := i.uids[uid]; there {
			i.twice.add(f.path + " and " + first)
		} else {
			i.uids[uid] = f.path
		}
	}
}

// unused lists the columns that have values and go nowhere.
func (i *inspector) unused() []string {
	var list []string
	for _, column := range i.source.factory.mapper.Unused() {
		if i.used[column] {
			list = append(list, i.cards.Columns()[column])
		}
	}
	return list
}

func (i *inspector) facts() []source.Fact {
	var facts []source.Fact
	for _, b := range i.books {
		n := 0
		for _, e := range i.begun.entries {
			if strings.HasPrefix(e.path, b.path) {
				n++
			}
		}
		cards := fmt.Sprintf("%d cards", n)
		if n == 1 {
			cards = "1 card"
		}
		facts = append(facts, source.Fact{Name: "address book", Value: fmt.Sprintf("%s (%s), %s", b.path, b.name, cards)})
	}
	facts = append(facts,
		source.Fact{Name: "order", Value: "by the path of the card"},
		source.Fact{Name: "changes", Value: i.changes()},
	)
	return facts
}

// changes says how runs know of changes.
func (i *inspector) changes() string {
	digests := 0
	for _, m := range i.begun.state {
		if m.mode == byDigest {
			digests++
		}
	}
	switch {
	case digests == len(i.begun.state):
		return "the server does not name them: when an address book has changed, all of them are read, and what is no longer there is gone"
	case digests > 0:
		return fmt.Sprintf("the server does not name those of %d address books: when one of them has changed, all are read", digests)
	}
	return "exact: the server names what was changed and what is gone since its sync-token"
}

func (i *inspector) problems() []source.Problem {
	var list []source.Problem
	add := func(severity source.Severity, code, message, hint string) {
		list = append(list, source.Problem{Severity: severity, Code: code, Message: message, Hint: hint})
	}
	if i.wrong.n > 0 {
		add(source.Warning, "unreadable", i.wrong.that("cannot be read, and is left out", "cannot be read, and are left out"), "Correct them in the address book, or remove them.")
	}
	if i.strays.n > 0 {
		add(source.Note, "unreadable_lines", i.strays.that("has lines that are no properties: they are left out", "have lines that are no properties: they are left out"), "Save the card again with the program that shows it.")
	}
	if i.twice.n > 0 {
		add(source.Note, "same_uid", i.twice.that("has the UID of another one", "have the UID of another one")+": each is a contact of its own", "Remove the copies that are not wanted, or name in books the address books that are.")
	}
	if i.groups == 1 {
		add(source.Note, "groups_left_out", "1 card is a group of others and is left out", "Nothing: the members of a group are cards of their own.")
	} else if i.groups > 1 {
		add(source.Note, "groups_left_out", fmt.Sprintf("%d cards are groups of others and are left out", i.groups), "Nothing: the members of a group are cards of their own.")
	}
	if n := len(i.begun.entries); n > i.seen {
		add(source.Note, "not_all_read", fmt.Sprintf("only the first %d of %d cards were looked at", i.seen, n), "Nothing: a run reads all of them.")
	}
	if i.source.account.unencrypted() {
		add(source.Warning, "unencrypted", "the password is sent over a connection that is not encrypted", "Begin url with https://, or use it only within a network of your own.")
	}
	return list
}
