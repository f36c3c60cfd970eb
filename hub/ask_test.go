package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// askedSource answers questions as a test says.
type askedSource struct {
	insideOf
	asked  atomic.Int64
	answer atomic.Pointer[func(ctx context.Context, text string, q bridge.Search) ([]contact.Contact, error)]
}

func (s *askedSource) Search(ctx context.Context, of hub.InsideSource, _ bridge.Auth, q bridge.Search) ([]contact.Contact, error) {
	s.asked.Add(1)
	return (*s.answer.Load())(ctx, of.Text, q)
}

func (s *askedSource) CheckSearch(of hub.InsideSource) error {
	if strings.HasPrefix(of.Text, "csv") {
		return &failure.Error{Code: failure.Invalid, Message: "a source of kind csv cannot be asked for a number", Hint: "Leave ask out."}
	}
	return nil
}

func (s *askedSource) answers(do func(ctx context.Context, text string, q bridge.Search) ([]contact.Contact, error)) {
	s.answer.Store(&do)
}

func (s *askedSource) has(contacts ...contact.Contact) {
	s.answers(func(context.Context, string, bridge.Search) ([]contact.Contact, error) { return contacts, nil })
}

var jane = contact.Contact{ID: "7", Name: "Jane Doe", Company: "Acme Ltd", Phones: []string{"(415) 555-2671"}}

// asking is a hub in which acme has an integration that is asked.
func asking(t *testing.T) (*fixture, *askedSource) {
	t.Helper()
	f, s := newHub(t), &askedSource{}
	f.Inside = s
	s.has(jane)
	addAsked(t, f, "acme", "crm", registry.Integration{})
	return f, s
}

func addAsked(t *testing.T, f *fixture, account, name string, i registry.Integration) {
	t.Helper()
	i.Key, i.Source, i.Ask, i.Schedule.Off = directory.Key{Account: account, Integration: name}, "mysql", true, true
	must(t, f.AddIntegration(t.Context(), i, map[string]string{registry.SourceValue: "mysql " + account + " " + name}))
}

func lookUpLive(t *testing.T, h *hub.Hub, account, number string) caller.Answer {
	t.Helper()
	a, err := h.Lookup(t.Context(), account, number, "", caller.LookupOptions{Wait: 10 * time.Second, Explain: true})
	must(t, err)
	return a
}

func (f *fixture) move(d time.Duration) { f.clock.move(d) }

// Where no contact is known the source is asked, if there is time, and its answer is marked.
func TestASourceIsAskedWhereNobodyIsKnown(t *testing.T) {
	f, s := asking(t)
	a, err := f.Lookup(t.Context(), "acme", "+14155552671", "", caller.LookupOptions{})
	must(t, err)
	if a.Reason != caller.UnknownNumber || s.asked.Load() != 0 {
		t.Errorf("without time: %+v; asked %d times", a, s.asked.Load())
	}
	a = lookUpLive(t, f.Hub, "acme", "415 555 2671")
	if a.Reason != caller.LiveAnswer || a.Named == nil || a.Named.Name != "Jane Doe" || a.Named.Integration != "crm" || a.Named.ID != "7" || !a.Matches[0].Live || a.Matches[0].How != caller.Exact {
		t.Errorf("%+v", a)
	}
	e := a.Explanation
	if len(e.Asked) != 1 || e.Asked[0].Found != 1 || e.Asked[0].Note != "" || !strings.Contains(e.Why, "its source was asked") || !e.Candidates[0].Chosen {
		t.Errorf("%+v", e)
	}
	attributed, err := f.Attribute(t.Context(), crmKey, caller.Subject{Number: "+14155552671"})
	must(t, err)
	if attributed.Record != nil || attributed.Candidates != nil {
		t.Errorf("something is attributed to a contact that is not in the directory: %+v", attributed)
	}
}

// What is no full number, and what a contact is known for, is not asked.
func TestWhatIsNotAsked(t *testing.T) {
	f, s := asking(t)
	c := newCRM(t, 3)
	must(t, f.AddIntegration(t.Context(), registry.Integration{Key: directory.Key{Account: "acme", Integration: "known"}, Bridge: c.url}, good))
	stop := work(t, f.Hub)
	eventually(t, "a run is complete", func() bool {
		v, err := f.Integration(t.Context(), directory.Key{Account: "acme", Integration: "known"})
		return err == nil && v.State.Contacts == 3
	})
	stop()
	known := storedNumber(t, f, directory.Key{Account: "acme", Integration: "known"})
	for _, number := range []string{"", "anonymous", "123", "5552671", "0000000000", "'; DROP TABLE x", "%", "+1415555", known} {
		lookUpLive(t, f.Hub, "acme", number)
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
	var spelled []string
	s.answers(func(_ context.Context, _ string, q bridge.Search) ([]contact.Contact, error) {
		spelled = append(q.Spellings, q.Digits...)
		return nil, nil
	})
	lookUpLive(t, f.Hub, "acme", "+1 (415) 555-2671;%' OR 1=1 --*)(uid=*")
	lookUpLive(t, f.Hub, "acme", "+14155552671")
	if len(spelled) == 0 || strings.Trim(strings.Join(spelled, ""), "0123456789+()-./ ") != "" {
		t.Errorf("%q", spelled)
	}
}

// storedNumber is the number of a contact of an integration.
func storedNumber(t *testing.T, f *fixture, key directory.Key) string {
	t.Helper()
	contacts, err := f.Store().Contacts(t.Context(), key, "", 1)
	must(t, err)
	return contacts[0].Phones[0]
}

// An answer counts by the same rules as a stored contact: nobody is named for an ending.
func TestAnAnswerIsMatchedAsIfStored(t *testing.T) {
	f, s := asking(t)
	for phone, want := range map[string]caller.How{
		"415-555-2671": caller.Exact, "+1 415 555 2671 ext. 5": caller.Exact, "212-555-2671": "", "5552671": "", "+44 20 7946 0018": "", "1415555267": "", "": "",
		"030 1; 415 555 2671": caller.Exact,
	} {
		c := jane
		c.Phones = []string{phone}
		s.has(c)
		f.move(10 * time.Minute)
		a := lookUpLive(t, f.Hub, "acme", "+14155552671")
		if want == "" && (a.Named != nil || len(a.Matches) > 0 || a.Reason == caller.LiveAnswer) || want != "" && (a.Named == nil || a.Matches[0].How != want) {
			t.Errorf("%q: %+v", phone, a)
		}
	}
}

// A herd that asks for one number is one question, and a number that nobody has is not asked for again.
func TestOneQuestionForANumberAtATime(t *testing.T) {
	f, s := asking(t)
	begun, goOn := make(chan struct{}, 200), make(chan struct{})
	s.answers(func(context.Context, string, bridge.Search) ([]contact.Contact, error) {
		begun <- struct{}{}
		<-goOn
		return nil, nil
	})
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { lookUpLive(t, f.Hub, "acme", "+14155552671") })
	}
	<-begun
	close(goOn)
	all.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	lookUpLive(t, f.Hub, "acme", "(415) 555-2671")
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked again for a number that the source does not have")
	}
	f.move(6 * time.Minute)
	lookUpLive(t, f.Hub, "acme", "+14155552671")
	if n := s.asked.Load(); n != 2 {
		t.Errorf("asked %d times after some minutes", n)
	}
	f.FillAnswers(10_000)
	lookUpLive(t, f.Hub, "acme", "+14155552673")
	if n := f.KeptAnswers(); n != 1 {
		t.Errorf("%d answers are kept", n)
	}
}

// A source that is slow or fails costs a look-up no more than it allows, and is left in peace.
func TestASourceThatFailsIsLeftInPeace(t *testing.T) {
	for name, fails := range map[string]func(ctx context.Context) error{
		"slow":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"broken": func(context.Context) error { return errors.New("no such table, password s3cret") },
		"panics": func(context.Context) error { panic("s3cret") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, s := asking(t)
			if name == "slow" {
				f.SetMostWait(300 * time.Millisecond) // enough to get as far as the source on a machine that does much else
			}
			s.answers(func(ctx context.Context, _ string, _ bridge.Search) ([]contact.Contact, error) {
				return nil, fails(ctx)
			})
			for i := range 5 {
				a := lookUpLive(t, f.Hub, "acme", fmt.Sprintf("+1415555267%d", i))
				if a.Reason != caller.UnknownNumber || len(a.Explanation.Asked) != 1 || a.Explanation.Asked[0].Note == "" || strings.Contains(fmt.Sprint(a.Explanation), "s3cret") {
					t.Errorf("%+v, %+v", a, a.Explanation)
				}
			}
			if n := s.asked.Load(); n != 3 {
				t.Errorf("asked %d times, want 3", n)
			}
			s.has(jane)
			if a := lookUpLive(t, f.Hub, "acme", "+14155552671"); a.Named != nil || !strings.Contains(a.Explanation.Asked[0].Note, "peace") {
				t.Errorf("%+v", a.Explanation)
			}
			f.move(31 * time.Second)
			f.SetMostWait(hub.MostWait)
			if a := lookUpLive(t, f.Hub, "acme", "+14155552671"); a.Named == nil {
				t.Errorf("it is not tried again: %+v", a.Explanation)
			}
			if a := lookUpLive(t, f.Hub, "acme", "+14155552672"); a.Explanation.Asked[0].Found != 1 {
				t.Errorf("it is not asked although it works again: %+v", a.Explanation)
			}
		})
	}
}

// A look-up waits no longer than it says, and two seconds at most, whatever it says. The answer counts for the next one.
func TestALateAnswerCountsForTheNextOne(t *testing.T) {
	f, s := asking(t)
	goOn, deadline := make(chan struct{}), make(chan time.Time, 1)
	s.answers(func(ctx context.Context, _ string, _ bridge.Search) ([]contact.Contact, error) {
		at, _ := ctx.Deadline()
		deadline <- at
		<-goOn
		return []contact.Contact{jane}, nil
	})
	a, err := f.Lookup(t.Context(), "acme", "+14155552671", "", caller.LookupOptions{Wait: time.Millisecond, Explain: true})
	must(t, err)
	if a.Named != nil || !strings.Contains(a.Explanation.Asked[0].Note, "time") {
		t.Errorf("%+v", a)
	}
	if left := time.Until(<-deadline); left > hub.MostWait {
		t.Errorf("the source has %s", left)
	}
	close(goOn)
	eventually(t, "the answer is there", func() bool { return lookUpLive(t, f.Hub, "acme", "+14155552671").Named != nil })
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// Who was purged is not named by a source that still has them, nor is what was kept of the call.
func TestAPurgedPersonIsNotNamedByASource(t *testing.T) {
	f, _ := asking(t)
	ctx := t.Context()
	a, err := f.Call(ctx, "acme", "+14155552671", "", caller.LookupOptions{Wait: time.Second})
	must(t, err)
	if a.Named == nil {
		t.Fatalf("%+v", a)
	}
	keeping, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { f.KeepCalls(keeping); close(ended) }()
	defer func() { stop(); <-ended }()
	eventually(t, "the call is kept", func() bool {
		calls, err := f.Calls(ctx, "acme", 0, 10)
		return err == nil && len(calls) == 1
	})
	_, err = f.Purge(ctx, "acme", []directory.Ref{{Integration: "crm", ID: "7"}})
	must(t, err)
	for range 2 { // what is remembered of the answer, and a new one
		a, err = f.Call(ctx, "acme", "+14155552671", "", caller.LookupOptions{Wait: time.Second, Explain: true})
		must(t, err)
		if a.Named != nil || len(a.Matches) != 0 || strings.Contains(fmt.Sprintf("%+v", a.Explanation), "Jane") {
			t.Errorf("%+v", a)
		}
		f.move(10 * time.Minute)
	}
	calls, err := f.Calls(ctx, "acme", 0, 10)
	must(t, err)
	for _, c := range calls {
		if c.Answer.Named != nil {
			t.Errorf("a call that names them is kept: %+v", c)
		}
	}
}

// Another account's source is not asked, nor are integrations that are paused, broken or being removed.
func TestOnlyTheAccountsOwnSourcesAreAsked(t *testing.T) {
	f, s := asking(t)
	must(t, f.PutAccount(t.Context(), registry.Account{Name: "other", Region: "US"}))
	if a := lookUpLive(t, f.Hub, "other", "+14155552671"); a.Named != nil || a.Explanation.Asked != nil || s.asked.Load() != 0 {
		t.Errorf("%+v", a)
	}
	must(t, f.Pause(t.Context(), crmKey, true))
	f.move(time.Minute)
	if a := lookUpLive(t, f.Hub, "acme", "+14155552671"); a.Named != nil || !strings.Contains(a.Explanation.Asked[0].Note, "paused") {
		t.Errorf("%+v", a.Explanation)
	}
	must(t, f.Pause(t.Context(), crmKey, false))
	f.move(time.Minute)
	if a := lookUpLive(t, f.Hub, "acme", "+14155552671"); a.Named == nil {
		t.Errorf("%+v", a.Explanation)
	}
	must(t, f.RemoveIntegration(t.Context(), crmKey))
	f.move(time.Minute)
	if a := lookUpLive(t, f.Hub, "acme", "+14155552671"); a.Named != nil || a.Explanation.Asked != nil {
		t.Errorf("%+v", a.Explanation)
	}
}

// The roles and priorities of integrations count for answers.
func TestRolesAndPrioritiesCountForAnswers(t *testing.T) {
	f, s := asking(t)
	addAsked(t, f, "acme", "spam", registry.Integration{Role: "block"})
	addAsked(t, f, "acme", "erp", registry.Integration{Priority: 1})
	s.answers(func(_ context.Context, text string, q bridge.Search) ([]contact.Contact, error) {
		c := jane
		c.Name, c.Phones = c.Name+" of "+text, []string{q.Spellings[0]}
		return []contact.Contact{c}, nil
	})
	if a := lookUpLive(t, f.Hub, "acme", "+14155552672"); a.Named == nil || a.Named.Integration != "erp" || a.List != caller.Block || a.Reason != caller.LiveAnswer {
		t.Errorf("%+v", a)
	}
}

// Only what can be asked may be.
func TestAskIsChecked(t *testing.T) {
	f, _ := asking(t)
	for _, c := range []struct {
		i    registry.Integration
		text string
	}{
		{registry.Integration{Bridge: "https://bridge.example.com/sync"}, ""},
		{registry.Integration{Source: "csv"}, "csv a"},
	} {
		c.i.Key, c.i.Ask = directory.Key{Account: "acme", Integration: "new"}, true
		auth := map[string]string{}
		if c.text != "" {
			auth[registry.SourceValue] = c.text
		}
		err := f.AddIntegration(t.Context(), c.i, auth)
		if e := failure.Of(err); e.Field != "ask" || e.Hint == "" || e.Message == "" {
			t.Errorf("%+v: %v", c.i, err)
		}
	}
}
