package carddav

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/proposal"
	"github.com/contactbridge/contactbridge/source"
)

// setup says how the address books of a server are set up by contactbridge init.
func setup() *source.Setup {
	return &source.Setup{Questions: source.Fixed(
		source.Question{
			Key: "url", Title: "Address of the server", Help: "Its CardDAV address, as its documentation has it, or only the host: the address books are found by themselves.",
			Example: "https://dav.example.com/", Check: checkAddress,
		},
		source.Question{Key: "username", Title: "User", Example: "alice", Optional: true},
		source.Question{
			Key: "password", Title: "Password of the user", Help: "Where the server has passwords for apps, make one.", Secret: true, Optional: true,
		},
	), Look: look}
}

func checkAddress(answer string) error {
	url, err := source.ParseTemplate(answer)
	if err != nil {
		return err
	}
	f, err := New(Config{URL: url}, source.Deps{})
	if err != nil {
		return err
	}
	return f.Close()
}

// look lists the user's address books with the numbers of their cards.
func look(ctx context.Context, answers source.Answers, deps source.Deps) (found proposal.Inventory, err error) {
	found = proposal.Inventory{Noun: "address book", Key: "books", Many: true}
	var cfg Config
	for key, to := range map[string]*source.Template{"url": &cfg.URL, "username": &cfg.Username, "password": &cfg.Password} {
		if *to, err = source.ParseTemplate(answers[key]); err != nil {
			return found, &source.ConfigError{Key: key, Message: key + " has {{ in it", Hint: "Write it without.", Err: err}
		}
	}
	f, err := New(cfg, deps)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	src, err := f.Open(ctx, bridge.Auth{})
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	a := src.(*Source).account
	books, err := a.allBooks(ctx)
	if err != nil {
		return found, err
	}
	for _, b := range books {
		t := proposal.Thing{Name: b.path, Title: fmt.Sprintf("%s (%s)", b.name, b.path), Rows: -1, Ready: true, Score: 100, Why: "it is an address book of the user"}
		n, err := a.countCards(ctx, b)
		switch {
		case errors.Is(err, errManyCards):
			t.Why = "it is an address book of the user, with so many cards that the server takes long to list them"
		case err == nil:
			t.Rows = int64(n)
			if n == 0 {
				t.Score, t.Why = 50, "it is empty"
			}
		case ctx.Err() != nil:
			return found, ctx.Err()
		default:
			found.Problems = append(found.Problems, proposal.Problem{Message: fmt.Sprintf("the cards of %s cannot be listed: %v", b.path, a.bookError(err))})
		}
		found.Things = append(found.Things, t)
	}
	if a.unencrypted() {
		found.Problems = append(found.Problems, proposal.Problem{Message: "the password goes over a connection that is not encrypted", Hint: "Begin url with https://."})
	}
	return found, nil
}

// errManyCards says that the cards were not counted.
var errManyCards = errors.New("the server takes long to list the cards")

// countCards lists a book's cards, for a part of the time that is left: whether there are many is worth no failure.
func (a *account) countCards(ctx context.Context, b book) (int, error) {
	counting := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		counting, cancel = context.WithTimeout(ctx, time.Until(deadline)/3)
		defer cancel()
	}
	_, entries, err := a.markWhole(counting, b)
	if err != nil && counting.Err() != nil && ctx.Err() == nil {
		return 0, errManyCards
	}
	return len(entries), err
}
