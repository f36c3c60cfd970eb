package registry_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// someCall is a kept look-up that tells of contacts of crm with these ids.
func someCall(number string, at time.Time, ids ...string) registry.Call {
	c := registry.Call{Account: "acme", Time: at, Number: number, Reason: "exact", Answer: json.RawMessage(`{"reason":"exact"}`)}
	for _, id := range ids {
		c.Contacts = append(c.Contacts, directory.Ref{Integration: "crm", ID: id})
	}
	return c
}

func TestLookUpsAreKeptListedAndPurged(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ok(t, w.PutAccount(t.Context(), registry.Account{Name: "acme", Callers: registry.Callers{Policy: []string{"newest"}, Keep: -1, Ranges: []string{"+4420794600xx: A"}}}))
		if a := got(w.Account(t.Context(), "acme"))(t); a.Callers.Keep != -1 || len(a.Callers.Policy) != 1 || len(a.Callers.Ranges) != 1 {
			t.Errorf("callers of the account: %+v", a.Callers)
		}
		now := w.clock.now()
		var calls []registry.Call
		for i := range 6 {
			calls = append(calls, someCall(fmt.Sprintf("+44207946001%d", i), now.Add(time.Duration(i)*time.Hour), fmt.Sprint("id\x00", i%3)))
		}
		ok(t, w.AddCalls(t.Context(), calls))
		numbers := func(before int64, limit int) (list []string) {
			t.Helper()
			for _, c := range got(w.Calls(t.Context(), "acme", before, limit))(t) {
				list = append(list, c.Number[len(c.Number)-1:])
			}
			return list
		}
		if list := numbers(0, 4); !cmp.Equal(list, []string{"5", "4", "3", "2"}) {
			t.Errorf("the newest: %q", list)
		}
		last := got(w.Calls(t.Context(), "acme", 0, 4))(t)[3]
		if list := numbers(last.ID, 9); !cmp.Equal(list, []string{"1", "0"}) {
			t.Errorf("those before: %q", list)
		}
		if n := got(w.PurgeCalls(t.Context(), "other", []directory.Ref{{Integration: "crm", ID: "id\x000"}}, []string{"+442079460015"}))(t); n != 0 {
			t.Errorf("%d look-ups of another account are purged", n)
		}
		if n := got(w.PurgeCalls(t.Context(), "acme", []directory.Ref{{Integration: "crm", ID: "id\x000"}}, []string{"+442079460015"}))(t); n != 3 {
			t.Errorf("%d look-ups are purged", n)
		}
		if list := numbers(0, 9); !cmp.Equal(list, []string{"4", "2", "1"}) {
			t.Errorf("left are %q", list)
		}
		ok(t, w.PruneCalls(t.Context(), "acme", now.Add(2*time.Hour), 100))
		if list := numbers(0, 9); !cmp.Equal(list, []string{"4", "2"}) {
			t.Errorf("left after a while are %q", list)
		}
		ok(t, w.PruneCalls(t.Context(), "acme", time.Time{}, 1))
		if list := numbers(0, 9); !cmp.Equal(list, []string{"4"}) {
			t.Errorf("the newest one is %q", list)
		}
		ok(t, w.DeleteAccount(t.Context(), "acme"))
		if list := numbers(0, 9); list != nil {
			t.Errorf("after the account: %q", list)
		}
	})
}

func TestCallsAreCountedByAccountAndDay(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		today := w.clock.now().Truncate(24 * time.Hour)
		one := registry.Recognition{Account: "acme", Day: today, Asked: 10, Named: 6, Ambiguous: 1, Unknown: 2}
		other := registry.Recognition{Account: "other", Day: today, Asked: 1, Named: 1}
		ok(t, w.AddRecognition(t.Context(), []registry.Recognition{one, other}))
		ok(t, w.AddRecognition(t.Context(), []registry.Recognition{one, {Account: "acme", Day: today.AddDate(0, 0, -1), Asked: 1, Unknown: 1}}))
		want := []registry.Recognition{
			{Account: "acme", Day: today.AddDate(0, 0, -1), Asked: 1, Unknown: 1},
			{Account: "acme", Day: today, Asked: 20, Named: 12, Ambiguous: 2, Unknown: 4},
		}
		if all := got(w.Recognitions(t.Context(), "acme", today.AddDate(0, 0, -3)))(t); !cmp.Equal(all, want) {
			t.Error(cmp.Diff(want, all))
		}
		all := got(w.Recognitions(t.Context(), "", today))(t)
		if len(all) != 1 || all[0].Asked != 21 || all[0].Named != 13 {
			t.Errorf("of all accounts: %+v", all)
		}
	})
}
