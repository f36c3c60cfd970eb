package caller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
)

const account = "acme"

// A counted store counts the questions that reach it.
type counted struct {
	directory.Store
	questions int
}

func (c *counted) ByE164(ctx context.Context, account string, numbers []string, limit int) ([]directory.Match, error) {
	c.questions += len(numbers)
	return c.Store.ByE164(ctx, account, numbers, limit)
}

func (c *counted) BySuffix(ctx context.Context, account, digits string, limit int) ([]directory.Match, error) {
	c.questions++
	return c.Store.BySuffix(ctx, account, digits, limit)
}

func newStore(t testing.TB) *counted {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "contacts.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &counted{Store: store}
}

// A person is a contact with the numbers that it has.
type person struct {
	id     string
	phones []string
}

// fill stores persons as one complete run of an integration with numbers of region.
func fill(t testing.TB, store directory.Store, integration, region string, persons ...person) {
	t.Helper()
	key := directory.Key{Account: account, Integration: integration}
	run, err := store.StartRun(t.Context(), key, directory.Start{Full: true, Lease: time.Minute, FreshFor: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	page := directory.PageChanges{Seq: 1}
	for _, p := range persons {
		c := contact.Contact{ID: p.id, Name: "Name of " + p.id, Company: "Example", URL: "https://crm.example.com/" + p.id, Phones: p.phones}
		page.Contacts = append(page.Contacts, directory.Record{Contact: c, Numbers: caller.Numbers(p.phones, region)})
	}
	if err := store.ApplyPage(t.Context(), run, page); err != nil {
		t.Fatal(err)
	}
}

func lookup(t testing.TB, store directory.Store, number, region string, opts caller.LookupOptions) caller.Answer {
	t.Helper()
	answer, err := caller.Lookup(t.Context(), store, account, number, region, opts)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// found lists an answer's matches as "how id".
func found(a caller.Answer) []string {
	list := []string{}
	for _, m := range a.Matches {
		list = append(list, fmt.Sprintf("%s %s", m.How, m.ID))
	}
	return list
}

func wantFound(t *testing.T, a caller.Answer, want ...string) {
	t.Helper()
	if got := found(a); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s: found %q, want %q", a.Number, got, want)
	}
}

func TestAMatchNamesTheContactInTheExternalService(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "US", person{"c-7", []string{"(415) 555-0100 x12"}})
	a := lookup(t, store, "+1 415 555 0100", "", caller.LookupOptions{})
	if a.E164 != "+14155550100" || a.Region != "US" || a.Withheld || len(a.Matches) != 1 {
		t.Fatalf("answer %+v", a)
	}
	m := a.Matches[0]
	if m.How != caller.Exact || m.Agree != 11 || m.Integration != "crm" || m.ID != "c-7" || m.Name != "Name of c-7" || m.Company != "Example" ||
		m.URL != "https://crm.example.com/c-7" || m.Number != "(415) 555-0100 x12" || m.E164 != "+14155550100" || m.Extension != "12" {
		t.Errorf("match %+v", m)
	}
}

func TestAKnownNumberIsOneQuestionToTheStore(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "US", person{"1", []string{"(415) 555-0100"}})
	wantFound(t, lookup(t, store, "415-555-0100", "US", caller.LookupOptions{}), "exact 1")
	if store.questions != 1 {
		t.Errorf("%d questions", store.questions)
	}
}

func TestExactBeforeNationalBeforeSuffix(t *testing.T) {
	store := newStore(t)
	fill(t, store, "abroad", "", person{"national", []string{"0711 2842222"}})
	fill(t, store, "local", "FR", person{"suffix", []string{"2842222"}}, person{"longer", []string{"0049-x 11 284 22 22"}})
	fill(t, store, "z", "DE", person{"exact", []string{"0711/2842222"}})
	a := lookup(t, store, "+49 711 2842222", "", caller.LookupOptions{All: true})
	wantFound(t, a, "exact exact", "national national", "suffix longer", "suffix suffix")
	wantFound(t, lookup(t, store, "+49 711 2842222", "", caller.LookupOptions{}), "exact exact")
}

func TestTiesGoByIntegrationThenID(t *testing.T) {
	store := newStore(t)
	fill(t, store, "b", "US", person{"1", []string{"(415) 555-0100"}})
	fill(t, store, "a", "US", person{"9", []string{"(415) 555-0100"}}, person{"10", []string{"4155550100"}})
	wantFound(t, lookup(t, store, "+14155550100", "", caller.LookupOptions{}), "exact 10", "exact 9", "exact 1")
}

func TestTheSameExtensionComesFirst(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "US",
		person{"a", []string{"(415) 555-0100 x34"}}, person{"b", []string{"(415) 555-0100"}}, person{"c", []string{"(415) 555-0100 ext. 12"}})
	wantFound(t, lookup(t, store, "+14155550100 x12", "", caller.LookupOptions{}), "exact c", "exact b", "exact a")
	wantFound(t, lookup(t, store, "+14155550100", "", caller.LookupOptions{}), "exact b", "exact a", "exact c")
}

func TestAContactStandsOnceByItsBestNumber(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "US", person{"1", []string{"555-0100", "(415) 555-0100 x9", "(415) 555-0100"}})
	a := lookup(t, store, "+14155550100", "", caller.LookupOptions{All: true})
	wantFound(t, a, "exact 1")
	if a.Matches[0].Number != "(415) 555-0100" {
		t.Errorf("by %q", a.Matches[0].Number)
	}
}

func TestASwitchboardIsCutAtTheLimitAndCounted(t *testing.T) {
	store := newStore(t)
	var staff []person
	for i := range 57 {
		staff = append(staff, person{fmt.Sprintf("%03d", i), []string{"+49 711 2842222"}})
	}
	fill(t, store, "crm", "", staff...)
	a := lookup(t, store, "+497112842222", "", caller.LookupOptions{})
	if len(a.Matches) != 10 || a.More != 47 || a.Matches[9].ID != "009" {
		t.Errorf("%d matches, %d more", len(a.Matches), a.More)
	}
	a = lookup(t, store, "+497112842222", "", caller.LookupOptions{Limit: 50})
	if len(a.Matches) != 50 || a.More != 7 {
		t.Errorf("%d matches, %d more", len(a.Matches), a.More)
	}
}

func TestANumberWithoutItsCountryCodeIsFoundAsNational(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "", person{"stored-national", []string{"0711 2842222"}}, person{"stored-full", []string{"+44 20 7946 0958"}},
		person{"island", []string{"201234"}})
	wantFound(t, lookup(t, store, "+49 711 2842222", "", caller.LookupOptions{}), "national stored-national")
	wantFound(t, lookup(t, store, "020 7946 0958", "", caller.LookupOptions{}), "national stored-full")
	wantFound(t, lookup(t, store, "+298 201234", "", caller.LookupOptions{}), "national island")
	wantFound(t, lookup(t, store, "0711 2842222", "", caller.LookupOptions{}), "exact stored-national")
}

func TestALocalNumberIsFoundBySuffix(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "US", person{"full", []string{"(415) 555-0100"}}, person{"local", []string{"555-0199"}}, person{"six", []string{"550-123"}})
	a := lookup(t, store, "555-0100", "US", caller.LookupOptions{})
	wantFound(t, a, "suffix full")
	if a.E164 != "" || a.Matches[0].Agree != 7 {
		t.Errorf("answer %+v", a)
	}
	wantFound(t, lookup(t, store, "(415) 555-0199", "US", caller.LookupOptions{}), "suffix local")
	wantFound(t, lookup(t, store, "(415) 555-0123", "US", caller.LookupOptions{}))
	wantFound(t, lookup(t, store, "(415) 555-0123", "US", caller.LookupOptions{MinSuffix: 6}), "suffix six")
	wantFound(t, lookup(t, store, "555-0100", "US", caller.LookupOptions{MinSuffix: 8}))
}

func TestTheSameLastDigitsElsewhereAreSomebodyElse(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "US", person{"san francisco", []string{"(415) 555-0100"}})
	for _, number := range []string{"+1 212 555 0100", "+33 1 45 55 01 00", "+44 20 7555 0100", "+49 30 5550100"} {
		wantFound(t, lookup(t, store, number, "", caller.LookupOptions{}))
	}
}

func TestANumberReadInTheWrongCountryIsStillFound(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "DE", person{"american", []string{"(415) 555-0100"}}) // +49 4155 550100 is one, too
	wantFound(t, lookup(t, store, "+1 415 555 0100", "", caller.LookupOptions{}), "suffix american")
}

func TestAnArgentineMobileIsFoundWithAndWithoutIts9(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "AR", person{"mobile", []string{"011 15-2345-6789"}})
	wantFound(t, lookup(t, store, "+54 9 11 2345 6789", "", caller.LookupOptions{}), "exact mobile")
	wantFound(t, lookup(t, store, "+54 11 2345 6789", "", caller.LookupOptions{}), "renumbered mobile")
}

func TestAnInternalExtensionMatchesOnlyItself(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "DE", person{"desk", []string{"2041"}}, person{"city", []string{"+49 30 2652041"}}, person{"other", []string{"12041"}})
	wantFound(t, lookup(t, store, "2041", "DE", caller.LookupOptions{}), "exact desk")
	wantFound(t, lookup(t, store, "041", "DE", caller.LookupOptions{}))
	wantFound(t, lookup(t, store, "110", "DE", caller.LookupOptions{}))
}

func TestAnInvalidNumberIsFoundByItsDigits(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "US", person{"example", []string{"+1 555 555 0199"}}, person{"bare", []string{"4930 2655 0280"}})
	for _, number := range []string{"+15555550199", "(555) 555-0199", "1-555-555-0199"} {
		wantFound(t, lookup(t, store, number, "US", caller.LookupOptions{}), "exact example")
	}
	wantFound(t, lookup(t, store, "+49 30 26550280", "", caller.LookupOptions{}), "exact bare")
}

func TestAWithheldNumberIsNobodys(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "", person{"1", []string{"+266696687", "anonymous"}})
	for _, number := range []string{
		"", "  ", "anonymous", "Anonymous", "Restricted", "PRIVATE", "Unknown", "No Caller ID", "sip:anonymous@anonymous.invalid",
		`"Anonymous" <sip:anonymous@anonymous.invalid>`, "+266696687", "266696687", "+7378742833", "Unbekannt",
		"sip:unavailable@unknown.invalid", "sip:restricted@host", "sip:unknown@192.168.1.9", "restricted@10.0.0.1", "sip:@10.0.0.1",
		`"Unknown" <sip:unavailable@10.0.0.1;user=phone>`, "<sip:private@host>", "tel:anonymous;verstat=No-TN-Validation",
	} {
		a := lookup(t, store, number, "US", caller.LookupOptions{})
		if !a.Withheld || a.Matches == nil || len(a.Matches) > 0 || a.Note == "" {
			t.Errorf("%q: %+v", number, a)
		}
	}
	if store.questions > 0 {
		t.Errorf("%d questions", store.questions)
	}
	for _, number := range []string{"+14155550100", "2041", "1-800-FLOWERS", "Jane", "sip:jane@unknown.invalid", "sip:o@pbx", "+14155550100@anonymous.invalid", "sip:10.0.0.1"} {
		if caller.Withheld(number) {
			t.Errorf("%q is taken for a withheld number", number)
		}
	}
}

func TestWhatIsNoNumberIsNobodys(t *testing.T) {
	a := lookup(t, newStore(t), "ask Jane", "US", caller.LookupOptions{})
	if a.Withheld || a.Note == "" || a.Matches == nil || len(a.Matches) > 0 {
		t.Errorf("answer %+v", a)
	}
}

func TestAccountsDoNotSeeEachOther(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "US", person{"1", []string{"(415) 555-0100"}})
	a, err := caller.Lookup(t.Context(), store, "another", "+14155550100", "", caller.LookupOptions{All: true})
	if err != nil || len(a.Matches) > 0 {
		t.Errorf("answer %+v, %v", a, err)
	}
}

func TestAStoreThatFailsIsAnError(t *testing.T) {
	store := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, number := range []string{"+14155550100", "2041"} {
		if _, err := caller.Lookup(ctx, store, account, number, "", caller.LookupOptions{}); err == nil {
			t.Errorf("%s: no error", number)
		}
	}
	key := directory.Key{Account: account, Integration: "crm"}
	if _, err := caller.Attribute(ctx, store, key, caller.Subject{Number: "+14155550100"}); err == nil {
		t.Error("attribute: no error")
	}
}

func TestAnAnswerAsJSON(t *testing.T) {
	store := newStore(t)
	fill(t, store, "crm", "US", person{"1", []string{"(415) 555-0100"}})
	for number, want := range map[string]string{
		"+14155550100": `{"number":"+14155550100","e164":"+14155550100","region":"US","reason":"exact",` +
			`"named":{"name":"Name of 1","company":"Example","integration":"crm","id":"1","url":"https://crm.example.com/1","by":"only"},` +
			`"matches":[{"how":"exact","agree":11,"integration":"crm","id":"1",` +
			`"name":"Name of 1","company":"Example","url":"https://crm.example.com/1","number":"(415) 555-0100","e164":"+14155550100"}]}`,
		"2041":      `{"number":"2041","reason":"unknown","matches":[]}`,
		"anonymous": `{"number":"anonymous","withheld":true,"note":"The caller does not show a number.","reason":"withheld","matches":[]}`,
	} {
		got, err := json.Marshal(lookup(t, store, number, "US", caller.LookupOptions{}))
		if err != nil || string(got) != want {
			t.Errorf("%s, %v, want\n%s", got, err, want)
		}
	}
}
