package console_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
)

// Two people who have the same form open do not take each other's change back: the second one is told.
func TestAFormThatIsOlderThanTheIntegrationIsNotSaved(t *testing.T) {
	s := newSite(t)
	key := s.furnish(t)
	v := s.administrator(t)
	const edit = "/integrations/acme/crm/edit"
	found := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(v.must(edit).text)
	if found == nil {
		t.Fatal("the form does not say what it is for")
	}
	i, err := s.hub.Integration(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	changed := i.Integration
	changed.Limits.Pages = 77
	if err := s.hub.ChangeIntegration(context.Background(), changed, nil); err != nil {
		t.Fatal(err)
	}
	again := v.post(edit, edit, "bridge", changed.Bridge, "when", "every", "every", "45m", "full", "7", "guard-share", "20", "guard-min", "10",
		"pages", "1000", "page-mib", "32", "timeout", "10", "version", found[1], "do", "save")
	if !strings.Contains(problemIn(again.text), "changed by another user") {
		t.Errorf("%d %s", again.StatusCode, problemIn(again.text))
	}
	if i, err := s.hub.Integration(context.Background(), key); err != nil || i.Limits.Pages != 77 {
		t.Errorf("%+v %v", i.Limits, err)
	}
}
