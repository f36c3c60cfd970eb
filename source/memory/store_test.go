package memory_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/source/sourcetest"
)

// fixedClock shows what the test sets.
type fixedClock struct {
	clock.System
	now time.Time
}

func (c *fixedClock) Now() time.Time { return c.now }

// read reads a whole run.
func read(t *testing.T, src bridge.Source, since bridge.Checkpoint) (changes []bridge.Change, checkpoint bridge.Checkpoint) {
	t.Helper()
	run, err := src.Begin(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	var at bridge.Position
	for c, err := range src.Read(t.Context(), run, nil, 0) {
		if err != nil {
			t.Fatal(err)
		}
		at = append(at[:0], c.Position...)
		c.Position = nil
		changes = append(changes, c)
	}
	return changes, src.Checkpoint(run, at, true)
}

func ids(changes []bridge.Change) string {
	var list []string
	for _, c := range changes {
		id := c.Contact.ID
		if c.Deleted {
			id = "-" + id
		}
		list = append(list, id)
	}
	return strings.Join(list, " ")
}

// E2: with what is stamped in the very moment of the horizon, and with a clock that goes back (T13).
func TestHorizonIsBeforeEveryStampToCome(t *testing.T) {
	clock := &fixedClock{now: time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)}
	store := memory.NewStore(clock)
	store.Put(contact.Contact{ID: "a"})
	src := store.Source()
	_, checkpoint := read(t, src, "")
	store.Put(contact.Contact{ID: "b"}) // in the same microsecond
	changes, checkpoint := read(t, src, checkpoint)
	if got := ids(changes); got != "a b" {
		t.Errorf("read %s; a is delivered twice, b must not be missed", got)
	}
	clock.now = clock.now.Add(-time.Hour)
	store.Put(contact.Contact{ID: "c"})
	changes, checkpoint = read(t, src, checkpoint)
	if got := ids(changes); got != "a b c" {
		t.Errorf("after the clock went back: read %s", got)
	}
	clock.now = clock.now.Add(2 * time.Hour)
	_, checkpoint = read(t, src, checkpoint)
	if changes, _ := read(t, src, checkpoint); len(changes) > 0 {
		t.Errorf("an hour later: read %s", ids(changes))
	}
}

func TestTransactionIsSeenWholeOrNotAtAll(t *testing.T) {
	clock := &fixedClock{now: time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)}
	store := memory.NewStore(clock)
	store.Put(contact.Contact{ID: "a", Name: "A"}, contact.Contact{ID: "b", Name: "B"})
	clock.now = clock.now.Add(time.Second) // two transactions of one microsecond would have one stamp
	tx := store.Begin()
	tx.Put(contact.Contact{ID: "c"})
	tx.Delete("a")
	tx.Delete("nobody")
	if changes, _ := read(t, store.Source(), ""); ids(changes) != "a b" {
		t.Errorf("before the commit: %s", ids(changes))
	}
	tx.Commit()
	changes, _ := read(t, store.Source(), "")
	if ids(changes) != "b -a c" || changes[1].Contact.Name != "A" {
		t.Errorf("after the commit: %s, %+v", ids(changes), changes)
	}
	gone := store.Begin()
	gone.Put(contact.Contact{ID: "d"})
	gone.Rollback()
	gone.Commit() // it has ended
	tx.Commit()
	if changes, _ := read(t, store.Source(), ""); ids(changes) != "b -a c" {
		t.Errorf("after a rollback: %s", ids(changes))
	}
}

func TestStoreKeepsItsOwnCopy(t *testing.T) {
	store := memory.NewStore(nil)
	phones := []string{"1"}
	store.Put(contact.Contact{ID: "a", Phones: phones})
	phones[0] = "2"
	if changes, _ := read(t, store.Source(), ""); changes[0].Contact.Phones[0] != "1" {
		t.Error("the store's contact changed with the caller's")
	}
}

const example = `
contacts:
  - id: 007
    name: Jane Doe
    title: CTO
    company: Example Corp.
    emails: jane@example.com
    phones: [0151234, "+1 415 555 0100"]
    custom_fields: {Plan: gold, Customer since: 2019}
    updated: 2024-05-01T10:00:00+02:00
  - id: b
    name: Bob
    updated: 2024-05-02
  - id: c
    updated: 2024-05-02 12:00:00
    deleted: true
`

func newFactory(t *testing.T, text string) (source.Factory, error) {
	t.Helper()
	var cfg memory.Config
	if err := yaml.Load([]byte(text), &cfg, yaml.WithKnownFields()); err != nil {
		t.Fatal(err)
	}
	return memory.New(cfg, source.Deps{})
}

func open(t *testing.T, text string) bridge.Source {
	t.Helper()
	factory, err := newFactory(t, text)
	if err != nil {
		t.Fatal(err)
	}
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestContactsOfAConfiguration(t *testing.T) {
	src := open(t, example)
	changes, checkpoint := read(t, src, "")
	want := []bridge.Change{
		{Contact: contact.Contact{
			ID: "007", Name: "Jane Doe", Title: "CTO", Company: "Example Corp.", Emails: []string{"jane@example.com"},
			Phones:       []string{"0151234", "+1 415 555 0100"},
			CustomFields: []contact.CustomField{{Key: "Plan", Value: "gold"}, {Key: "Customer since", Value: "2019"}},
		}},
		{Contact: contact.Contact{ID: "b", Name: "Bob"}},
		{Contact: contact.Contact{ID: "c"}, Deleted: true},
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Error(diff)
	}
	// Someone edits the file and starts the bridge again.
	edited := open(t, strings.Replace(example, "name: Bob\n    updated: 2024-05-02", "name: Bob B.\n    updated: 2024-05-03", 1))
	changes, _ = read(t, edited, checkpoint)
	if got := ids(changes); !strings.Contains(got, "b") || strings.Contains(got, "007") {
		t.Errorf("after an edit: %s", got)
	}
}

func TestContactsWithoutStampsAreSentWholeWhenTheyChange(t *testing.T) {
	src := open(t, "contacts: [{id: a, name: A}, {id: b, name: B}]")
	changes, checkpoint := read(t, src, "")
	if ids(changes) != "a b" {
		t.Errorf("initial run: %s", ids(changes))
	}
	if changes, again := read(t, open(t, "contacts: [{id: b, name: B}, {id: a, name: A}]"), checkpoint); len(changes) > 0 || again != checkpoint {
		t.Errorf("unchanged: %s, %s", ids(changes), again)
	}
	for _, edited := range []string{"contacts: [{id: a, name: A}, {id: b, name: C}]", "contacts: [{id: a, name: A}, {id: b, name: B, deleted: true}]"} {
		if changes, again := read(t, open(t, edited), checkpoint); len(changes) != 2 || again == checkpoint {
			t.Errorf("%s: %s, %s", edited, ids(changes), again)
		}
	}
	_, err := src.Begin(t.Context(), "2024-05-01T10:00:00.000000Z")
	if bridge.CodeOf(err) != bridge.CodeInvalidCheckpoint {
		t.Errorf("a foreign checkpoint: %v", err)
	}
}

func TestConfigurationProblemsAreFoundAtOnce(t *testing.T) {
	_, err := newFactory(t, "contacts: [{id: a}, {name: x}, {id: a}, {id: b, updated: yesterday}]")
	if err == nil {
		t.Fatal("taken")
	}
	text := sourcetest.ConfigText(err)
	for _, word := range []string{"contacts[1].id is missing", `contacts[2].id cannot be "a": contacts[0] has it`, `contacts[3].updated cannot be "yesterday"`} {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
	if _, err := newFactory(t, "contacts: []"); err == nil {
		t.Error("no contacts were taken")
	}
}

func TestInspectCountsContactsWithoutStamp(t *testing.T) {
	src := open(t, "contacts: [{id: a, updated: 2024-05-01}, {id: b}]")
	i, err := src.(source.Inspector).Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(i.Problems) != 1 || i.Problems[0].Code != "null_updated" || i.Facts[0].Value != "2" {
		t.Errorf("got %+v", i)
	}
}
