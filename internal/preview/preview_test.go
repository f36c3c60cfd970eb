package preview_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/record"
)

var update = flag.Bool("update", false, "write what is expected anew")

// messy are contacts with everything that is worth a word.
const messy = `
endpoints:
  crm:
    auth: none
    source:
      kind: memory
      contacts:
        - {id: 1, name: Jane Doe, title: CTO, company: Example Corp., emails: [jane@example.com, jane.doe@example.org], phones: [(415) 555-2671, 415 555 2672], url: https://crm.example.com/1, custom_fields: {Plan: gold}}
        - {id: 2, company: Nameless GmbH, phones: ask at the desk}
        - {id: 3, name: 山田 太郎, company: 株式会社サンプル・コーポレーション, phones: +81 3-1234-5678, emails: taro at example.jp}
        - {id: 4, name: Zoë Å. Ø'Brien-Vandenbroucke van der Oudenhoven, emails: zoe@example.com, url: www.example.com}
        - {id: 5, name: "Tab\tand\nline\e[31m", phones: ["123", "911 911"], address: "1 Main St., Springfield"}
        - {id: 6, name: "مرحبا \u202E بكم", phones: "+20 2 25222222"}
    phones: {region: US}
`

func endpoint(t *testing.T, text string) config.Endpoint {
	t.Helper()
	cfg, err := config.Parse("bridge.yaml", []byte(text), strictyaml.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Endpoints["crm"]
}

func look(t *testing.T, e config.Endpoint, options preview.Options) *preview.Preview {
	t.Helper()
	options.Inspect, options.Read = 5*time.Second, 5*time.Second
	p, err := preview.Of(t.Context(), e, source.Deps{}, nil, options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func printed(t *testing.T, p *preview.Preview, width int) string {
	t.Helper()
	var out bytes.Buffer
	if err := preview.Print(&out, p, width, preview.Style{}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what is printed; go test -update writes it anew (-file +got):\n%s", file, diff)
	}
}

func TestPrintFitsTheTerminal(t *testing.T) {
	p := look(t, endpoint(t, messy), preview.Options{Limit: 20, Examine: 100})
	for _, width := range []int{60, 100, 160} {
		text := printed(t, p, width)
		golden(t, fmt.Sprintf("messy-%d.txt", width), text)
		for line := range strings.Lines(text) {
			if got := runewidth.StringWidth(strings.TrimRight(line, "\n")); got > width {
				t.Errorf("%d columns in a terminal of %d: %q", got, width, line)
			}
			if strings.ContainsAny(line, "\t\x1b\u202e") {
				t.Errorf("a contact draws on the terminal: %q", line)
			}
		}
	}
}

func TestProblemsOfContactsAreFound(t *testing.T) {
	p := look(t, endpoint(t, messy), preview.Options{Limit: 2, Examine: 100})
	got := map[string]source.Severity{}
	for _, problem := range p.Problems {
		got[problem.Code] = problem.Severity
		if problem.Message == "" {
			t.Errorf("%s has no message", problem.Code)
		}
	}
	want := map[string]source.Severity{
		"no_name": source.Warning, "bad_phone": source.Warning, "no_phones": source.Note, "bad_email": source.Note, "bad_url": source.Note,
	}
	for code, severity := range want {
		if got[code] != severity {
			t.Errorf("%s is %q, want %q", code, got[code], severity)
		}
	}
	if !p.OK || len(p.Contacts) != 2 || p.Examined != 6 || !p.Complete {
		t.Errorf("ok %v, %d contacts, %d examined, complete %v", p.OK, len(p.Contacts), p.Examined, p.Complete)
	}
	if p.Contacts[1].Name != "Nameless GmbH" || p.Contacts[0].Phones[0] != "+14155552671" {
		t.Errorf("contacts are not shown as they would be sent: %+v", p.Contacts)
	}
}

// An invalid number is one of a country only where it has no country code and its contact names no country.
func TestInvalidNumbersAreOfTheCountryThatTheyAreReadIn(t *testing.T) {
	for _, c := range []struct{ phones, contact, want, hint string }{
		{"{format: e164}", `phones: "(171) 555-7788"`, "the only phone number is not valid without a country code:", "set phones: {region: …}"},
		{"{format: e164, region: US}", `phones: "(171) 555-7788"`, "the only phone number is not valid in US:", "set phones.region"},
		{"{format: e164}", `phones: "(171) 555-7788", country: UK`, "the only phone number is not valid:", "Correct them in the source."},
		{"{format: e164, region: US}", `phones: "+453 3331 9991"`, "the only phone number is not valid:", "Correct them in the source."},
		{"{format: e164, region: US}", `phones: ["+453 3331 9991", "(171) 555-7788"]`, "2 of 2 phone numbers are not valid:", "set phones.region"},
	} {
		p := look(t, endpoint(t, `
endpoints:
  crm:
    auth: none
    phones: `+c.phones+`
    source:
      kind: memory
      contacts: [{id: 1, name: Jane Doe, `+c.contact+`}]
`), preview.Options{Limit: 1})
		found := false
		for _, problem := range p.Problems {
			if problem.Code == "bad_phone" {
				found = strings.HasPrefix(problem.Message, c.want) && strings.Contains(problem.Hint, c.hint)
			}
		}
		if !found {
			t.Errorf("%s, %s: problems are %v", c.phones, c.contact, p.Problems)
		}
	}
}

// TestAContactCountsOnce: two invalid addresses of one contact are one contact that has them.
func TestAContactCountsOnce(t *testing.T) {
	p := look(t, endpoint(t, `
endpoints:
  crm:
    auth: none
    source:
      kind: memory
      contacts: [{id: 1, name: Jane Doe, emails: [one, two], phones: "+1 415-555-2671"}]
`), preview.Options{Limit: 1})
	for _, problem := range p.Problems {
		if strings.HasPrefix(problem.Message, "the contact has an invalid e-mail address") {
			return
		}
	}
	t.Errorf("problems are %v", p.Problems)
}

func TestExaminingEnds(t *testing.T) {
	p := look(t, endpoint(t, messy), preview.Options{Limit: 1, Examine: 3})
	if p.Complete || p.Examined != 3 || len(p.Contacts) != 1 {
		t.Errorf("complete %v, %d examined, %d shown", p.Complete, p.Examined, len(p.Contacts))
	}
	if text := printed(t, p, 100); !strings.Contains(text, "The first of 6 contacts, as it would be sent; problems were looked for in the first 3:") {
		t.Errorf("printed:\n%s", text)
	}
}

func TestJSONIsForPrograms(t *testing.T) {
	p := look(t, endpoint(t, messy), preview.Options{Limit: 1, Examine: 100})
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Endpoint string
		OK       bool
		Contacts []struct {
			ID     string
			Phones []string
		}
		Facts, Mapping []map[string]any
		Problems       []struct{ Severity, Code, Message, Hint string }
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Endpoint != "crm" || !got.OK || len(got.Contacts) != 1 || got.Contacts[0].Phones[0] != "+14155552671" || len(got.Problems) == 0 ||
		got.Mapping == nil || got.Facts == nil {
		t.Errorf("got %s", text)
	}
}

// stub is a source with what a test wants to see of it.
type stub struct {
	bridge.Source

	openError, inspectError, beginError error
	inspection                          source.Inspection
	closed                              int
}

func (s *stub) Open(context.Context, bridge.Auth) (bridge.Source, error) { return s, s.openError }
func (s *stub) Inspect(context.Context) (source.Inspection, error) {
	return s.inspection, s.inspectError
}

func (s *stub) Begin(context.Context, bridge.Checkpoint) (bridge.Run, error) {
	return bridge.Run{}, s.beginError
}

func (s *stub) Close() error {
	s.closed++
	return nil
}

func TestWhatTheSourceSaysIsShown(t *testing.T) {
	down := &bridge.Error{Code: bridge.CodeSourceUnavailable, Message: "the database is down", Hint: "start it", Err: errors.New("connection refused")}
	s := &stub{beginError: down, inspectError: fmt.Errorf("inspect source: %w", down), inspection: source.Inspection{
		Mapping: []record.Mapped{
			{Field: "name", From: `first, Last "Name`, Auto: true},
			{Field: "phones", From: "phone", Auto: true},
			{Field: "phones", From: "Mobile Phone", Auto: true},
			{Field: "company", From: `upper("firm")`},
			{Field: "emails", From: "email"},
			{Field: "emails", From: "email2"},
			{Field: "custom_fields.A very long key of a field that goes on and on", From: strings.Repeat("coalesce(a, b) || ", 12)},
		},
		Facts: []source.Fact{{Name: "order", Value: "updated_at (timestamptz), id (bigint)"}, {Name: "safe horizon", Value: "the oldest open transaction"}},
		Problems: []source.Problem{
			{Severity: source.Note, Code: "a", Message: "a note that needs no hint"},
			{Severity: source.Warning, Code: "b", Message: "there is no index on (updated_at, id)", Hint: "CREATE INDEX ON customers (updated_at, id)"},
		},
	}}
	e := endpoint(t, messy)
	e.New = func(source.Deps) (source.Factory, error) { return s, nil }
	p := look(t, e, preview.Options{Limit: 20})
	golden(t, "source.txt", printed(t, p, 80))
	if p.OK || s.closed != 2 {
		t.Errorf("ok %v; source and factory closed %d times together", p.OK, s.closed)
	}
	if len(p.Problems) != 3 || p.Problems[0].Code != "source_unavailable" || p.Problems[0].Hint != "start it" {
		t.Errorf("one cause is told once, the worst first: %+v", p.Problems)
	}
}

func TestWhatCannotBeOpenedIsAFailure(t *testing.T) {
	e := endpoint(t, messy)
	for name, err := range map[string]error{
		"unauthorized": &bridge.Error{Code: bridge.CodeUnauthorized, Message: "wrong password"}, "source_timeout": context.DeadlineExceeded, "internal": errors.New("odd"),
	} {
		e.New = func(source.Deps) (source.Factory, error) { return &stub{openError: err}, nil }
		if p := look(t, e, preview.Options{}); p.OK || len(p.Problems) != 1 || p.Problems[0].Code != name {
			t.Errorf("%v: %+v", err, p)
		}
	}
}

func TestAPreviewEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := preview.Of(ctx, endpoint(t, messy), source.Deps{}, nil, preview.Options{Read: time.Second, Inspect: time.Second}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// D8: a record that cannot be read is reported once and is not a contact.
func TestRecordsThatCannotBeReadAreProblemsD8(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contacts.csv")
	if err := os.WriteFile(path, []byte("id,name,phone\n1,Jane Doe,+14155552671\n2,Doe, John,+14155552672\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := look(t, endpoint(t, "endpoints: {crm: {auth: none, source: {kind: csv, id: id, path: "+path+"}}}"), preview.Options{Limit: 10, Examine: 10})
	var codes []string
	for _, problem := range p.Problems {
		if problem.Severity == source.Failure {
			codes = append(codes, problem.Code)
		}
	}
	if got := strings.Join(codes, " "); got != "ragged" || p.Examined != 1 || !p.Complete {
		t.Errorf("problems %q, %d contacts, complete %v", got, p.Examined, p.Complete)
	}
}

func TestPreviewShowsTheBlanksThatAreSent(t *testing.T) {
	p := look(t, endpoint(t, `
endpoints:
  crm:
    auth: none
    source:
      kind: memory
      contacts:
        - {id: 1, name: "  Jane  Doe ", address: "1 Main St.\r\nSpringfield\tIL", company: "Acme\u00a0Inc.", phones: "+14155552671"}
        - {id: 2, name: John Roe, phones: "+14155552672"}
`), preview.Options{Limit: 2, Examine: 2})
	text := printed(t, p, 140)
	for _, want := range []string{"··Jane··Doe·", "1 Main St.↵↵Springfield⇥IL", "Acme␣Inc.", "John Roe", "· a space at an end"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the preview:\n%s", want, text)
		}
	}
}

func TestPreviewSaysHowManyContactsThereAre(t *testing.T) {
	var text strings.Builder
	text.WriteString("endpoints:\n  crm:\n    auth: none\n    source:\n      kind: memory\n      contacts:\n")
	for n := range 50 {
		fmt.Fprintf(&text, "        - {id: %d, name: Somebody}\n", n)
	}
	p := look(t, endpoint(t, text.String()), preview.Options{Limit: 2, Examine: 9})
	shown := printed(t, p, 140)
	for _, want := range []string{"The first 2 of 50 contacts, as they would be sent; problems were looked for in the first 9:"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in the preview:\n%s", want, shown)
		}
	}
	p.Deleted = 1 // and more among those that were not looked at
	if shown := printed(t, p, 140); !strings.Contains(shown, "The first 2 of about 50 contacts") {
		t.Errorf("with deletions:\n%s", shown)
	}
	p.Total, p.Deleted = 0, 0 // the source cannot count them
	if shown := printed(t, p, 140); !strings.Contains(shown, "The first 2 of at least 9 contacts") {
		t.Errorf("without a count:\n%s", shown)
	}
}
