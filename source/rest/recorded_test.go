package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/recording"
	"github.com/contactbridge/contactbridge/internal/test/vendors"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/rest"
)

// textsIn lists the texts in a value.
func textsIn(value any) (list []string) {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		for _, element := range value {
			list = append(list, textsIn(element)...)
		}
	case map[string]any:
		for _, inner := range value {
			list = append(list, textsIn(inner)...)
		}
	case vendors.Fields:
		return textsIn(map[string]any(value))
	}
	return list
}

// somebody is a contact with values that nobody else should see.
func somebody(i int) contact.Contact {
	return contact.Contact{
		Name: fmt.Sprintf("Wilhelmina Featherstone %d", 70000+i), Title: "Oberamtsrätin", Company: "Kowalczyk & Söhne",
		Emails: []string{fmt.Sprintf("wilhelmina.f%d@kowalczyk.example.net", 70000+i), "whf@private.example.org"},
		Phones: []string{fmt.Sprintf("+49 170 81%05d", 31000+i), fmt.Sprintf("030 771%05d", 42000+i)}, Websites: []string{"https://kowalczyk.example.net/team/wilhelmina"},
		Address: "Prinzregentenstraße 117, 81677 München", Twitter: "wilhelmina_f", URL: "https://intranet.kowalczyk.example.net/people/wilhelmina",
		PhotoURL:     "https://intranet.kowalczyk.example.net/photos/wilhelmina.jpg",
		CustomFields: []contact.CustomField{{Key: "Plan", Value: "calls back on 0171 5553344, born 1961-04-05, IBAN DE89370400440532013000"}},
	}
}

// A recording of each preset, replayed without the service, gives as many contacts as the service did, and has nothing of theirs in it.
func TestARecordingOfEveryPresetIsReplayed(t *testing.T) {
	for _, v := range tenantsOfPresets(t) {
		t.Run(v.kind, func(t *testing.T) {
			t.Parallel()
			clock := new(vendors.Clock)
			simulator, store := v.new(clock.Now)
			cloud := new(vendors.Cloud)
			cloud.Add(simulator)
			var secrets []string
			for i := range 23 {
				fields := v.fields(somebody(i))
				if v.kind != "google" { // its values have their keys beside them, for which the mapping looks
					secrets = append(secrets, textsIn(fields)...)
				}
				secrets = append(secrets, textsIn(suiteValues(somebody(i)))...)
				id := store.Create(fields)
				at := clock.Now().Add(-40*time.Hour + time.Duration(i/2)*time.Hour)
				store.Put(at, id, fields)
				if !strings.HasPrefix(id, "c") || len(id) > 6 {
					secrets = append(secrets, id)
				}
			}
			clock.Advance(20 * time.Minute)
			text := smallPages(v)
			recorder := recording.NewRecorder(cloud, clock.Now())
			s, err := open(t.Context(), v.kind, text, recorder, clock, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			want := contactsOf(t, s)
			known := s.(openedSource).fullSource.(*rest.Source).Recorded()
			folder := filepath.Join(t.TempDir(), "report")
			var node yaml.Node
			if err := yaml.Load([]byte("kind: "+v.kind+"\n"+text), &node); err != nil {
				t.Fatal(err)
			}
			if err := recorder.Save(folder, recording.About{Endpoint: "crm", Known: known, Source: node.Content[0], Region: "DE"}); err != nil {
				t.Fatal(err)
			}
			for name, value := range known.Secrets {
				if value != "" {
					secrets = append(secrets, value)
				} else if name == "" {
					t.Error("a secret has no name")
				}
			}
			lookFor(t, folder, secrets)

			player, err := recording.Open(folder)
			if err != nil {
				t.Fatal(err)
			}
			configuration := sourceOf(t, folder)
			again, err := newFactory(v.kind, configuration, player, nil)
			if err != nil {
				t.Fatalf("%v\n%s", err, configuration)
			}
			defer again.Close()
			replayed, err := again.Open(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer replayed.Close()
			defer func() {
				if t.Failed() {
					t.Logf("not recorded: %s\n%s", player.Missing(), configuration)
				}
			}()
			got := contactsOf(t, openedSource{replayed.(fullSource), again})
			if missing := player.Missing(); len(missing) > 0 {
				t.Fatalf("not recorded: %s\n%s", missing[0], configuration)
			}
			compareRecorded(t, want, got)
		})
	}
}

// Users are somebody too: a recording of the checks has nothing of theirs, and replayed, they can be read as agents again.
func TestARecordingOfUsersHasNothingOfTheirs(t *testing.T) {
	for _, v := range tenantsOfPresets(t) {
		if presetOf(v).Language.Agents.IsZero() {
			continue
		}
		t.Run(v.kind, func(t *testing.T) {
			t.Parallel()
			clock := new(vendors.Clock)
			simulator, _ := v.new(clock.Now)
			var users []vendors.User
			var secrets []string
			for i := range 230 {
				u := vendors.User{ID: fmt.Sprint(7_310_042 + 3*i), Name: fmt.Sprintf("Wilhelmina Featherstone%d", i), Email: fmt.Sprintf("wilhelmina%d@kowalczyk.example.net", i), Inactive: i%9 == 0}
				users = append(users, u)
				if !u.Inactive || i == 0 {
					secrets = append(secrets, u.ID, u.Email, "Wilhelmina", "Featherstone", "kowalczyk")
				}
			}
			simulator.Common().SetUsers(users...)
			cloud := new(vendors.Cloud)
			cloud.Add(simulator)
			recorder := recording.NewRecorder(cloud, clock.Now())
			text := smallPages(v)
			s, err := open(t.Context(), v.kind, text, recorder, clock, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			want := agentsCheck(t, s)
			if want.Verdict != source.Passed {
				t.Fatalf("\n%s", tell([]source.Check{want}))
			}
			folder := filepath.Join(t.TempDir(), "report")
			var node yaml.Node
			if err := yaml.Load([]byte("kind: "+v.kind+"\n"+text), &node); err != nil {
				t.Fatal(err)
			}
			known := s.(openedSource).fullSource.(*rest.Source).Recorded()
			if err := recorder.Save(folder, recording.About{Endpoint: "crm", Known: known, Source: node.Content[0]}); err != nil {
				t.Fatal(err)
			}
			lookFor(t, folder, secrets)

			player, err := recording.Open(folder)
			if err != nil {
				t.Fatal(err)
			}
			again, err := open(t.Context(), v.kind, sourceOf(t, folder), player, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if got := agentsCheck(t, again); got.Verdict != want.Verdict || got.Came != want.Came {
				t.Errorf("recorded was\n%sreplayed is\n%snot recorded: %q", tell([]source.Check{want}), tell([]source.Check{got}), player.Missing())
			}
		})
	}
}

// agentsCheck returns the check of users.
func agentsCheck(t *testing.T, s fullSource) source.Check {
	t.Helper()
	checks := checksOf(t, s)
	i := slices.IndexFunc(checks, func(c source.Check) bool { return c.Name == "agents" })
	if i < 0 {
		t.Fatalf("users were not checked:\n%s", tell(checks))
	}
	return checks[i]
}

// contactsOf reads an initial run in parts.
func contactsOf(t *testing.T, s fullSource) (list []contact.Contact) {
	t.Helper()
	d := directory{contacts: map[string]contact.Contact{}}
	if err := d.sync(t.Context(), s, 7, nil); err != nil {
		t.Fatal(err)
	}
	for _, id := range slices.Sorted(maps.Keys(d.contacts)) {
		list = append(list, d.contacts[id])
	}
	return list
}

// sourceOf returns the source of a recording's configuration.
func sourceOf(t *testing.T, folder string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, recording.ConfigurationFile))
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Endpoints map[string]struct {
			Source map[string]any `yaml:"source"`
		} `yaml:"endpoints"`
	}
	if err := yaml.Load(text, &read); err != nil {
		t.Fatal(err)
	}
	src := read.Endpoints["crm"].Source
	delete(src, "kind")
	written, err := yaml.Dump(src)
	if err != nil {
		t.Fatal(err)
	}
	return string(written)
}

// lookFor looks for values in the files of a recording, as they are and as JSON writes them.
func lookFor(t *testing.T, folder string, values []string) {
	t.Helper()
	for _, name := range []string{"recording.json", recording.ConfigurationFile} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range values {
			if len(value) < 4 {
				continue
			}
			escaped, _ := json.Marshal(value)
			if bytes.Contains(text, []byte(value)) || bytes.Contains(text, bytes.Trim(escaped, `"`)) {
				at := bytes.Index(text, []byte(value))
				t.Errorf("%s has %q: …%s…", name, value, text[max(0, at-80):min(len(text), max(at, 0)+80)])
				return
			}
		}
	}
}

// compareRecorded compares contacts with those of their recording: others, of the same form.
func compareRecorded(t *testing.T, want, got []contact.Contact) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d contacts, recorded were %d", len(got), len(want))
	}
	emails := map[string]bool{}
	for i := range want {
		w, g := want[i], got[i]
		if len(w.Phones) != len(g.Phones) || len(w.Emails) != len(g.Emails) || (w.Name == "") != (g.Name == "") || strings.Count(w.Name, " ") != strings.Count(g.Name, " ") {
			t.Fatalf("%+v\nbecame\n%+v", w, g)
		}
		for n := range w.Phones {
			before, after := phone.Parse(w.Phones[n], "DE"), phone.Parse(g.Phones[n], "DE")
			if before.E164 == after.E164 || before.Valid != after.Valid || before.Region != after.Region || before.E164[:6] != after.E164[:6] {
				t.Errorf("%s became %s", w.Phones[n], g.Phones[n])
			}
		}
		for _, email := range g.Emails {
			emails[email] = true
			if strings.Count(email, "@") != 1 {
				t.Errorf("%s is no e-mail address", email)
			}
		}
	}
	if len(emails) != len(want)+1 { // one of them all have
		t.Errorf("%d different e-mail addresses, want %d", len(emails), len(want)+1)
	}
}
