package registry

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

// A disk takes events when it is let, and refuses those of kind bad together with all that come with them.
type disk struct {
	let     chan struct{}
	batches [][]string // subjects
}

var errBad = errors.New("bad")

func (d *disk) write(_ context.Context, events []*Event) error {
	<-d.let
	var subjects []string
	bad := false
	for i, e := range events {
		subjects = append(subjects, e.Subject)
		bad = bad || e.Kind == "bad"
		e.ID = int64(100*len(d.batches) + i + 1)
	}
	d.batches = append(d.batches, subjects)
	if bad {
		return errBad
	}
	return nil
}

// TestEventsThatComeMeanwhileAreWrittenTogether adds events while one is being written.
func TestEventsThatComeMeanwhileAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, d := &gathering{}, &disk{let: make(chan struct{})}
		events := []*Event{{Subject: "1"}, {Subject: "2"}, {Subject: "3", Kind: "bad"}, {Subject: "4"}}
		errs := make([]error, len(events))
		for i, e := range events {
			go func() { errs[i] = g.add(t.Context(), e, d.write) }()
			synctest.Wait()
		}
		close(d.let)
		synctest.Wait()
		want := [][]string{{"1"}, {"2", "3", "4"}, {"2"}, {"3"}, {"4"}} // the bad one takes no other with it
		if !slices.EqualFunc(d.batches, want, slices.Equal) {
			t.Errorf("written: %q", d.batches)
		}
		for i, err := range errs {
			if bad := events[i].Kind == "bad"; bad != errors.Is(err, errBad) || bad == (events[i].ID != 0) {
				t.Errorf("event %d: %v, id %d", i+1, err, events[i].ID)
			}
		}
	})
}

// TestWhoWaitsNoLongerForAnEventKeepsNobodyWaiting ends the context of one who waits, and of one whose turn it is to write.
func TestWhoWaitsNoLongerForAnEventKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, d := &gathering{}, &disk{let: make(chan struct{}, 9)}
		ctx, cancel := context.WithCancel(t.Context())
		first, gone, last := make(chan error, 1), make(chan error, 1), make(chan error, 1)
		go func() { first <- g.add(t.Context(), &Event{Subject: "1"}, d.write) }()
		synctest.Wait()
		go func() { gone <- g.add(ctx, &Event{Subject: "2"}, d.write) }()
		synctest.Wait()
		go func() { last <- g.add(t.Context(), &Event{Subject: "3"}, d.write) }()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		d.let <- struct{}{}
		d.let <- struct{}{}
		if err := errors.Join(<-first, <-last); err != nil {
			t.Error(err)
		}
		if want := [][]string{{"1"}, {"3"}}; !slices.EqualFunc(d.batches, want, slices.Equal) {
			t.Errorf("written: %q", d.batches)
		}
		if g.writing || len(g.waiting) > 0 {
			t.Error("somebody is still said to write")
		}
	})
}
