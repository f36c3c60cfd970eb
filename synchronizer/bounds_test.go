package synchronizer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A run ends within a second of being cancelled, whatever it is at: here the numbers of a page of many contacts.
func TestACancelledRunEndsWithinASecond(t *testing.T) {
	page := &bridge.Page{}
	released := make(chan struct{}, 1)
	page.Release = func() { released <- struct{}{} }
	for i := range 20_000 {
		page.Contacts = append(page.Contacts, contact.Contact{ID: fmt.Sprint(i), Name: "Jane", Phones: []string{"+14155550100"}})
	}
	begun := make(chan struct{}, 20_000)
	slow := func([]string) []directory.Number {
		begun <- struct{}{}
		time.Sleep(time.Millisecond)
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	s := synchronizer.Synchronizer{Bridge: fixed{page}, Store: openStore(t), Numbers: slow}
	go func() { _, err := s.Run(ctx, key, synchronizer.Options{}); ended <- err }()
	<-begun
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a cancelled run has no error")
		}
	case <-time.After(time.Second):
		t.Error("the run goes on a second after it was cancelled")
		<-ended
	}
	select {
	case <-released:
	default:
		t.Error("the page still holds its room in the budget")
	}
}

// A page that was stored holds no room in the budget any more: a run of any length needs that of two pages.
func TestAStoredPageHoldsNoRoom(t *testing.T) {
	client := connect(paged(100, 10))
	client.Budget = bridge.NewBudget(1) // for one page, whatever its size
	s := synchronizer.Synchronizer{Bridge: client, Store: openStore(t)}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	report, err := s.Run(ctx, key, synchronizer.Options{})
	if err != nil || report.Contacts != 100 || report.Pages < 10 {
		t.Errorf("%+v, %v", report, err)
	}
}

// fixed always answers the same page.
type fixed struct{ page *bridge.Page }

func (f fixed) Page(context.Context, bridge.PageRequest) (*bridge.Page, error) { return f.page, nil }
