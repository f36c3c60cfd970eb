package bridgetest_test

import (
	"encoding/xml"
	"regexp"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/bridge/bridgetest/faultybridge"
)

func TestEveryCaseSaysWhatItIsAbout(t *testing.T) {
	seen := map[string]bool{}
	rule := regexp.MustCompile(`^[APDET]\d+(, [APDET]\d+)*$`)
	id := regexp.MustCompile(`^[a-z0-9-]+$`)
	for _, c := range bridgetest.Cases() {
		if seen[c.ID] || !id.MatchString(c.ID) || !rule.MatchString(c.Rule) {
			t.Errorf("%q has the rule %q, or comes twice", c.ID, c.Rule)
		}
		seen[c.ID] = true
		for _, sentence := range []string{c.Explanation, c.Advice} {
			if !strings.HasSuffix(sentence, ".") {
				t.Errorf("%s: %q is not a sentence", c.ID, sentence)
			}
		}
		if c.Title == "" || c.Grade != bridgetest.Must && c.Grade != bridgetest.Should && c.Grade != bridgetest.Info {
			t.Errorf("%s: title %q, grade %q", c.ID, c.Title, c.Grade)
		}
	}
}

func TestEveryCaseThatMustOrShouldHoldHasAFaultThatItFinds(t *testing.T) {
	found := map[string]bool{}
	for _, c := range faults {
		found[c.by] = true
		for _, id := range c.also {
			found[id] = true
		}
	}
	// No bridge on loopback can fail these; TestRemoteBridges and TestUnreachable do.
	elsewhere := []string{"reachable", "https", "certificate", "first-page", "contact-count"}
	// Found on pages; TestEveryViolationOnAPageIsReportedUnderItsCase has them.
	onPages := []string{"checkpoint-empty"}
	for _, id := range append(elsewhere, onPages...) {
		found[id] = true
	}
	for _, c := range bridgetest.Cases() {
		if c.Grade != bridgetest.Info && !found[c.ID] {
			t.Errorf("no bridge proves that %s finds anything", c.ID)
		}
	}
}

func TestTextReportsAreForPeople(t *testing.T) {
	report := check(t, serve(t, faultybridge.New(contacts, 10, faultybridge.NullInPhones)), quick())
	var plain, coloured, verbose strings.Builder
	for _, err := range []error{
		report.WriteText(&plain, false, false), report.WriteText(&coloured, true, false), report.WriteText(&verbose, false, true),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"MUST  every other field has its type  [contact-types, P10]", "phones[1]", "to do: ", "rule: ", "… and "} {
		if !strings.Contains(plain.String(), want) {
			t.Errorf("%q is missing from\n%s", want, plain.String())
		}
	}
	if strings.Contains(plain.String(), "\x1b") || !strings.Contains(coloured.String(), "\x1b[31m") {
		t.Error("colours that were not asked for, or missing colours")
	}
	if strings.Contains(plain.String(), "two-runs") || !strings.Contains(verbose.String(), "two-runs") {
		t.Error("what passed is listed where it was not asked for, or not where it was")
	}
}

func TestControlCharactersOfABridgeNeverReachATerminal(t *testing.T) {
	report := bridgetest.Report{Results: []bridgetest.Result{{
		ID: "json", Grade: bridgetest.Must, Outcome: bridgetest.Failed, Count: 1,
		Findings: []bridgetest.Finding{{Message: "x\x1b[2J\u009b1A\r", Sent: "\x07", Received: "\x00\xff"}},
	}}}
	var text, junit strings.Builder
	if err := report.WriteText(&text, false, true); err != nil {
		t.Fatal(err)
	}
	if err := report.WriteJUnit(&junit, true); err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexAny(text.String()+junit.String(), "\x1b\u009b\r\x07\x00"); i >= 0 {
		t.Errorf("%q", text.String()+junit.String())
	}
}

func TestJUnitCountsShouldOnlyWhenStrict(t *testing.T) {
	report := check(t, serve(t, faultybridge.New(contacts, 10, faultybridge.NullFields)), quick())
	for strict, want := range map[bool]int{false: 0, true: 1} {
		var b strings.Builder
		if err := report.WriteJUnit(&b, strict); err != nil {
			t.Fatal(err)
		}
		var suite struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Skipped  int `xml:"skipped,attr"`
			Cases    []struct {
				Name string `xml:"name,attr"`
			} `xml:"testcase"`
		}
		if err := xml.Unmarshal([]byte(b.String()), &suite); err != nil {
			t.Fatal(err)
		}
		if suite.Failures != want || suite.Tests != len(bridgetest.Cases()) || len(suite.Cases) != suite.Tests {
			t.Errorf("strict %v: %+v", strict, suite)
		}
	}
}
