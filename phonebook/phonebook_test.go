package phonebook_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/emersion/go-vcard"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/phonebook"
)

var key = directory.Key{Account: "acme", Integration: "crm"}

// open returns a phonebook of contacts.
func open(t *testing.T, c phonebook.Config, contacts ...contact.Contact) (*phonebook.Book, directory.Store) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Memory, sqlite.WithJudges(phonebook.Judges))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	c.Name, c.Account = "desk", "acme"
	if err := store.SetBooks(t.Context(), phonebook.Declared([]phonebook.Config{c})); err != nil {
		t.Fatal(err)
	}
	add(t, store, contacts...)
	for more := true; more; {
		if more, err = store.FillBooks(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	set := phonebook.NewSet([]phonebook.Config{c}, func(context.Context, string) (phonebook.Access, error) {
		return phonebook.Access{Store: store, Region: "DE", Called: func(context.Context) ([]directory.Ref, error) {
			return []directory.Ref{{Integration: "crm", ID: "c31"}, {Integration: "crm", ID: "gone"}, {Integration: "crm", ID: "c07"}}, nil
		}}, nil
	})
	return set.Find("desk"), store
}

func add(t *testing.T, store directory.Store, contacts ...contact.Contact) {
	t.Helper()
	run, err := store.StartRun(t.Context(), key, directory.Start{})
	if err != nil {
		t.Fatal(err)
	}
	page := directory.PageChanges{Seq: 1, Checkpoint: "c"}
	for _, c := range contacts {
		page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: caller.Numbers(c.Phones, "DE")})
	}
	if err := store.ApplyPage(t.Context(), run, page); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, b *phonebook.Book) *phonebook.View {
	t.Helper()
	v, err := b.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNumbersAreWrittenInTheFormat(t *testing.T) {
	for _, c := range []struct {
		n                            phonebook.Numbers
		own, foreign, mobile, office string
	}{
		{phonebook.Numbers{Format: phonebook.E164, Region: "DE"}, "+493023125101", "+442079460018", "+4917139200001", "101"},
		{phonebook.Numbers{Format: phonebook.Digits, Region: "DE"}, "493023125101", "442079460018", "4917139200001", "101"},
		{phonebook.Numbers{Format: phonebook.IDD, Region: "DE"}, "00493023125101", "00442079460018", "004917139200001", "101"},
		{phonebook.Numbers{Format: phonebook.IDD, Region: "US"}, "011493023125101", "011442079460018", "0114917139200001", "101"},
		{phonebook.Numbers{Format: phonebook.National, Region: "DE"}, "03023125101", "00442079460018", "017139200001", "101"},
		{phonebook.Numbers{Format: phonebook.National, Region: "GB", OutsidePrefix: "9"}, "900493023125101", "902079460018", "9004917139200001", "101"},
		{phonebook.Numbers{Format: phonebook.Local, Region: "DE", Area: "030", OutsidePrefix: "0"}, "023125101", "000442079460018", "0017139200001", "101"},
		{phonebook.Numbers{Format: phonebook.Raw, Region: "DE"}, "030 / 23125-101", "020 7946 0018", "0171 392 00001", "int. 101"},
	} {
		got := []string{
			c.n.Write("+493023125101", "493023125101", "030 / 23125-101"), c.n.Write("+442079460018", "442079460018", "020 7946 0018"),
			c.n.Write("+4917139200001", "4917139200001", "0171 392 00001"), c.n.Write("", "101", "int. 101"),
		}
		if want := []string{c.own, c.foreign, c.mobile, c.office}; !slices.Equal(got, want) {
			t.Errorf("%+v writes %q, want %q", c.n, got, want)
		}
	}
}

func TestANumberIsFoundInEverySpelling(t *testing.T) {
	b, _ := open(t, phonebook.Config{Numbers: phonebook.Numbers{Format: phonebook.National, OutsidePrefix: "0", Area: "030"}},
		contact.Contact{ID: "a", Name: "Anna Müller", Phones: []string{"030 / 23125-101", "+49 171 39200001"}},
		contact.Contact{ID: "b", Name: "Bob", Phones: []string{"+1 415 555 0123", "4711"}})
	v := view(t, b)
	for number, want := range map[string]string{
		"03023125101": "Anna Müller", "003023125101": "Anna Müller", "00493023125101": "Anna Müller", "+493023125101": "Anna Müller", "493023125101": "Anna Müller",
		"030 23125-101": "Anna Müller", "23125101": "Anna Müller", "tel:+493023125101": "Anna Müller", "sip:03023125101@pbx.example.com;user=phone": "Anna Müller",
		"+49 (0)30 23125101": "Anna Müller", "0171 39200001": "Anna Müller", "00171 39200001": "Anna Müller",
		"0014155550123": "Bob", "00014155550123": "Bob", "4711": "Bob",
		"03023125102": "", "anonymous": "", "": "", "unknown": "", "1": "",
	} {
		found, err := v.Number(t.Context(), number, 10)
		got := ""
		if len(found) > 0 {
			got = found[0].Name
		}
		if err != nil || got != want || len(found) > 1 {
			t.Errorf("%q finds %q, %v; want %q", number, got, err, want)
		}
	}
}

func TestTheSpellingThatWasAskedForIsInTheAnswer(t *testing.T) {
	b, _ := open(t, phonebook.Config{Numbers: phonebook.Numbers{Format: phonebook.E164}}, contact.Contact{ID: "a", Name: "Anna", Phones: []string{"+4917139200001", "+493023125101"}})
	v := view(t, b)
	for _, asked := range []string{"03023125101", "00493023125101", "23125101"} {
		found, err := v.Number(t.Context(), asked, 1)
		if err != nil || len(found) != 1 {
			t.Fatalf("%+v, %v", found, err)
		}
		found[0].Ask(v.Numbers, asked)
		if got := []string{found[0].Numbers[0].Dial, found[0].Numbers[1].Dial}; !slices.Equal(got, []string{"+4917139200001", asked}) {
			t.Errorf("asked for %s, the numbers are %q", asked, got)
		}
	}
}

func TestNamesAreParted(t *testing.T) {
	for name, want := range map[string][2]string{
		"Anna Müller": {"Anna", "Müller"}, "Müller, Anna": {"Anna", "Müller"}, "Bob O'Neil (Ops)": {"Bob", "O'Neil (Ops)"}, "Jan van der Berg": {"Jan", "van der Berg"},
		"Martin Luther King Jr.": {"Martin Luther", "King Jr."}, "King, Jr.": {"", "King, Jr."}, "Zoë": {"", "Zoë"}, "": {"", ""}, "van Berg": {"van", "Berg"},
		"  Anna \t\n Müller\x00 ": {"Anna", "Müller"}, ", Anna": {"", "Anna"}, "(Ops)": {"", "(Ops)"},
	} {
		if given, family := phonebook.Split(name); [2]string{given, family} != want {
			t.Errorf("%q is %q and %q, want %q", name, given, family, want)
		}
	}
}

func TestWhereSaysWhoIsInIt(t *testing.T) {
	people := []contact.Contact{
		{ID: "a", Name: "Anna", Company: "Berg & Tal"},
		{ID: "b", Name: "Bob", Emails: []string{"bob@example.com"}, CustomFields: []contact.CustomField{{Key: "plan", Value: "gold"}}},
		{ID: "c", Name: "Cid", Title: "Head of Sales", Phones: []string{"+493023125101", "+493023125102"}},
	}
	for where, want := range map[string]string{
		"":                                 "abc",
		"company != ''":                    "a",
		`company != ""`:                    "a",
		"not company":                      "bc",
		"company":                          "a",
		"emails":                           "b",
		`custom_fields.plan == "gold"`:     "b",
		`title contains "Sales"`:           "c",
		`integration == "crm" and company`: "a",
		`integration == "other"`:           "",
		`id in ["a", "c"]`:                 "ac",
	} {
		b, _ := open(t, phonebook.Config{Where: where}, people...)
		var got strings.Builder
		if err := view(t, b).All(t.Context(), func(e *phonebook.Entry) error { got.WriteString(e.ID); return nil }); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("%s holds %q, want %q", where, got.String(), want)
		}
	}
	for where, want := range map[string]string{"compny != ''": "compny", "company ==": "ends too early", "1 == 1": "column", "": ""} {
		err := phonebook.CheckExpression(where)
		if where != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want something about %q", where, err, want)
		}
	}
}

func TestChosenEntriesArePreferredOnesThenThoseOfTheRule(t *testing.T) {
	var people []contact.Contact
	for n := range 40 {
		c := contact.Contact{ID: fmt.Sprintf("c%02d", n), Name: fmt.Sprintf("Person %02d", n), Phones: []string{fmt.Sprintf("+4930231251%02d", n)}}
		if n >= 38 {
			c.Company = "VIP"
		}
		people = append(people, c)
	}
	chosen := func(c phonebook.HTTP, most int) (ids []string, leftOut int64) {
		b, store := open(t, phonebook.Config{HTTP: &c}, people...)
		changed := people[20]
		changed.Title = "Boss"
		add(t, store, changed)
		v := view(t, b)
		if err := v.ReadCalled(t.Context()); err != nil {
			t.Fatal(err)
		}
		leftOut, err := v.Choose(t.Context(), most, func(e *phonebook.Entry) (bool, error) { ids = append(ids, e.ID); return true, nil })
		if err != nil {
			t.Fatal(err)
		}
		return ids, leftOut
	}
	for _, c := range []struct {
		rule phonebook.HTTP
		want []string
	}{
		{phonebook.HTTP{}, []string{"c00", "c01", "c02"}},
		{phonebook.HTTP{First: phonebook.FirstByChange}, []string{"c20", "c39", "c38"}},
		{phonebook.HTTP{First: phonebook.FirstByCall}, []string{"c31", "c07", "c00"}},
		{phonebook.HTTP{Prefer: `company == "VIP"`, First: phonebook.FirstByCall}, []string{"c38", "c39", "c31"}},
		{phonebook.HTTP{Prefer: `company == "VIP"`}, []string{"c38", "c39", "c00"}},
		{phonebook.HTTP{Prefer: `company == "VIP"`, First: phonebook.FirstByChange}, []string{"c39", "c38", "c20"}},
	} {
		if got, leftOut := chosen(c.rule, 3); !slices.Equal(got, c.want) || leftOut != 37 {
			t.Errorf("%+v chooses %q and leaves out %d, want %q and 37", c.rule, got, leftOut, c.want)
		}
	}
	if got, leftOut := chosen(phonebook.HTTP{Prefer: `company == "VIP"`}, 100); len(got) != 40 || leftOut != 0 {
		t.Errorf("with room for all %d are chosen, and %d are left out", len(got), leftOut)
	}
}

func TestBookIsNotShownBeforeItIsFilled(t *testing.T) {
	b, store := open(t, phonebook.Config{Where: "company"}, contact.Contact{ID: "a", Name: "Anna", Company: "Berg"})
	if err := store.SetBooks(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(t.Context()); !errors.Is(err, phonebook.ErrNotFilled) {
		t.Errorf("a phonebook that nobody declared: %v", err)
	}
}

// What is dialled for a number that the numbering plan does not know is not known: it stays as the external service has it.
func TestNumbersThatAreNotInThePlanCanBeDialled(t *testing.T) {
	for raw, want := range map[string]string{"07700 900311": "07700900311", "+44 7700 900311": "+447700900311", "(07700) 900-311": "07700900311", "0700 FLOWER1": "07003569371"} {
		for _, format := range []phonebook.Format{phonebook.E164, phonebook.Digits, phonebook.IDD, phonebook.National, phonebook.Local} {
			n := phonebook.Numbers{Format: format, Region: "GB", OutsidePrefix: "9"}
			if got := n.Write("", "07003569371", raw); got != want {
				t.Errorf("%s as %s is %s, want %s", raw, format, got, want)
			}
		}
	}
}

func TestACompanyHasNoGivenName(t *testing.T) {
	b, _ := open(t, phonebook.Config{}, contact.Contact{ID: "1", Name: "Fire*Works (UK) \\ Sons", Company: "Fire*Works (UK) \\ Sons", Phones: []string{"+442079460018"}})
	entries, err := view(t, b).Page(t.Context(), "", 0, 10)
	if err != nil || len(entries) != 1 || entries[0].Given != "" || entries[0].Family != entries[0].Name || !entries[0].IsCompany() {
		t.Errorf("%+v, %v", entries, err)
	}
}

func TestEntriesAreWhatTelephonesShow(t *testing.T) {
	b, _ := open(t, phonebook.Config{Numbers: phonebook.Numbers{Format: phonebook.National}},
		contact.Contact{ID: "1", Name: "Anna\r\nMu\u0308ller\u202e", Company: "Berg & Tal GmbH", Phones: []string{"+4917139200001", "030 / 23125-101", "03023125101"}},
		contact.Contact{ID: "2", Company: "Zeta*Soft"}, contact.Contact{ID: "3", Name: "Zeta", Company: "Zeta"})
	entries, err := view(t, b).Page(t.Context(), "", 0, 10)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%+v, %v", entries, err)
	}
	anna, soft, zeta := entries[0], entries[2], entries[1]
	if anna.Name != "Anna Müller" || anna.Family != "Müller" || len(anna.Numbers) != 2 || anna.Numbers[0].Kind != phonebook.Mobile || anna.Numbers[1].Dial != "03023125101" {
		t.Errorf("%+v", anna)
	}
	if soft.Name != "Zeta*Soft" || soft.Family != "Zeta*Soft" || soft.Company != "" || !soft.IsCompany() || !zeta.IsCompany() {
		t.Errorf("%+v, %+v", soft, zeta)
	}
}

func TestCardsAreReadAgain(t *testing.T) {
	long := strings.Repeat("Müller; und, Söhne\\ ", 20)
	b, _ := open(t, phonebook.Config{}, contact.Contact{
		ID: "1", Name: "Anna " + long, Company: long, Title: "Head; of, Sales", Emails: []string{"anna@example.com"}, Phones: []string{"+4917139200001", "+493023125101"}, Address: "Weg 1, Berlin",
	})
	entries, err := view(t, b).Page(t.Context(), "", 0, 1)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	text := string(phonebook.AppendCard(nil, &entries[0]))
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") || !utf8.ValidString(line) {
			t.Errorf("the line %q has %d bytes", line, len(line))
		}
	}
	card, err := vcard.NewDecoder(strings.NewReader(text)).Decode()
	if err != nil {
		t.Fatal(err)
	}
	unescaped := func(field string) string { return strings.ReplaceAll(card.Value(field), `\;`, ";") } // the library leaves that
	if got := unescaped(vcard.FieldFormattedName); got != entries[0].Name {
		t.Errorf("the name is %q, want %q", got, entries[0].Name)
	}
	if got := card.Values(vcard.FieldTelephone); !slices.Equal(got, []string{"+4917139200001", "+493023125101"}) {
		t.Errorf("the numbers are %q", got)
	}
	if got := unescaped(vcard.FieldTitle); got != "Head; of, Sales" {
		t.Errorf("the title is %q", got)
	}
}
