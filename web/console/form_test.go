package console_test

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
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

// shown returns what a browser would send of the form with an action, without any change.
func (v *visitor) shown(page, action string) url.Values {
	v.t.Helper()
	root, err := html.Parse(strings.NewReader(v.must(page).text))
	if err != nil {
		v.t.Fatal(err)
	}
	values, found := url.Values{}, false
	for form := range root.Descendants() {
		if form.Data != "form" || attribute(form, "method") != "post" || attribute(form, "action") != action {
			continue
		}
		found = true
		for n := range form.Descendants() {
			if n.Type == html.ElementNode && !has(n, "disabled") {
				addShown(values, n)
			}
		}
	}
	if !found {
		v.t.Fatalf("%s has no form for %s", page, action)
	}
	return values
}

// addShown adds what a browser sends of an element of a form.
func addShown(values url.Values, n *html.Node) {
	name := attribute(n, "name")
	if name == "" {
		return
	}
	switch kind := attribute(n, "type"); {
	case n.Data == "textarea":
		text := ""
		if n.FirstChild != nil {
			text = n.FirstChild.Data
		}
		values.Add(name, text)
	case n.Data == "select":
		chosen, first := "", true
		for o := range n.Descendants() {
			if o.Data == "option" && (first || has(o, "selected")) {
				chosen, first = attribute(o, "value"), false
			}
		}
		values.Add(name, chosen)
	case n.Data != "input", (kind == "checkbox" || kind == "radio") && !has(n, "checked"):
	default:
		values.Add(name, attribute(n, "value"))
	}
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// save sends a form as it was shown.
func (v *visitor) save(page string) {
	v.t.Helper()
	values := v.shown(page, page)
	values.Set("do", "save")
	if a := v.do(v.request("POST", page, values)); a.StatusCode != http.StatusSeeOther {
		v.t.Fatalf("%s: %d %s", page, a.StatusCode, problemIn(a.text))
	}
}

// TestSavingWhatIsShownChangesNothing: programs set values that forms round, cut off, or have no place for.
func TestSavingWhatIsShownChangesNothing(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	ctx := t.Context()

	stored := func(key directory.Key) registry.Integration {
		t.Helper()
		found, err := s.hub.Integration(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		i := found.Integration
		i.Version, i.Updated, i.Status = 0, time.Time{}, registry.Status{}
		for n, f := range i.Fields {
			i.Fields[n].Type = cmp.Or(f.Type, "text") // what empty means
		}
		return i
	}
	many := map[string]string{}
	var fields []registry.Field
	for n := range 33 {
		name := fmt.Sprintf("field%02d", n)
		many[name] = "secret"
		fields = append(fields, registry.Field{Name: name, Type: "password", Display: "Field", Default: "a", Mandatory: n%2 == 0})
	}
	for name, c := range map[string]struct {
		change func(i *registry.Integration)
		auth   map[string]string
	}{
		"plain": {change: func(*registry.Integration) {}},
		"limits": {change: func(i *registry.Integration) {
			i.Limits = registry.Limits{Pages: 7, PageBytes: 3<<20 + 1, Timeout: 2500 * time.Millisecond, Run: time.Hour}
		}},
		"small limits": {change: func(i *registry.Integration) {
			i.Limits = registry.Limits{PageBytes: 100_000, Timeout: 700 * time.Millisecond}
		}},
		"guard":           {change: func(i *registry.Integration) { i.Guard = directory.NewGuard(1.0/3, 12) }},
		"guard of nobody": {change: func(i *registry.Integration) { i.Guard = directory.NewGuard(0, 0) }},
		"default guard":   {change: func(i *registry.Integration) { i.Guard = directory.DefaultGuard() }},
		"interval": {change: func(i *registry.Integration) {
			i.Schedule = registry.Schedule{Every: 90*time.Minute + time.Millisecond, Full: 100 * time.Hour}
		}},
		"cron":   {change: func(i *registry.Integration) { i.Schedule = registry.Schedule{Cron: "15 6-20 * * 1-5", Full: -1} }},
		"off":    {change: func(i *registry.Integration) { i.Schedule = registry.Schedule{Off: true, Full: time.Hour} }},
		"role":   {change: func(i *registry.Integration) { i.Role, i.Priority = "block", 3 }},
		"fields": {change: func(i *registry.Integration) { i.Fields = fields }, auth: many},
		"sign-in": {change: func(i *registry.Integration) {
			i.OAuth = &registry.OAuth{
				Grant: "client_credentials", TokenURL: "https://crm.example.com/token", ClientID: "us", Scopes: []string{"a", "b"},
				Params: map[string]string{"audience": "x"}, Field: "token",
			}
		}, auth: map[string]string{"client_secret": "secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := stored(key)
			i.Integration, i.AuthSet, i.Learned = strings.ReplaceAll(name, " ", "-"), nil, nil
			c.change(&i)
			if err := s.hub.AddIntegration(ctx, i, c.auth); err != nil {
				t.Fatal(err)
			}
			was := stored(i.Key)
			v.save("/integrations/" + i.Account + "/" + i.Key.Integration + "/edit")
			if is := stored(i.Key); !reflect.DeepEqual(is, was) {
				t.Errorf("saved without a change:\n%+v\nit was\n%+v", is, was)
			}
		})
	}
	for name, callers := range map[string]registry.Callers{
		"callers": {Policy: []string{"newest"}, Ranges: []string{"+4420794600xx: Example Ltd"}, NoDerive: true, Keep: 100 * time.Minute, Unmasked: true},
		"kept":    {Keep: time.Second}, "month": {Keep: registry.DefaultKeepCalls}, "nothing": {Keep: -1}, "zero": {},
	} {
		t.Run(name, func(t *testing.T) {
			was := registry.Account{Name: name, Region: "DE", TimeZone: "Europe/Berlin", Callers: callers}
			if err := s.hub.PutAccount(ctx, was); err != nil {
				t.Fatal(err)
			}
			was, _ = s.hub.Account(ctx, name)
			v.save("/accounts/" + name)
			if is, err := s.hub.Account(ctx, name); err != nil || !reflect.DeepEqual(is, was) {
				t.Errorf("saved without a change (%v):\n%+v\nit was\n%+v", err, is, was)
			}
		})
	}
	for _, was := range []registry.User{
		{ID: "u1", Name: "Grace", Role: registry.RoleOperator, Accounts: []string{"acme", "kept"}, Email: "grace@example.com", Disabled: true, Password: "x"},
		{ID: "u2", Name: "heidi@example.com", Role: registry.RoleReader, Subject: "https://id.example.com 7"},
	} {
		t.Run(was.Name, func(t *testing.T) {
			if err := s.hub.Registry.PutUser(ctx, was); err != nil {
				t.Fatal(err)
			}
			was, _ = s.hub.Registry.UserByName(ctx, was.Name)
			v.save("/users/" + was.ID)
			if is, err := s.hub.Registry.UserByName(ctx, was.Name); err != nil || !reflect.DeepEqual(is, was) {
				t.Errorf("saved without a change (%v):\n%+v\nit was\n%+v", err, is, was)
			}
		})
	}
}
