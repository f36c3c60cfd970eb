package hub_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// desk is a hub with contacts of three integrations, of which one is a list to block, and with calls that are kept.
func desk(t *testing.T, callers registry.Callers) *fixture {
	t.Helper()
	f := newHub(t)
	crm, help, spam := newCRM(t, 0), newCRM(t, 0), newCRM(t, 0)
	crm.Put(
		contact.Contact{ID: "jane", Name: "Jane Doe", Company: "Acme", Phones: []string{"+44 20 7946 0018", "+44 20 7946 0019"}},
		contact.Contact{ID: "ann", Name: "Ann Ray", Phones: []string{"+44 20 7946 0222"}},
	)
	help.Put(contact.Contact{ID: "bob", Name: "Bob Fox", Phones: []string{"+44 20 7946 0222"}})
	spam.Put(contact.Contact{ID: "s", Name: "Robot", Phones: []string{"+44 20 7946 0222", "+44 20 7946 0333"}})
	must(t, f.PutAccount(t.Context(), registry.Account{Name: "acme", Region: "GB", Callers: callers}))
	f.add(t, crm, func(i *registry.Integration) { i.Priority = 2 })
	for name, bridge := range map[string]*struct {
		crm  *crmBridge
		role string
		prio int
	}{"help": {help, "", 1}, "spam": {spam, "block", 0}} {
		key := directory.Key{Account: "acme", Integration: name}
		must(t, f.AddIntegration(t.Context(), registry.Integration{Key: key, Bridge: bridge.crm.url, Role: bridge.role, Priority: bridge.prio}, good))
	}
	work(t, f.Hub)
	for _, name := range []string{"crm", "help", "spam"} {
		eventually(t, name+" has run", func() bool {
			v, err := f.Integration(t.Context(), directory.Key{Account: "acme", Integration: name})
			return err == nil && v.Status.Health == registry.HealthOK
		})
	}
	f.clock.move(10 * time.Second) // what the hub knows of an account is kept for some seconds
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { f.KeepCalls(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return f
}

type crmBridge = crm

func call(t *testing.T, h *hub.Hub, number string) caller.Answer {
	t.Helper()
	a, err := h.Call(t.Context(), "acme", number, "", caller.LookupOptions{})
	must(t, err)
	return a
}

// kept waits until so many look-ups are kept, and returns them, the newest first.
func kept(t *testing.T, h *hub.Hub, want int) (calls []hub.KeptCall) {
	t.Helper()
	eventually(t, "the look-ups are kept", func() bool {
		var err error
		calls, err = h.Calls(t.Context(), "acme", 0, 100)
		must(t, err)
		return len(calls) == want
	})
	return calls
}

func TestPriorityAndRolesOfIntegrationsDecide(t *testing.T) {
	f := desk(t, registry.Callers{Ranges: []string{"+4420794607xx: Range Ltd"}})
	if a := call(t, f.Hub, "+442079460222"); a.Named == nil || a.Named.Name != "Bob Fox" || a.Named.By != caller.ByPriority || a.List != caller.Block || a.Explanation != nil {
		t.Errorf("%+v", a)
	}
	if a := call(t, f.Hub, "020 7946 0333"); a.Named == nil || a.Named.Name != "Robot" || a.List != caller.Block {
		t.Errorf("%+v", a)
	}
	a, err := f.Lookup(t.Context(), "acme", "+442079460766", "", caller.LookupOptions{Explain: true})
	if err != nil || a.Named == nil || a.Named.Name != "Range Ltd" || a.Explanation.Account != "acme" {
		t.Errorf("%+v, %v", a, err)
	}
	a, err = f.Lookup(t.Context(), "acme", "+442079460018", "", caller.LookupOptions{Explain: true})
	if err != nil || len(a.Explanation.Ages) != 1 || a.Explanation.Ages[0].Fresh.IsZero() {
		t.Errorf("%+v, %v", a.Explanation, err)
	}
}

func TestLookUpsAreKeptMaskedWithTheirExplanation(t *testing.T) {
	f := desk(t, registry.Callers{})
	for _, number := range []string{"+442079460018", "0000000000", "anonymous", "+442079469999", "Jane Doe"} {
		call(t, f.Hub, number)
	}
	calls := kept(t, f.Hub, 5)
	written, err := json.Marshal(calls)
	must(t, err)
	for _, secret := range []string{"Jane", "Doe", "Acme", "0018", "0019"} {
		if strings.Contains(string(written), secret) {
			t.Errorf("the kept look-ups tell %q: %s", secret, written)
		}
	}
	first := calls[4].Answer
	if first.E164 != "+44207946xxxx" || first.Reason != "exact" || first.Explanation == nil || len(first.Explanation.Candidates) != 1 || first.Explanation.Candidates[0].ID != "jane" {
		t.Errorf("%+v", first)
	}
	today := f.clock.Now().UTC().Truncate(24 * time.Hour)
	counts, err := f.Recognitions(t.Context(), "acme", today)
	if err != nil || len(counts) != 1 || counts[0].Asked != 5 || counts[0].Named != 1 || counts[0].Unknown != 3 {
		t.Errorf("%+v, %v", counts, err)
	}
}

func TestWhatAnAccountSaysOfItsLookUpsHolds(t *testing.T) {
	f := desk(t, registry.Callers{Unmasked: true, Keep: time.Hour})
	call(t, f.Hub, "+442079460018")
	if first := kept(t, f.Hub, 1)[0].Answer; first.E164 != "+442079460018" || first.Named == nil || first.Named.Name != "Jane Doe" {
		t.Errorf("%+v", first)
	}
	must(t, f.PutAccount(t.Context(), registry.Account{Name: "acme", Region: "GB", Callers: registry.Callers{Keep: -1}}))
	f.clock.move(10 * time.Second)
	call(t, f.Hub, "+442079460018")
	eventually(t, "both are counted", func() bool {
		counts, err := f.Recognitions(t.Context(), "acme", f.clock.Now().UTC().Truncate(24*time.Hour))
		must(t, err)
		return len(counts) > 0 && counts[len(counts)-1].Asked == 2
	})
	kept(t, f.Hub, 1)
}

func TestAFloodOfCallsIsCountedAndKeptInPart(t *testing.T) {
	f := desk(t, registry.Callers{})
	for range 500 {
		call(t, f.Hub, "+442079460018")
	}
	eventually(t, "all are counted", func() bool {
		counts, err := f.Recognitions(t.Context(), "acme", f.clock.Now().UTC().Truncate(24*time.Hour))
		must(t, err)
		return len(counts) > 0 && counts[len(counts)-1].Asked == 500
	})
	var calls []hub.KeptCall
	eventually(t, "some are kept", func() (some bool) {
		var err error
		calls, err = f.Calls(t.Context(), "acme", 0, 1000)
		must(t, err)
		return len(calls) >= 20
	})
	if len(calls) > 400 {
		t.Errorf("%d are kept", len(calls))
	}
}

// TestAPurgeTakesTheLookUpsOfItsPerson: those that found them, and those for their numbers from before they were known.
func TestAPurgeTakesTheLookUpsOfItsPerson(t *testing.T) {
	for _, unmasked := range []bool{false, true} {
		f := desk(t, registry.Callers{Unmasked: unmasked})
		for _, number := range []string{"+442079460018", "+442079460222", "+14155550100"} {
			call(t, f.Hub, number)
		}
		kept(t, f.Hub, 3)
		call(t, f.Hub, "020 7946 0019") // not written yet
		_, err := f.Purge(t.Context(), "acme", []directory.Ref{{Integration: "crm", ID: "jane"}})
		must(t, err)
		calls, err := f.Calls(t.Context(), "acme", 0, 100)
		must(t, err)
		for _, c := range calls {
			if slices.ContainsFunc(c.Answer.Explanation.Candidates, func(m caller.Candidate) bool { return m.ID == "jane" }) || strings.HasPrefix(c.Answer.E164, "+44207946001") {
				t.Errorf("unmasked %v: a look-up of the purged person is kept: %+v", unmasked, c.Answer)
			}
		}
		if !slices.ContainsFunc(calls, func(c hub.KeptCall) bool { return strings.HasPrefix(c.Answer.E164, "+1415555") }) {
			t.Errorf("unmasked %v: another's look-up is gone too", unmasked)
		}
	}
}

func TestWhoCalledLastComesFirst(t *testing.T) {
	f := desk(t, registry.Callers{})
	for _, number := range []string{"+442079460018", "+442079460222", "+14155550100", "+442079460018"} {
		call(t, f.Hub, number)
	}
	kept(t, f.Hub, 4)
	refs, err := f.CalledLast(t.Context(), "acme")
	must(t, err)
	if want := []directory.Ref{{Integration: "crm", ID: "jane"}, {Integration: "help", ID: "bob"}}; !slices.Equal(refs, want) {
		t.Errorf("%+v called last, want %+v", refs, want)
	}
}

func TestOnlyPeopleWhoSeeTheWholeHubAreToldOfAnotherAccount(t *testing.T) {
	f := desk(t, registry.Callers{})
	must(t, f.PutAccount(t.Context(), registry.Account{Name: "other", Region: "GB"}))
	whole := hub.WithActor(t.Context(), hub.Actor{Name: "user root", All: true, Scopes: []registry.Scope{registry.ScopeAdmin}})
	if known, err := f.KnownElsewhere(whole, "other", "+442079460018"); err != nil || !slices.Equal(known, []string{"acme"}) {
		t.Errorf("the whole hub's administrator is told of %q, %v", known, err)
	}
	for name, actor := range map[string]hub.Actor{
		"one account's administrator":       {Accounts: []string{"other"}, Scopes: []registry.Scope{registry.ScopeAdmin}},
		"an administrator of both accounts": {Accounts: []string{"acme", "other"}, Scopes: []registry.Scope{registry.ScopeAdmin}},
		"the whole hub's reader":            {All: true, Scopes: []registry.Scope{registry.ScopeContacts, registry.ScopeCallers}},
	} {
		if known, err := f.KnownElsewhere(hub.WithActor(t.Context(), actor), "other", "+442079460018"); err != nil || known != nil {
			t.Errorf("%s is told of %q, %v", name, known, err)
		}
	}
	a, err := f.Lookup(whole, "other", "+442079460018", "", caller.LookupOptions{Explain: true})
	must(t, err)
	if written, _ := json.Marshal(a); strings.Contains(string(written), "acme") || strings.Contains(string(written), "Jane") {
		t.Errorf("an explanation tells of another account: %s", written)
	}
}
