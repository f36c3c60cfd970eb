package api

import (
	"encoding/json"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/guesses"
)

func TestAnAnswerIsWrittenAsTheStandardLibraryWouldWriteIt(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.Just(""), rapid.SampledFrom([]string{"\"", "\u2028", "<&>", "\x00\n"}))
	rapid.Check(t, func(t *rapid.T) {
		answer := caller.Answer{
			Number: text.Draw(t, "number"), E164: text.Draw(t, "e164"), Extension: text.Draw(t, "extension"), Region: text.Draw(t, "region"),
			Withheld: rapid.Bool().Draw(t, "withheld"), Note: text.Draw(t, "note"), More: rapid.IntRange(0, 3).Draw(t, "more"), Matches: []caller.Match{},
			Reason: caller.Reason(text.Draw(t, "reason")), List: caller.Role(text.Draw(t, "list")),
		}
		if rapid.Bool().Draw(t, "named") {
			answer.Named = &caller.Named{
				Name: text.Draw(t, "named"), Company: text.Draw(t, "company"), Integration: text.Draw(t, "integration"), ID: text.Draw(t, "id"), URL: text.Draw(t, "url"),
				By: caller.By(text.Draw(t, "by")),
			}
		}
		if rapid.Bool().Draw(t, "explained") {
			answer.Explanation = &caller.Explanation{Why: text.Draw(t, "why"), Candidates: []caller.Candidate{{Rule: text.Draw(t, "rule"), Chosen: true}}}
		}
		for range rapid.IntRange(0, 3).Draw(t, "matches") {
			answer.Matches = append(answer.Matches, caller.Match{
				How: caller.Suffix, Agree: rapid.Int().Draw(t, "agree"), Integration: text.Draw(t, "integration"), ID: text.Draw(t, "id"),
				Name: text.Draw(t, "name"), Title: text.Draw(t, "title"), Company: text.Draw(t, "company"), URL: text.Draw(t, "url"),
				Number: text.Draw(t, "n"), E164: text.Draw(t, "e"), Extension: text.Draw(t, "x"), Email: text.Draw(t, "mail"),
			})
		}
		theirs, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		var want, have any
		if err := json.Unmarshal(theirs, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(appendAnswer(nil, &answer), &have); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestALineForTelephonesIsOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"Zoë Müller":           "Zoë Müller",
		"a\r\nSet(x=1)\x00\tb": "a Set(x=1) b",
		"\u202eevil\u2066":     "evil",
		"two\u2028lines":       "two lines",
		" \v ":                 "",
		"\xffbroken":           "broken",
	} {
		if have := clean(in); have != want {
			t.Errorf("clean(%q) = %q, want %q", in, have, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for _, r := range clean(rapid.String().Draw(t, "name")) {
			if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
				t.Fatalf("%q is left", r)
			}
		}
	})
}

func TestNoNameBreaksAHeaderOrIsCarriedOutByADialPlan(t *testing.T) {
	for in, want := range map[string]string{
		`Jon "JJ" O'Neil`:      `Jon 'JJ' O'Neil`,
		`Eve" <sip:x@y>;tag=1`: `Eve' (sip:x@y);tag=1`,
		`ends with \`:          `ends with /`,
		"${system(rm -rf /)}":  "(system(rm -rf /))",
		"$${x} $<x> $[1+1]":    "(x) (x) [1+1]",
		"`id` $(id)":           "'id' (id)",
		"Ca$h & Carry 100 %":   "Ca$h & Carry 100 %",
	} {
		w := httptest.NewRecorder()
		writeLine(w, callerID{Name: in}, 80)
		if have := w.Body.String(); have != want {
			t.Errorf("%s: %s, want %s", in, have, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOf(rapid.SampledFrom([]rune("ab $${}[]()<>\"\\`"))).Draw(t, "name")
		w := httptest.NewRecorder()
		writeLine(w, callerID{Name: clean(name)}, 256)
		line := w.Body.String()
		if strings.ContainsAny(line, "\"\\<>{}`") || strings.Contains(line, "$(") || strings.Contains(line, "$[") {
			t.Fatalf("%q becomes %q", name, line)
		}
	})
}

func TestALineIsCutByCharacters(t *testing.T) {
	for _, c := range []struct {
		name, company string
		most          int
		want          string
	}{
		{"Jane Doe", "Example Ltd", 80, "Jane Doe (Example Ltd)"},
		{"Example Ltd", "EXAMPLE LTD", 80, "Example Ltd"},
		{"Jane Doe", "", 4, "Jane"},
		{"Jane Doe", "Example", 10, "Jane Doe"},
		{"Ñandú", "", 2, "Ña"},
	} {
		w := httptest.NewRecorder()
		writeLine(w, callerID{Name: c.name, Company: c.company}, c.most)
		if have := w.Body.String(); have != c.want {
			t.Errorf("%q, %q at most %d: %q, want %q", c.name, c.company, c.most, have, c.want)
		}
	}
}

func TestOnlyWhoIsNamedIsShown(t *testing.T) {
	answer := caller.Answer{Number: "020 7946 0018", E164: "+442079460018", Matches: []caller.Match{{How: caller.Suffix, Name: "Somebody"}}}
	if c := named(&answer, ""); c != nil {
		t.Errorf("it shows %v", c)
	}
	answer.List = caller.Block
	if c := named(&answer, ""); c == nil || c.Name != "" || c.List != "block" {
		t.Errorf("it shows %v", c)
	}
	answer.Named = &caller.Named{Name: "Some\nbody"}
	for spelling, want := range map[caller.Spelling]string{"": "+442079460018", caller.E164Spelling: "+442079460018", caller.NationalSpelling: "020 7946 0018", caller.AsAsked: "020 7946 0018"} {
		if c := named(&answer, spelling); c == nil || c.Name != "Some body" || c.Number != want {
			t.Errorf("%s: it shows %v", spelling, c)
		}
	}
}

func TestDurationsAreWrittenAsInTheConfiguration(t *testing.T) {
	for text, want := range map[string]time.Duration{"30m": 30 * time.Minute, "1h30m": 90 * time.Minute, "168h": 168 * time.Hour, "90s": 90 * time.Second, "0s": 0} {
		var d duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%s is read as %s (%v)", text, time.Duration(d), err)
		}
		written, _ := d.MarshalText()
		var again duration
		if err := again.UnmarshalText(written); err != nil || again != d {
			t.Errorf("%s is written as %s", text, written)
		}
	}
	for _, text := range []string{"30m", "168h", "0s", "10m", "1h30m", "1h0m10s"} {
		var d duration
		_ = d.UnmarshalText([]byte(text))
		if written, _ := d.MarshalText(); string(written) != text {
			t.Errorf("%s is written as %s", text, written)
		}
	}
	for _, text := range []string{"", "soon", "-5m", "30"} {
		if err := new(duration).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for a duration", text)
		}
	}
}

func TestSettingsSurviveTheWayThroughJSON(t *testing.T) {
	i := registry.Integration{
		Key: directory.Key{Account: "acme", Integration: "crm"}, Bridge: "https://x.example/contact_sync", Validation: "https://x.example/auth",
		Fields:   []registry.Field{{Name: "token", Type: "password", Mandatory: true}},
		OAuth:    &registry.OAuth{Grant: "client_credentials", TokenURL: "https://x.example/token", ClientID: "id"},
		Schedule: registry.Schedule{Cron: "5 * * * *", Full: -1},
		Limits:   registry.Limits{Pages: 3, PageBytes: 4, Timeout: time.Second, Run: time.Hour},
		Guard:    directory.Guard{Share: 0.5, Min: 7}, Paused: true,
	}
	text, err := json.Marshal(viewSettings(i))
	if err != nil {
		t.Fatal(err)
	}
	var s IntegrationSettings
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(i, s.integration(i.Key)); diff != "" {
		t.Error(diff)
	}
}

// A source is read as a whole, and shown by its kind.
func TestASourceIsGivenWholeOrNotAtAll(t *testing.T) {
	was := viewSettings(registry.Integration{Source: "mysql"})
	for patch, want := range map[string]string{
		`{}`:                          "",
		`{"source":{"kind":"mysql"}}`: "",
		`{"role":"block"}`:            "",
		`{"source":{"kind":"ldap","fields":{"custom_fields":{"Plan":"plan"}},"URL":"x"},"phones":{"region":"GB"}}`: `{"phones":{"region":"GB"},"source":{"URL":"x","fields":{"custom_fields":{"Plan":"plan"}},"kind":"ldap"}}`,
		`{"bridge":"http://b/x"}`: "",
	} {
		now, err := merged(was, []byte(patch))
		if err != nil {
			t.Errorf("%s: %v", patch, err)
			continue
		}
		auth, err := now.withSource(map[string]string{"user": "a"})
		if err != nil || auth[registry.SourceValue] != want || auth["user"] != "a" {
			t.Errorf("%s: %q, %v", patch, auth, err)
		}
		if i := now.integration(directory.Key{}); (i.Source == "") != (i.Bridge != "") {
			t.Errorf("%s: source %q and bridge %q", patch, i.Source, i.Bridge)
		}
	}
	for _, patch := range []string{`{"phones":{"region":"GB"}}`, `{"source":{"kind":"mysql"},"page":{"contacts":1}}`} {
		now, err := merged(was, []byte(patch))
		if err == nil {
			_, err = now.withSource(nil)
		}
		if err == nil {
			t.Errorf("%s: it is taken", patch)
		}
	}
	if _, err := was.withSource(map[string]string{registry.SourceValue: "source: {kind: csv}"}); err == nil {
		t.Error("a source among the auth values is taken")
	}
}

func TestAChangeIsAMergePatch(t *testing.T) {
	every := duration(time.Hour)
	was := IntegrationSettings{Bridge: "http://a/x", Validation: "http://a/v", Schedule: scheduleView{Every: &every}, Guard: &guardView{Share: 0.1, Min: 1}, OAuth: &registry.OAuth{Grant: "client_credentials", TokenURL: "u", ClientID: "c"}}
	for patch, check := range map[string]func(IntegrationSettings) bool{
		`{}`:                                func(s IntegrationSettings) bool { return cmp.Equal(s, was) },
		`{"bridge":"http://b/x"}`:           func(s IntegrationSettings) bool { return s.Bridge == "http://b/x" && s.Validation == was.Validation },
		`{"validation":null}`:               func(s IntegrationSettings) bool { return s.Validation == "" },
		`{"oauth":null,"guard":null}`:       func(s IntegrationSettings) bool { return s.OAuth == nil && s.Guard == nil },
		`{"oauth":{"client_id":"d"}}`:       func(s IntegrationSettings) bool { return s.OAuth.ClientID == "d" && s.OAuth.TokenURL == "u" },
		`{"schedule":{"cron":"1 2 * * *"}}`: func(s IntegrationSettings) bool { return s.Schedule.Cron == "1 2 * * *" && s.Schedule.Every == nil },
		`{"schedule":{"full":"0s"}}`:        func(s IntegrationSettings) bool { return *s.Schedule.Every == every && *s.Schedule.Full == 0 },
		`{"auth":{"Password":"x"}}`:         func(s IntegrationSettings) bool { return cmp.Equal(s, was) },
	} {
		now, err := merged(was, []byte(patch))
		if err != nil || !check(now) {
			t.Errorf("%s: %+v, %v", patch, now, err)
		}
	}
	for _, patch := range []string{`[]`, `{"Bridge":"http://c/x"}`, `{"schedule":{"Every":"1h"}}`} {
		if now, err := merged(was, []byte(patch)); err == nil {
			t.Errorf("%s is taken: %+v", patch, now)
		}
	}
}

func TestWrongTokensAreHeldOffByAddressAndGoodOnesAreNot(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := guesses.New(func() time.Time { return now })
	here, there := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	rule := guessesFrom(here).Rule
	judged, _ := g.Try("pbx", guessesFrom(here))
	judged(guesses.Good)
	wait := func(address netip.Prefix, token string) time.Duration {
		judged, wait := g.Try(token, guessesFrom(address))
		if wait == 0 {
			judged(guesses.Unknown)
		}
		return wait
	}
	for range rule.Free {
		judged, wait := g.Try("guess", guessesFrom(here))
		if wait != 0 {
			t.Fatalf("held off for %v too early", wait)
		}
		judged(guesses.Wrong)
	}
	if wait := wait(here, "guess"); wait < time.Second || wait > rule.Wait {
		t.Errorf("held off for %v", wait)
	}
	if wait(here, "pbx") != 0 || wait(there, "guess") != 0 {
		t.Error("others are held off")
	}
	if now = now.Add(rule.Wait); wait(here, "guess") != 0 {
		t.Error("held off for ever")
	}
}

// Guesses that are sent all at once are no more than those that are sent one after another.
func TestWrongTokensAtOnceAreHeldOffToo(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := guesses.New(func() time.Time { return now })
	count := guessesFrom(netip.MustParsePrefix("192.0.2.1/32"))
	for round, most := range []int{20, 1, 1} {
		var open []func(guesses.Verdict)
		for range 200 {
			if judged, wait := g.Try("guess", count); wait == 0 {
				open = append(open, judged)
			}
		}
		if len(open) != most {
			t.Errorf("round %d: %d of 200 are looked at; want %d", round, len(open), most)
		}
		for _, judged := range open {
			judged(guesses.Wrong)
		}
		now = now.Add(count.Wait)
	}
}

func TestEverythingInTheDocumentIsDescribed(t *testing.T) {
	var document struct {
		Paths map[string]map[string]struct {
			Summary     string
			Description string
			Parameters  []struct{ Name, Description string }
		}
		Components struct {
			Schemas map[string]struct {
				Properties map[string]map[string]any
			}
		}
	}
	if err := json.Unmarshal(New(Options{}).Document(), &document); err != nil {
		t.Fatal(err)
	}
	for path, operations := range document.Paths {
		for method, o := range operations {
			if o.Summary == "" || !strings.Contains(o.Description, "Scope: ") {
				t.Errorf("%s %s is not described", method, path)
			}
			for _, p := range o.Parameters {
				if p.Description == "" {
					t.Errorf("%s %s: %s is not described", method, path, p.Name)
				}
			}
		}
	}
	for name, s := range document.Components.Schemas {
		for field, p := range s.Properties {
			if p["description"] == nil {
				t.Errorf("%s.%s is not described", name, field)
			}
		}
	}
	if len(document.Paths) < 30 {
		t.Errorf("only %d paths", len(document.Paths))
	}
}

func TestARunsErrorComesWithItsHint(t *testing.T) {
	v := viewRun(directory.Run{State: directory.Failed, Error: "the bridge is down", Hint: "Start it."})
	if v.Error != "the bridge is down" || v.Hint != "Start it." {
		t.Errorf("%+v", v)
	}
}

// D9: a share of zero always asks; it is not the default.
func TestAGuardOfZeroIsMeant(t *testing.T) {
	for _, least := range []int64{0, 10} {
		i := IntegrationSettings{Guard: &guardView{Min: least}}.integration(directory.Key{})
		if i.Guard == (directory.Guard{}) || !i.Guard.Refuses(1, 1000) {
			t.Errorf("the guard is %+v", i.Guard)
		}
		if v := viewSettings(i).Guard; v == nil || v.Share != 0 || v.Min != least {
			t.Errorf("it is shown as %+v", v)
		}
	}
	if i := (IntegrationSettings{}).integration(directory.Key{}); i.Guard.OrDefault() != directory.DefaultGuard() {
		t.Errorf("without a guard: %+v", i.Guard)
	}
}

// The race detector sees what two would share: huma completes the schemas that it is given.
func TestOneProcessMayHaveSeveral(t *testing.T) {
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { New(Options{}) })
	}
	both.Wait()
}
