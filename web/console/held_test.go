package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/hub/registry"
)

var setInput = regexp.MustCompile(`name="set" value="([^"]*)"`)

// D9: a yes is for the contacts that the page showed.
func TestDeletionsAreAnsweredAsShown(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	s.guard(t, key, s.bridge, customers(56)...)
	v := s.administrator(t)
	const one = "/integrations/acme/crm"
	page := v.must(one + "/accept").text
	for _, want := range []string{"40 contacts are deleted from the hub, of 96", "A complete run did not show it", "Download the list"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if rows := strings.Count(page, `data-label="Why"`); rows != 40 {
		t.Errorf("%d contacts are listed", rows)
	}
	list := v.must(one + "/held.csv")
	if lines := strings.Split(strings.TrimSpace(list.text), "\n"); len(lines) != 41 || !strings.HasPrefix(list.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the download has %d lines, %v", len(lines), list.Header)
	}
	shown := setInput.FindStringSubmatch(page)[1]
	s.guard(t, key, s.bridge, customers(50)...)
	eventually(t, "more contacts wait", func() bool { // it was guarded before that run, too
		return strings.Contains(v.must(one+"/accept").text, "46 contacts are deleted")
	})
	a := v.post(one+"/accept", one+"/accept", "set", shown)
	if a.StatusCode != http.StatusConflict || !strings.Contains(a.text, "46 contacts wait now") || !strings.Contains(a.text, "Delete 46 contacts") {
		t.Fatalf("%d %s", a.StatusCode, problemIn(a.text))
	}
	v.goes(one+"/accept", one+"/keep", "set", setInput.FindStringSubmatch(a.text)[1])
	s.waitFor(t, key, registry.HealthOK)
	if a := v.get(one + "/accept"); a.StatusCode != http.StatusConflict {
		t.Errorf("after the no: %d", a.StatusCode)
	}
	if !strings.Contains(v.must(one).text, ">96<") {
		t.Error("the contacts are not kept")
	}
}

// A guard of zero asks before any deletion, and says so.
func TestAGuardOfZeroIsKept(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	v := s.administrator(t)
	const one = "/integrations/acme/crm"
	v.goes(one+"/edit", one+"/edit", "bridge", s.bridge.url(), "when", "every", "every", "30m", "full", "7", "guard-share", "0", "guard-min", "0", "do", "save")
	if !strings.Contains(v.must(one).text, "asks before it deletes any contact") {
		t.Error("the page does not say that it always asks")
	}
	if !regexp.MustCompile(`<input[^>]*guard-share[^>]*value="0"`).MatchString(v.must(one + "/edit").text) {
		t.Error("the form does not show a share of 0")
	}
}
