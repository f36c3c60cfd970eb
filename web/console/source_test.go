package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// A priority is a number, and what was chosen is shown again.
func TestTheFormTakesRoleAndPriority(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	v := s.administrator(t)
	const edit = "/integrations/acme/crm/edit"
	fields := []string{"bridge", s.bridge.url(), "when", "every", "every", "30m", "full", "7", "guard-share", "20", "guard-min", "10", "do", "save"}
	if a := v.post(edit, edit, append(fields, "role", "allow", "priority", "first")...); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(a.text, "is not a priority") {
		t.Error(a.StatusCode, a.text)
	}
	v.goes(edit, edit, append(fields, "role", "allow", "priority", "3")...)
	form := v.must(edit).text
	if !strings.Contains(form, `<option value="allow" selected`) || !strings.Contains(form, `value="3"`) {
		t.Error("the form does not show what was chosen:", form)
	}
	v.goes(edit, edit, append(fields, "role", "", "priority", "")...)
	if i, err := s.hub.Registry.Integration(t.Context(), directory.Key{Account: "acme", Integration: "crm"}); err != nil || i.Role != "" || i.Priority != 0 {
		t.Errorf("%+v, %v", i, err)
	}
}

// An integration whose source the hub reads itself is shown by its kind, and a form changes all of it but the source.
func TestASourceInsideTheHubSurvivesTheForm(t *testing.T) {
	s := newSite(t)
	s.furnish(t)
	key := directory.Key{Account: "acme", Integration: "book"}
	text := `source: {kind: memory, contacts: [{id: "1", name: Hidden Person}]}`
	if err := s.hub.AddIntegration(t.Context(), registry.Integration{Key: key, Source: "memory"}, map[string]string{registry.SourceValue: text}); err != nil {
		t.Fatal(err)
	}
	v := s.administrator(t)
	page := v.must("/integrations/acme/book").text
	if !strings.Contains(page, "Source, read by the hub") || strings.Contains(page, "Hidden Person") || strings.Contains(page, registry.SourceValue) {
		t.Error("the integration's page:", page)
	}
	const edit = "/integrations/acme/book/edit"
	form := v.must(edit).text
	if !strings.Contains(form, "The hub reads this source itself") || strings.Contains(form, `name="bridge"`) || strings.Contains(form, "Hidden Person") || strings.Contains(form, registry.SourceValue) {
		t.Error("the form:", form)
	}
	v.goes(edit, edit, "when", "every", "every", "45m", "full", "7", "guard-share", "20", "guard-min", "10", "role", "block", "priority", "2", "do", "save")
	i, given, err := s.hub.Registry.Configured(t.Context(), key)
	if err != nil || i.Source != "memory" || i.Bridge != "" || i.Schedule.Every != 45*time.Minute || i.Role != "block" || i.Priority != 2 || given[registry.SourceValue] != text {
		t.Errorf("%+v, %v, %v", i, given, err)
	}
}
