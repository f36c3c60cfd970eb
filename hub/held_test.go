package hub_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// becomes makes the external service show so many contacts, the first ones, and nothing of the others.
func (c *crm) becomes(t *testing.T, n int) {
	t.Helper()
	other := newCRM(t, n)
	c.answer(func(w http.ResponseWriter, r *http.Request) bool {
		other.handler.ServeHTTP(w, r)
		return true
	})
}

// runs asks for a full run and waits until it is over.
func (f *fixture) full(t *testing.T) hub.IntegrationView {
	t.Helper()
	before := len(f.runs(t))
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Full: true}))
	eventually(t, "the full run is over", func() bool {
		v := f.view(t)
		return len(f.runs(t)) > before && v.Status.Worker == "" && v.Status.Asked == (registry.Ask{})
	})
	return f.view(t)
}

// D9: a yes is for the contacts that were shown, once.
func TestAYesIsForWhatWasShown(t *testing.T) {
	f, c := newHub(t), newCRM(t, 100)
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	c.becomes(t, 75)
	if v := f.full(t); v.Status.Health != registry.HealthGuarded {
		t.Fatalf("%+v", v.Status)
	}
	shown, _, err := f.Held(t.Context(), crmKey, 0, 1)
	must(t, err)
	c.becomes(t, 0) // an empty view, a lost grant
	if v := f.full(t); v.Status.Health != registry.HealthGuarded || v.State.Contacts != 100 {
		t.Fatalf("%d contacts, %+v", v.State.Contacts, v.Status)
	}
	_, err = f.AcceptDeletions(t.Context(), crmKey, shown.Set)
	if refused := failure.Of(err); refused.Code != failure.Conflict || refused.Field != "set" || !strings.Contains(refused.Message, "100 contacts wait") {
		t.Errorf("a confirmation of 25, where 100 wait: %v", err)
	}
	if v := f.view(t); v.State.Contacts != 100 || v.Status.Health != registry.HealthGuarded {
		t.Errorf("%d contacts, %+v", v.State.Contacts, v.Status)
	}
	c.becomes(t, 95)
	if v := f.full(t); v.State.Contacts != 95 || v.Status.Health != registry.HealthOK {
		t.Errorf("after they came back: %d contacts, %+v", v.State.Contacts, v.Status)
	}
}

// D9: a no is an answer as well, and a yes without a set is refused.
func TestANoKeepsTheContacts(t *testing.T) {
	f, c := newHub(t), newCRM(t, 40)
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	c.becomes(t, 20)
	v := f.full(t)
	for name, say := range map[string]func() (int64, error){
		"yes": func() (int64, error) { return f.AcceptDeletions(t.Context(), crmKey, "") },
		"no":  func() (int64, error) { return f.RefuseDeletions(t.Context(), crmKey, "") },
	} {
		if n, err := say(); n != 0 || err == nil {
			t.Errorf("a %s to nothing: %d, %v", name, n, err)
		}
	}
	var text bytes.Buffer
	must(t, f.WriteHeld(t.Context(), &text, crmKey))
	if lines := strings.Split(strings.TrimSpace(text.String()), "\n"); len(lines) != 21 || !strings.HasSuffix(lines[1], "not shown by a complete run") {
		t.Errorf("the download: %s", text.String())
	}
	if n, err := f.RefuseDeletions(t.Context(), crmKey, v.State.Held.Set); n != 20 || err != nil {
		t.Errorf("the no: %d, %v", n, err)
	}
	if v := f.view(t); v.State.Contacts != 40 || v.Status.Health != registry.HealthOK || v.State.Held.Count != 0 {
		t.Errorf("%+v, %+v", v.State, v.Status)
	}
}

// D9: a share of zero asks before any deletion.
func TestAGuardOfZeroAlwaysAsks(t *testing.T) {
	f, c := newHub(t), newCRM(t, 100)
	f.add(t, c, func(i *registry.Integration) { i.Guard = directory.NewGuard(0, 0) })
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	c.becomes(t, 99)
	if v := f.full(t); v.State.Contacts != 100 || v.Status.Health != registry.HealthGuarded || v.State.Held.Count != 1 {
		t.Errorf("%+v, %+v", v.State, v.Status)
	}
}

// A full run that a user asks for reads everything, not only the rest of a half-done run.
func TestAFullRunThatSomebodyAsksForReadsEverything(t *testing.T) {
	f, c := newHub(t), newCRM(t, 50)
	good := c.handler.(*bridge.Handler)
	wrong := &bridge.Handler{ // the bridge's mapping is wrong: everybody has the switchboard's number
		Name: good.Name, Open: good.Open, Authenticate: good.Authenticate, Digest: good.Digest, Limits: good.Limits,
		Prepare: func(c *contact.Contact) { c.Phones = []string{"+14155559999"} },
	}
	f.add(t, c)
	n := 0
	c.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if n++; n > 3 {
			w.WriteHeader(http.StatusNotFound) // and it breaks after three pages
			return true
		}
		wrong.ServeHTTP(w, r)
		return true
	})
	stop := work(t, f.Hub)
	eventually(t, "it has failed", func() bool { v := f.view(t); return v.Status.Failures >= 1 && v.Status.Worker == "" })
	stop()
	c.answer(nil) // The operator mends the bridge, and asks for everything. No row's stamp moves by that.
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Full: true}))
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	list, err := f.Store().Contacts(t.Context(), crmKey, "", 100)
	must(t, err)
	for _, c := range list {
		if c.Phones[0] == "+14155559999" {
			t.Errorf("%s still has the wrong number", c.ID)
		}
	}
}

// A full run that was asked for begins again when its offset is refused, and tells who is gone.
func TestAFullRunWhoseOffsetIsRefusedIsStillFull(t *testing.T) {
	f, c := newHub(t), newCRM(t, 40)
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	fewer, n := newCRM(t, 35), 0
	c.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if n++; n == 2 { // the bridge is started again, in a new version
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		fewer.handler.ServeHTTP(w, r)
		return true
	})
	if v := f.full(t); v.State.Contacts != 35 || !f.runs(t)[0].Judged() {
		t.Errorf("%d contacts, %+v", v.State.Contacts, f.runs(t)[0])
	}
}

// What was asked for and could not tell who is gone is still asked for.
func TestAFullRunThatJudgedNobodyIsStillAskedFor(t *testing.T) {
	f, c := newHub(t), newCRM(t, 40)
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	fewer := newCRM(t, 35)
	refuse := true
	c.answer(func(w http.ResponseWriter, r *http.Request) bool {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		if refuse && !strings.Contains(body.String(), `"offset":null`) {
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		r.Body = http.NoBody
		again := r.Clone(r.Context())
		again.Body = readCloser{&body}
		fewer.handler.ServeHTTP(w, again)
		return true
	})
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Full: true}))
	eventually(t, "the full run is over", func() bool { return len(f.runs(t)) > 1 && f.view(t).Status.Worker == "" })
	v := f.view(t)
	if run := f.runs(t)[0]; run.Judged() || run.JudgedNobody() == "" || !v.Status.Asked.Full || v.State.Contacts != 40 {
		t.Fatalf("asked %+v, %+v", v.Status.Asked, run)
	}
	refuse = false
	f.clock.move(31 * time.Minute)
	eventually(t, "everything was read", func() bool { v := f.view(t); return v.Status.Asked == (registry.Ask{}) && v.Status.Worker == "" })
	if v := f.view(t); v.State.Contacts != 35 {
		t.Errorf("%d contacts", v.State.Contacts)
	}
}

type readCloser struct{ *bytes.Buffer }

func (readCloser) Close() error { return nil }

// D8: an integration's new bridge is read from the beginning, and its predecessor's half-done run is not gone on with.
func TestAnotherBridgeIsReadFromTheBeginning(t *testing.T) {
	f, one, two := newHub(t), newCRM(t, 30), newCRM(t, 25)
	f.add(t, one)
	work(t, f.Hub)
	v := f.until(t, registry.HealthOK)
	i := v.Integration
	i.Bridge = two.url
	must(t, f.ChangeIntegration(t.Context(), i, map[string]string{"username": "agent", "password": "s3cret"}))
	must(t, f.Ask(t.Context(), crmKey, registry.Ask{Run: true}))
	eventually(t, "it has run", func() bool { return len(f.runs(t)) == 2 && f.view(t).Status.Worker == "" })
	if run := f.runs(t)[0]; run.Kind != directory.Initial || run.Contacts != 25 || run.Deleted != 5 {
		t.Errorf("%+v", run)
	}
}
