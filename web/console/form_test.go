package console_test

import (
	"net/http"
	"strings"
	"testing"
)

// mistakes are values of an integration's form that are wrong, each at its field, and what is said of them.
var mistakes = map[string][2]string{
	"bridge": {"ftp://bridge", "not an http or https URL"}, "every": {"often", "not an interval"}, "full": {"never", "not a number of days"},
	"guard-share": {"500", "not a share"}, "guard-min": {"-1", "not a number of contacts"}, "pages": {"many", "not a limit"},
	"timeout": {"0", "not a limit"}, "validation": {"nowhere", "not an http or https URL"}, "auth-0-name": {"a b", "cannot be the name"},
}

func pairsOf(values map[string][2]string, more ...string) []string {
	for name, v := range values {
		more = append(more, name, v[0])
	}
	return more
}

func TestAFormTellsAllItsProblemsEachAtItsField(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	v := s.administrator(t)
	for page, more := range map[string][]string{
		"/integrations/new":           {"account", "acme", "name", "one two"},
		"/integrations/acme/crm/edit": nil,
	} {
		a := v.post(page, page, pairsOf(mistakes, append(more, "when", "every", "auth-0-type", "text", "auth-0-value", "x", "do", "save")...)...)
		if a.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("%s: %d %s", page, a.StatusCode, problemIn(a.text))
		}
		for name, want := range mistakes {
			told := a.text[max(0, strings.Index(a.text, `id="`+name+`-problem"`)):]
			if !strings.Contains(a.text, `id="`+name+`-problem"`) || !strings.Contains(told[:min(len(told), 900)], want[1]) {
				t.Errorf("%s: nothing is said at the field %s", page, name)
			}
		}
		if more != nil && !strings.Contains(a.text, `id="name-problem"`) {
			t.Errorf("%s: nothing is said of the name", page)
		}
		if n := strings.Count(problemBox(a.text), "data-about="); n < len(mistakes) {
			t.Errorf("%s: %d problems are told at the top", page, n)
		}
	}
	for page, c := range map[string]struct{ given, fields []string }{
		"/accounts/new": {[]string{"name", "a b", "region", "Germany", "time_zone", "Berlin"}, []string{"name", "region", "time_zone"}},
		"/users/new":    {[]string{"name", "", "role", "viewer", "accounts", "acme nobody"}, []string{"name", "accounts"}},
	} {
		a := v.post(page, page, c.given...)
		for _, field := range c.fields {
			if !strings.Contains(a.text, `id="`+field+`-problem"`) {
				t.Errorf("%s: %d: nothing is said at the field %s", page, a.StatusCode, field)
			}
		}
	}
	a := v.post("/tokens", "/tokens", "name", "a b", "account", "acme")
	if !strings.Contains(a.text, "cannot be a name") || !strings.Contains(a.text, "may do nothing") {
		t.Errorf("tokens: %s", problemIn(a.text))
	}
}

// problemBox is the part of a page that tells what is wrong with a form.
func problemBox(page string) string {
	_, box, _ := strings.Cut(page, `role="alert"`)
	box, _, _ = strings.Cut(box, "<form")
	return box
}

func TestCorrectedProblemsLeaveTheScreen(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	b := s.browser(t)
	b.borrow(s.administrator(t))
	b.open("/integrations/new")
	b.fill("bridge", "https://bridge.example.com/crm/contact_sync")
	b.fill("name", "one two")
	b.fill("every", "often")
	b.click("Save and start")
	b.sees("is not an interval")
	b.sees("cannot be a name")
	b.fill("every", "30m")
	b.until("the interval's problem is gone", `!document.body.innerText.includes("is not an interval") && document.body.innerText.includes("cannot be a name")`)
	b.fill("name", "two")
	b.until("nothing is wrong", `!document.querySelector(".problem, .field-problem, [aria-invalid]")`)
	b.fill("bridge", s.bridge.url())
	b.fill("auth-1-value", "wrong")
	b.click("Test the connection")
	b.sees("credentials")
	b.until("the test has failed", `!!document.querySelector("#test-result .problem")`)
	b.fill("auth-1-value", "s3cret")
	b.until("the test's result is gone", `!document.querySelector("#test-result").childElementCount`)
}

func TestFocusStaysAfterAButtonOfAnIntegration(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	b := s.browser(t)
	b.borrow(s.administrator(t))
	b.open("/integrations/acme/crm")
	b.sees("Up to date")
	b.until("the button has the focus", `(document.getElementById("do-pause").focus(), document.activeElement.id === "do-pause")`)
	b.click("Pause")
	b.sees("The integration is paused.")
	b.until("the focus is among the actions", `!!document.activeElement.closest("#actions")`)
	b.click("Resume")
	b.sees("runs by its schedule again")
	b.until("Run now has the focus", `(document.getElementById("do-run").focus(), document.activeElement.id === "do-run")`)
	held := s.bridge.hold()
	b.click("Run now")
	b.sees("A run was asked for")
	b.until("the focus is among the actions", `!!document.activeElement.closest("#actions")`)
	held <- struct{}{}
	s.bridge.release()
	b.sees("Up to date")
	b.until("the focus is there when the run has ended", `!!document.activeElement.closest("#actions") && !!document.getElementById("do-run")`)
}
