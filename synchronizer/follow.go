package synchronizer

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
)

// A fetched page is ready to be stored, or the reason why it is missing.
type fetched struct {
	page    directory.PageChanges
	err     error
	release func() // gives back what the page holds of the memory for answers
}

// follow stores page after page until the last one, while a goroutine of its own fetches one page ahead: two pages are in
// memory at most, and only what is stored counts.
func (p *pass) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan fetched)
	ask := bridge.PageRequest{
		Checkpoint: p.run.Since, Offset: p.run.Offset, Context: p.run.Context, SupportsDeletions: true,
	}
	go p.background(func() { p.fetch(ctx, ask, p.run.Pages, pages) })
	defer func() {
		cancel()
		for f := range pages { // until the fetching goroutine has ended
			f.done()
		}
	}()
	for {
		next, err := p.next(ctx, pages)
		if err != nil {
			next.done()
			return err
		}
		err = p.store(ctx, next.page)
		next.done()
		if err != nil || next.page.Last() {
			return err
		}
	}
}

// done ends the use of a page.
func (f fetched) done() {
	if f.release != nil {
		f.release()
	}
}

// next waits for the next page, and renews the run's lease meanwhile.
func (p *pass) next(ctx context.Context, pages <-chan fetched) (fetched, error) {
	sign := time.NewTicker(p.opts.Lease / 3)
	defer sign.Stop()
	for {
		select {
		case f, ok := <-pages:
			if !ok {
				return fetched{}, context.Cause(ctx)
			}
			return f, f.err
		case <-sign.C:
			// Any other error does not end the run: the lease has two thirds of its time left, and storing will tell.
			if err := p.Store.RenewLease(ctx, p.run, p.opts.Lease); errors.Is(err, directory.ErrLeaseLost) {
				return fetched{}, err
			}
		}
	}
}

// store applies one page in one transaction (E5).
func (p *pass) store(ctx context.Context, page directory.PageChanges) error {
	page.Seq = p.run.Pages + 1
	page.Guard = p.opts.Guard
	before := p.run.Unchanged
	if err := p.Store.ApplyPage(ctx, p.run, page); err != nil {
		return err
	}
	p.same.Store(2*(p.run.Unchanged-before) > int64(len(page.Contacts)))
	p.remember(page.Rejected)
	p.tell(Event{Kind: PageStored, Run: *p.run})
	return nil
}

// fetch asks for page after page and hands them over, until the last one, an error, or the end of ctx. It closes out.
func (p *pass) fetch(ctx context.Context, ask bridge.PageRequest, pages int64, out chan<- fetched) {
	defer close(out)
	watch := newWatch(ask)
	for {
		pages++
		var f fetched
		answer, err := p.page(ctx, ask, pages, watch)
		if err == nil {
			f.release = answer.Release
			f.page, err = p.prepare(ctx, answer)
			ask.Offset, ask.Context = answer.NextOffset, answer.Context
		}
		f.err = err
		select {
		case out <- f:
		case <-ctx.Done():
			f.done()
			return
		}
		if f.err != nil || f.page.Last() {
			return
		}
	}
}

// page asks for the run's nth page and checks that the run gets on (D4).
func (p *pass) page(ctx context.Context, ask bridge.PageRequest, n int64, watch *watch) (*bridge.Page, error) {
	if n > p.opts.MaxPages {
		return nil, tooManyPages(p.opts.MaxPages)
	}
	answer, err := p.ask(ctx, ask)
	if err != nil {
		return nil, pageError(n, ask, err)
	}
	if answer.NextOffset != "" && watch.seen(answer.NextOffset, answer.Context) {
		return nil, loopError(n, answer.NextOffset)
	}
	return answer, nil
}

// prepare makes of an answer what the directory stores. It ends early where ctx does.
func (p *pass) prepare(ctx context.Context, answer *bridge.Page) (directory.PageChanges, error) {
	page := directory.PageChanges{
		Contacts:   make([]directory.Record, len(answer.Contacts)),
		Deleted:    answer.Deleted,
		NextOffset: answer.NextOffset,
		Context:    answer.Context,
		Checkpoint: answer.Checkpoint,
		Bytes:      answer.Bytes,
		Restarted:  answer.Restarted,
		Exact:      answer.Exact,
	}
	if p.Numbers != nil {
		page.Reading = directory.Reading{Name: p.Reading, Numbers: p.Numbers}
	}
	unread := page.Reading.Name != "" && p.same.Load()
	for i, c := range answer.Contacts {
		if ctx.Err() != nil {
			return directory.PageChanges{}, context.Cause(ctx)
		}
		page.Contacts[i].Contact = c
		switch {
		case p.Numbers == nil || len(c.Phones) == 0:
		case unread:
			page.Contacts[i].Unread = true
		default:
			page.Contacts[i].Numbers = p.Numbers(c.Phones)
		}
	}
	if ahead, can := p.Store.(directory.Preparer); can && !unread {
		ahead.Prepare(p.key, &page)
	}
	for _, r := range answer.Rejected {
		page.Rejected = append(page.Rejected, directory.Rejected{ID: r.ID, Reason: r.Reason})
	}
	return page, nil
}

// pageError says which page failed, and tells a refused offset from other errors.
func pageError(n int64, ask bridge.PageRequest, err error) error {
	if ask.Offset != "" && refusesOffset(err) {
		return &refusedOffset{page: n, err: err}
	}
	return &pageFailure{page: n, checkpoint: ask.Checkpoint != "" && ask.Offset == "", err: err}
}

// refusesOffset reports whether a request that carried an offset failed because of it. Our bridge says so by code; others
// can only say 400, or what is near it.
func refusesOffset(err error) bool {
	switch bridge.CodeOf(err) {
	case bridge.CodeInvalidOffset:
		return true
	case bridge.CodeInvalidCheckpoint:
		return false
	}
	switch statusOf(err) {
	case http.StatusBadRequest, http.StatusGone, http.StatusUnprocessableEntity:
		return true
	}
	return false
}
