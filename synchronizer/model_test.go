package synchronizer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/source/memory"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// TestRunKeepsItsPromiseInEveryHistory is the model test of the run's state machine. A random history of the external
// service, its transactions and deletions included, meets synchronizers of which every single step (asking for a page, storing
// it, renewing the lease, …) waits for its turn. The turn may be taken, fail, succeed unnoticed, or kill the process before or
// after it; the bridge may forget its offsets, or its checkpoints; settings may change; time may pass; another synchronizer may
// come; an operator looks at the deletions that wait, and answers later. Whatever happens:
//
//   - a run that returns nil has brought everything that was committed before it was called, but for contacts that the bridge could
//     not send (some without saying which), and deletions that wait for a decision;
//   - no contact is deleted whom nobody has deleted in the external service, and a yes deletes only contacts that were shown;
//   - nothing is applied twice or late: a contact's version in the directory never goes back;
//   - once nobody disturbs any more, every run ends, and the next one succeeds.
func TestRunKeepsItsPromiseInEveryHistory(t *testing.T) {
	template := filepath.Join(t.TempDir(), "empty.db")
	store, err := sqlite.Open(t.Context(), template)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(dir, "contacts.db")
		copyFile(t, template, path)
		rapid.SyncTest(rt, func(rt *rapid.T) { liveThrough(rt, path) }) // with a clock that goes on when everybody waits
	})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, rest := range []string{"-wal", "-shm"} {
		if err := os.RemoveAll(to + rest); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// liveThrough draws one history and lives through it.
func liveThrough(t *rapid.T, path string) {
	store, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		store: store, crm: memory.NewStore(nil), history: map[string][]version{}, handlers: map[int]*bridge.Handler{},
		shown: map[string]int{}, odd: map[string]string{}, kept: map[string]bool{},
		lateCheckpoint: rapid.Bool().Draw(t, "checkpoint on the last page only"),
		exact:          rapid.Bool().Draw(t, "exact positions"),
		guard: rapid.SampledFrom([]directory.Guard{
			{Share: 1, Min: 100}, {Share: 0.2, Min: 1}, directory.NewGuard(0, 0),
		}).Draw(t, "guard"),
	}
	defer w.close(t)
	t.Repeat(map[string]func(*rapid.T){
		"":                   w.check,
		"commit":             w.commit,
		"begin":              w.begin,
		"commit what began":  w.commitOpen,
		"start":              w.start,
		"turn":               w.turn,
		"turns":              func(t *rapid.T) { w.undisturbed(rapid.IntRange(1, 8).Draw(t, "turns")) },
		"kill":               w.kill,
		"interrupt":          w.interrupt,
		"forget offsets":     func(*rapid.T) { w.epoch++ },
		"forget checkpoints": func(*rapid.T) { w.tenure++ },
		"change settings":    func(*rapid.T) { w.settings++ },
		"spoil":              w.spoil,
		"mend":               w.mend,
		"look":               w.look,
		"yes":                w.yes,
		"no":                 w.no,
		"time passes": func(t *rapid.T) {
			time.Sleep(rapid.SampledFrom([]time.Duration{time.Millisecond, 4 * time.Second, 11 * time.Second, 5 * time.Hour, 25 * time.Hour}).Draw(t, "time"))
			synctest.Wait()
		},
	})
	w.settle(t)
}

// A world is an external service, its bridge, a directory, and the synchronizers at work.
type world struct {
	store directory.Store
	crm   *memory.Store

	history  map[string][]version // what was committed of each contact, in order
	versions int
	open     *transaction
	shown    map[string]int // versions in the directory, when it was last looked at

	lateCheckpoint bool // the bridge sets a checkpoint on a run's last page only
	exact          bool // the bridge says that its offsets are exact positions
	epoch          int  // offsets of an earlier one are refused
	tenure         int  // checkpoints of an earlier one are answered with every contact
	settings       int
	guard          directory.Guard
	odd            map[string]string // contacts that the bridge cannot send: "with id" or "without id"
	kept           map[string]bool   // contacts that an operator has refused to delete
	looked         *look
	handlers       map[int]*bridge.Handler

	processes []*process

	mu    sync.Mutex
	steps []*step // that wait for their turn
}

// A version of a contact; versions of all contacts are numbered in one row.
type version struct {
	n       int
	deleted bool
}

// A look holds the deletions that an operator saw waiting.
type look struct {
	set  string
	have map[string]bool
}

// A transaction of the external service that is under way.
type transaction struct {
	tx     *memory.Tx
	id     string
	writes version
}

// A step is something that a process is about to do.
type step struct {
	process *process
	what    string
	turn    chan verdict
}

// A verdict says what becomes of a step.
type verdict struct {
	fate fate
	size int // contacts in the page that is fetched
}

type fate int

const (
	happens   fate = iota
	fails          // of a page: the bridge is down for a moment
	isLost         // of a page: it was answered, but the answer did not arrive
	diesFirst      // the process is killed before
	diesAfter      // the process is killed right after
)

var errKilled = errors.New("killed")

// A process is a synchronizer at work on one Run.
type process struct {
	world  *world
	number int
	cancel context.CancelFunc
	dead   bool           // guarded by world.mu
	needs  map[string]int // newest committed version of each contact when Run was called; without those that cannot be sent
	done   chan error
	ended  bool
}

func (w *world) nextVersion() int {
	w.versions++
	return w.versions
}

// write draws a change of one contact.
func (w *world) write(t *rapid.T, tx *memory.Tx) (id string, v version) {
	n := rapid.IntRange(1, 9).Draw(t, "contact")
	v = version{n: w.nextVersion(), deleted: rapid.IntRange(0, 3).Draw(t, "deleted") == 3}
	c := person(n, v.n)
	if v.deleted {
		tx.Delete(c.ID)
	} else {
		tx.Put(c)
	}
	return c.ID, v
}

func (w *world) committed(id string, v version) {
	past := w.history[id]
	if v.deleted && (len(past) == 0 || past[len(past)-1].deleted) {
		return // nobody was there to be deleted
	}
	w.history[id] = append(past, v)
}

func (w *world) commit(t *rapid.T) {
	time.Sleep(time.Millisecond)
	tx := w.crm.Begin()
	id, v := w.write(t, tx)
	if w.open != nil && w.open.id == id {
		tx.Rollback()
		t.Skip("the row is locked")
	}
	tx.Commit()
	w.committed(id, v)
}

// begin stamps a change that will be committed later (T2).
func (w *world) begin(t *rapid.T) {
	if w.open != nil {
		t.Skip("one is enough")
	}
	time.Sleep(time.Millisecond)
	w.open = &transaction{tx: w.crm.Begin()}
	w.open.id, w.open.writes = w.write(t, w.open.tx)
}

// spoil makes a contact one that the bridge cannot send.
func (w *world) spoil(t *rapid.T) {
	id := person(rapid.IntRange(1, 9).Draw(t, "contact"), 0).ID
	w.mu.Lock()
	w.odd[id] = rapid.SampledFrom([]string{"with id", "without id"}).Draw(t, "how")
	w.mu.Unlock()
	for _, p := range w.processes {
		delete(p.needs, id)
	}
}

// mend makes everybody one that can be sent, which changes them.
func (w *world) mend(t *rapid.T) {
	time.Sleep(time.Millisecond)
	for _, id := range slices.Sorted(maps.Keys(w.odd)) {
		if w.open != nil && w.open.id == id {
			t.Skip("the row is locked")
		}
	}
	w.mu.Lock()
	odd := slices.Sorted(maps.Keys(w.odd))
	clear(w.odd)
	w.mu.Unlock()
	for _, id := range odd {
		if past := w.history[id]; len(past) == 0 || past[len(past)-1].deleted {
			continue
		}
		v := version{n: w.nextVersion()}
		tx := w.crm.Begin()
		n := 0
		fmt.Sscanf(id, "c%d", &n)
		tx.Put(person(n, v.n))
		tx.Commit()
		w.committed(id, v)
	}
}

// waits returns the contacts that wait for a decision about their deletion.
func (w *world) waits(t *rapid.T) map[string]bool {
	list, err := w.store.Held(context.Background(), key, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, h := range list {
		all[h.Contact.ID] = true
	}
	return all
}

func (w *world) look(t *rapid.T) {
	state, err := w.store.State(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	w.looked = &look{set: state.Held.Set, have: w.waits(t)}
}

// yes says yes to what was seen at the last look.
func (w *world) yes(t *rapid.T) {
	if w.looked == nil {
		t.Skip("nobody looked")
	}
	before := w.directory(t)
	n, err := w.store.DeleteHeld(context.Background(), key, w.looked.set)
	after := w.directory(t)
	for id := range before {
		if _, there := after[id]; !there && !w.looked.have[id] {
			t.Fatalf("the confirmation deleted %s, which was not shown: %v", id, w.looked.have)
		}
	}
	if refused := errors.As(err, new(*directory.HeldError)); err != nil && !refused || refused && n > 0 || len(before)-len(after) != int(n) {
		t.Fatalf("the confirmation deleted %d, %v; there were %d contacts, now %d", n, err, len(before), len(after))
	}
}

// no says no to what was seen at the last look.
func (w *world) no(t *rapid.T) {
	if w.looked == nil {
		t.Skip("nobody looked")
	}
	waiting := w.waits(t)
	if _, err := w.store.KeepHeld(context.Background(), key, w.looked.set); err == nil {
		maps.Copy(w.kept, waiting)
	}
}

func (w *world) commitOpen(t *rapid.T) {
	if w.open == nil {
		t.Skip("none is open")
	}
	w.open.tx.Commit()
	w.committed(w.open.id, w.open.writes)
	w.open = nil
}

// newest is the newest committed version of each contact.
func (w *world) newest() map[string]int {
	all := map[string]int{}
	for id, past := range w.history {
		if len(past) > 0 {
			all[id] = past[len(past)-1].n
		}
	}
	return all
}

func (w *world) start(t *rapid.T) {
	alive := 0
	for _, p := range w.processes {
		if !p.ended {
			alive++
		}
	}
	if alive == 2 {
		t.Skip("two are enough")
	}
	w.launch(synchronizer.Options{
		Full:     rapid.IntRange(0, 4).Draw(t, "full") == 4,
		TakeOver: rapid.Bool().Draw(t, "take over"),
	})
}

// launch starts a process and lets it come to its first step.
func (w *world) launch(opts synchronizer.Options) *process {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{world: w, number: len(w.processes) + 1, cancel: cancel, needs: w.newest(), done: make(chan error, 1)}
	w.processes = append(w.processes, p)
	for id := range w.odd {
		delete(p.needs, id)
	}
	opts.Guard, opts.Settings = w.guard, fmt.Sprint("settings ", w.settings)
	s := synchronizer.Synchronizer{Bridge: p, Store: processStore{w.store, p}}
	go func() {
		report, err := s.Run(ctx, key, opts)
		if err == nil && report.Created+report.Updated+report.Unchanged != report.Contacts {
			err = fmt.Errorf("miscounted: %+v", report)
		}
		p.done <- err
	}()
	synctest.Wait()
	return p
}

// waiting is the steps that wait for their turn, in an order that does not depend on the Go scheduler.
func (w *world) waiting() []*step {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortFunc(w.steps, func(a, b *step) int {
		if d := a.process.number - b.process.number; d != 0 {
			return d
		}
		return strings.Compare(a.what, b.what)
	})
	return slices.Clone(w.steps)
}

// turn draws which step is next, and what becomes of it.
func (w *world) turn(t *rapid.T) {
	steps := w.waiting()
	if len(steps) == 0 {
		t.Skip("nobody waits")
	}
	s := steps[rapid.IntRange(0, len(steps)-1).Draw(t, "step")]
	fates := []fate{happens, happens, happens, diesFirst, diesAfter}
	if s.what == "fetch" {
		fates = append(fates, fails, isLost)
	}
	v := verdict{fate: rapid.SampledFrom(fates).Draw(t, "fate of "+s.what), size: rapid.IntRange(1, 4).Draw(t, "page size")}
	w.take(s, v)
}

// take lets a step have its turn and waits until everybody waits again.
func (w *world) take(s *step, v verdict) {
	w.mu.Lock()
	w.steps = slices.DeleteFunc(w.steps, func(other *step) bool { return other == s })
	w.mu.Unlock()
	s.turn <- v
	synctest.Wait()
}

// undisturbed gives so many turns without any harm, fairly; where nobody is ready, time passes. It reports whether anyone
// is still at work.
func (w *world) undisturbed(turns int) bool {
	for n := range turns {
		steps := w.waiting()
		if len(steps) > 0 {
			w.take(steps[n%len(steps)], verdict{size: 3})
			continue
		}
		if !slices.ContainsFunc(w.processes, func(p *process) bool { return len(p.done) == 0 && !p.ended }) {
			return false
		}
		time.Sleep(time.Second)
		synctest.Wait()
	}
	return true
}

// one draws a process that is at work.
func (w *world) one(t *rapid.T) *process {
	var alive []*process
	for _, p := range w.processes {
		if !p.ended {
			alive = append(alive, p)
		}
	}
	if len(alive) == 0 {
		t.Skip("nobody is at work")
	}
	return alive[rapid.IntRange(0, len(alive)-1).Draw(t, "process")]
}

func (w *world) kill(t *rapid.T) { w.end(w.one(t)) }

// end is SIGKILL: from now on nothing that the process does has an effect.
func (w *world) end(p *process) {
	w.mu.Lock()
	p.dead = true
	w.mu.Unlock()
	for _, s := range w.waiting() {
		if s.process == p {
			w.take(s, verdict{fate: diesFirst})
		}
	}
	p.cancel()
	synctest.Wait()
}

// interrupt is Ctrl-C.
func (w *world) interrupt(t *rapid.T) {
	w.one(t).cancel()
	synctest.Wait()
}

// check looks at the directory, and at who has ended.
func (w *world) check(t *rapid.T) {
	have := w.directory(t)
	for id := range w.history {
		w.shown[id] = w.notBack(t, id, have)
	}
	for _, p := range w.processes {
		if p.ended || len(p.done) == 0 {
			continue
		}
		p.ended = true
		err := <-p.done
		if err != nil && strings.Contains(err.Error(), "miscounted") {
			t.Fatal(err)
		}
		if err != nil {
			continue
		}
		waits := w.waits(t)
		for id, need := range p.needs {
			if waits[id] || w.kept[id] {
				continue
			}
			if has := w.atMost(id, have); has < need {
				t.Fatalf("process %d succeeded, but %s is in the directory in version %d; version %d was committed before it began",
					p.number, id, has, need)
			}
		}
	}
}

// directory is the version of every contact there.
func (w *world) directory(t *rapid.T) map[string]int {
	contacts, err := w.store.Contacts(context.Background(), key, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	state, err := w.store.State(context.Background(), key)
	if err != nil || state.Contacts != int64(len(contacts)) {
		t.Fatalf("%d contacts counted, %d are there (%v)", state.Contacts, len(contacts), err)
	}
	have := map[string]int{}
	for _, c := range contacts {
		n := 0
		fmt.Sscan(c.Title, &n)
		have[c.ID] = n
		if !slices.Contains(w.history[c.ID], version{n: n}) {
			t.Fatalf("%s is in the directory in version %d, which was never committed", c.ID, n)
		}
	}
	return have
}

// notBack makes sure that a contact is not in an older version than when it was last looked at, and returns the version. Of
// one that is not there the directory does not say which deletion it has heard of: the first that it can be.
func (w *world) notBack(t *rapid.T, id string, have map[string]int) int {
	before, now := w.shown[id], have[id]
	if now == 0 && before > 0 {
		first := slices.IndexFunc(w.history[id], func(v version) bool { return v.deleted && v.n >= before })
		if first < 0 {
			t.Fatalf("%s was there in version %d and is gone, but nobody has deleted it", id, before)
		}
		now = w.history[id][first].n
	}
	if now < before {
		t.Fatalf("%s went back from version %d to %d", id, before, now)
	}
	return now
}

// atMost is the newest version that the directory can have heard of.
func (w *world) atMost(id string, have map[string]int) int {
	if n, there := have[id]; there {
		return n
	}
	newest := 0
	for _, v := range w.history[id] {
		if v.deleted {
			newest = v.n
		}
	}
	return newest
}

// settle lets everybody finish without harm, and then one more run.
func (w *world) settle(t *rapid.T) {
	if w.undisturbed(1000) {
		t.Fatal("a run does not end")
	}
	w.check(t)
	w.last(t, synchronizer.Options{TakeOver: true})
	if w.open == nil {
		w.mend(t)
		w.last(t, synchronizer.Options{TakeOver: true, Full: true})
		w.isMirrored(t)
	}
}

// last does a run that nobody disturbs, and says yes to what it asks.
func (w *world) last(t *rapid.T, opts synchronizer.Options) {
	p := w.launch(opts)
	if w.undisturbed(1000) {
		t.Fatal("the last run does not end")
	}
	err := <-p.done
	if errors.As(err, new(*directory.GuardedError)) {
		w.look(t)
		w.yes(t)
		err = nil
	}
	if err != nil {
		t.Fatalf("the last run, which nobody disturbed: %v", err)
	}
	p.done <- nil
	w.check(t)
}

// isMirrored: with nothing open and nobody writing, the directory is the external service.
func (w *world) isMirrored(t *rapid.T) {
	for id, past := range w.history {
		if len(past) == 0 {
			continue
		}
		_, err := w.store.Contact(context.Background(), key, id)
		if gone := errors.Is(err, directory.ErrNotFound); gone != past[len(past)-1].deleted {
			t.Fatalf("%s: deleted is %v in the external service and %v in the directory", id, past[len(past)-1].deleted, gone)
		}
	}
}

// close kills who is left, so that the bubble can end.
func (w *world) close(t *rapid.T) {
	for _, p := range w.processes {
		w.end(p)
	}
	if err := w.store.Close(); err != nil {
		t.Error(err)
	}
}

// await waits for a step's turn. Waiting for a bridge ends with ctx, as a request does.
func (p *process) await(ctx context.Context, what string) verdict {
	s := &step{process: p, what: what, turn: make(chan verdict)}
	p.world.mu.Lock()
	dead := p.dead
	if !dead {
		p.world.steps = append(p.world.steps, s)
	}
	p.world.mu.Unlock()
	if dead {
		return verdict{fate: diesFirst}
	}
	select {
	case v := <-s.turn:
		return v
	case <-ctx.Done():
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
		p.world.steps = slices.DeleteFunc(p.world.steps, func(other *step) bool { return other == s })
		return verdict{fate: fails}
	}
}

// die makes everything that the process does from now on have no effect.
func (p *process) die() {
	p.world.mu.Lock()
	p.dead = true
	p.world.mu.Unlock()
	p.cancel()
}

// Page implements [synchronizer.Bridge].
func (p *process) Page(ctx context.Context, q bridge.PageRequest) (*bridge.Page, error) {
	v := p.await(ctx, "fetch")
	switch v.fate {
	case diesFirst:
		p.die()
		return nil, errKilled
	case fails:
		return nil, &bridge.Error{Code: bridge.CodeSourceUnavailable, Status: http.StatusServiceUnavailable, Message: "down"}
	}
	page, err := p.world.page(ctx, q, v.size)
	switch v.fate {
	case diesAfter:
		p.die()
		return nil, errKilled
	case isLost:
		return nil, &bridge.Error{Code: bridge.CodeUnreachable, Message: "reset"}
	}
	return page, err
}

// page is the bridge: its offsets hold for one epoch.
func (w *world) page(ctx context.Context, q bridge.PageRequest, size int) (*bridge.Page, error) {
	w.mu.Lock()
	epoch := fmt.Sprint(w.epoch)
	h, ok := w.handlers[size]
	if !ok {
		h = handler(w.crm, size)
		w.handlers[size] = h
	}
	w.mu.Unlock()
	tenure, checkpoint, _ := strings.Cut(q.Checkpoint, " ")
	restarted := q.Checkpoint != "" && tenure != fmt.Sprint(w.tenure)
	first := q.Offset == ""
	if !first {
		issued, offset, _ := strings.Cut(q.Offset, " ")
		if issued != epoch {
			return nil, &bridge.Error{Code: bridge.CodeInvalidOffset, Status: http.StatusBadRequest, Message: "no such offset"}
		}
		how, offset, _ := strings.Cut(offset, " ")
		q.Offset, restarted = offset, how == "restarted"
	}
	if q.Checkpoint = checkpoint; restarted {
		q.Checkpoint = ""
	}
	page, err := connect(h).Page(ctx, q)
	if err != nil {
		return nil, err
	}
	if page.Checkpoint != "" {
		page.Checkpoint = fmt.Sprint(w.tenure, " ", page.Checkpoint)
	}
	if page.NextOffset != "" {
		page.NextOffset = epoch + " " + map[bool]string{true: "restarted", false: "-"}[restarted] + " " + page.NextOffset
		if w.lateCheckpoint {
			page.Checkpoint = ""
		}
	}
	page.Restarted, page.Exact = restarted && first, w.exact
	w.leaveOut(page)
	return page, nil
}

// leaveOut rejects the contacts that cannot be sent.
func (w *world) leaveOut(page *bridge.Page) {
	w.mu.Lock()
	defer w.mu.Unlock()
	page.Contacts = slices.DeleteFunc(page.Contacts, func(c contact.Contact) bool {
		how := w.odd[c.ID]
		switch how {
		case "with id":
			page.Rejected = append(page.Rejected, bridge.Rejected{ID: c.ID, Reason: "is odd"})
		case "without id":
			page.Rejected = append(page.Rejected, bridge.Rejected{Reason: "is odd"})
		}
		return how != ""
	})
}

// A processStore is the directory as one process has it: every writing step waits for its turn.
type processStore struct {
	directory.Store
	p *process
}

func (s processStore) step(what string, f func() error) error {
	v := s.p.await(context.Background(), what)
	if v.fate == diesFirst {
		s.p.die()
		return errKilled
	}
	err := f()
	if v.fate == diesAfter {
		s.p.die()
		return errKilled
	}
	return err
}

func (s processStore) StartRun(ctx context.Context, key directory.Key, start directory.Start) (run *directory.Run, err error) {
	err = s.step("start the run", func() (err error) {
		run, err = s.Store.StartRun(ctx, key, start)
		return err
	})
	if err != nil {
		return nil, err
	}
	return run, nil
}

func (s processStore) ApplyPage(ctx context.Context, run *directory.Run, page directory.PageChanges) error {
	return s.step("store", func() error { return s.Store.ApplyPage(ctx, run, page) })
}

func (s processStore) RestartRun(ctx context.Context, run *directory.Run) error {
	return s.step("restart", func() error { return s.Store.RestartRun(ctx, run) })
}

func (s processStore) FailRun(ctx context.Context, run *directory.Run, cause error, hint string) error {
	return s.step("fail", func() error { return s.Store.FailRun(ctx, run, cause, hint) })
}

func (s processStore) RenewLease(ctx context.Context, run *directory.Run, lease time.Duration) error {
	return s.step("renew", func() error { return s.Store.RenewLease(ctx, run, lease) })
}
