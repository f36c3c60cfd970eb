package sourcetest

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/contact"
)

func historyCase() testCase {
	return testCase{
		name: "RandomHistories",
		rule: "whatever was committed before a run began is stored when it ends, for any history and any pages (E2)",
		run:  randomHistories,
	}
}

// randomHistories makes random histories of writers and runs until its time is over. A failure is shrunk to a short one.
func randomHistories(x *exam) {
	end := time.Now().Add(historyTime(x))
	n := 0
	rapid.Check(recorder{TB: x.t, x: x}, func(rt *rapid.T) {
		if time.Now().After(end) && len(x.failures) == 0 {
			return
		}
		n++
		h := &history{
			T: rt, pool: twelve(), past: map[string][]string{}, locked: map[string]bool{}, replica: newReplica(),
			x: &exam{t: x.t, ctx: x.ctx, target: x.target, service: x.target.New(x.t)},
		}
		h.play()
	})
	x.t.Logf("%d random histories", n)
}

// historyTime returns how long histories are made: what the environment asks for, or the target, or 1 second.
func historyTime(x *exam) time.Duration {
	if asked := os.Getenv("SOURCETEST_HISTORIES"); asked != "" {
		budget, err := time.ParseDuration(asked)
		if err != nil {
			x.t.Fatalf("SOURCETEST_HISTORIES: %v; write it like 1m", err)
		}
		return budget
	}
	return cmp.Or(x.target.HistoryTime, time.Second)
}

// recorder makes rapid's verdict a failure of the exam.
type recorder struct {
	rapid.TB
	x *exam
}

// Errorf implements [rapid.TB].
func (r recorder) Errorf(format string, args ...any) {
	r.x.failures = append(r.x.failures, fmt.Sprintf(format, args...))
}

// Fatalf implements [rapid.TB].
func (r recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	r.FailNow()
}

// FailNow implements [rapid.TB].
func (r recorder) FailNow() { panic(stopExam{}) }

// Failed implements [rapid.TB].
func (r recorder) Failed() bool { return len(r.x.failures) > 0 }

// A history is one random sequence of writes and runs, and what the directory must hold after each run.
type history struct {
	*rapid.T
	x       *exam
	pool    []contact.Contact // the contacts that come and go, in their version 0
	replica *replica
	// past is, for every contact, the versions that were committed, in the order of their commits; "" is a deletion.
	past    map[string][]string
	next    int // the next version
	txs     []*openTx
	locked  map[string]bool // contacts that an open transaction has written
	inARun  bool
	actions int
}

type openTx struct {
	Tx
	writes map[string]string
}

func twelve() []contact.Contact {
	var list []contact.Contact
	for i := range 12 {
		list = append(list, Full(i))
	}
	return list
}

func (h *history) play() {
	defer h.end()
	for range rapid.IntRange(1, 25).Draw(h.T, "steps") {
		h.step()
	}
	for len(h.txs) > 0 {
		h.endTx()
	}
	h.run()
}

// end closes what is open and turns the exam's failures into rapid's.
func (h *history) end() {
	r := recover()
	if r != nil {
		if _, stop := r.(stopExam); !stop {
			panic(r)
		}
	}
	for _, tx := range h.txs {
		_ = tx.Rollback() // the history has failed already
	}
	h.x.close()
	if len(h.x.failures) > 0 {
		h.Fatalf("%s", strings.Join(h.x.failures, "\n"))
	}
}

func (h *history) step() {
	actions := []func(){h.put, h.put}
	if h.x.service.Delete != nil {
		actions = append(actions, h.delete)
	}
	if h.x.service.Begin != nil && !h.x.target.Unsorted {
		actions = append(actions, h.beginTx, h.endTx)
	}
	if !h.inARun {
		actions = append(actions, h.run, h.run)
	}
	actions[rapid.IntRange(0, len(actions)-1).Draw(h.T, "action")]()
}

// some draws contacts that no open transaction has written; it draws nothing if no one may write now.
func (h *history) some() []string {
	if len(h.txs) > 0 && !h.x.service.ManyWriters {
		return nil
	}
	return h.free()
}

func (h *history) free() []string {
	drawn := rapid.SliceOfNDistinct(rapid.IntRange(0, len(h.pool)-1), 1, 6, rapid.ID[int]).Draw(h.T, "contacts")
	var list []string
	for _, i := range drawn {
		if id := h.pool[i].ID; !h.locked[id] {
			list = append(list, id)
		}
	}
	return list
}

// make gives contacts new versions.
func (h *history) make(list []string) (contacts []contact.Contact, versions map[string]string) {
	versions = map[string]string{}
	for _, id := range list {
		i := slices.IndexFunc(h.pool, func(c contact.Contact) bool { return c.ID == id })
		h.next++
		c := version(h.pool[i], h.next)
		contacts, versions[id] = append(contacts, c), c.Title
	}
	return contacts, versions
}

func (h *history) committed(versions map[string]string) {
	for id, v := range versions {
		h.past[id] = append(h.past[id], v)
	}
}

func (h *history) put() {
	if list := h.some(); len(list) > 0 {
		contacts, versions := h.make(list)
		h.x.put(h.x.service.Now(), contacts...)
		h.committed(versions)
	}
}

func (h *history) delete() {
	var list []string
	for _, id := range h.some() {
		if past := h.past[id]; len(past) > 0 && past[len(past)-1] != "" {
			list = append(list, id)
		}
	}
	if len(list) == 0 {
		return
	}
	h.x.must(h.x.service.Delete(h.x.service.Now(), list...), "delete contacts")
	for _, id := range list {
		h.past[id] = append(h.past[id], "")
	}
}

func (h *history) beginTx() {
	if len(h.txs) >= 2 || len(h.txs) == 1 && !h.x.service.ManyWriters {
		return
	}
	list := h.free()
	tx := &openTx{Tx: h.x.beginTx()}
	h.txs = append(h.txs, tx)
	if len(list) == 0 {
		return
	}
	var contacts []contact.Contact
	contacts, tx.writes = h.make(list)
	h.x.must(tx.Put(contacts...), "put contacts in a transaction")
	for _, id := range list {
		h.locked[id] = true
	}
}

func (h *history) endTx() {
	if len(h.txs) == 0 {
		return
	}
	i := rapid.IntRange(0, len(h.txs)-1).Draw(h.T, "transaction")
	tx := h.txs[i]
	h.txs = slices.Delete(h.txs, i, i+1)
	for id := range tx.writes {
		delete(h.locked, id)
	}
	if rapid.Bool().Draw(h.T, "commit") {
		h.x.must(tx.Commit(), "commit")
		h.committed(tx.writes)
		return
	}
	h.x.must(tx.Rollback(), "roll back")
}

// run makes a run, with writes between its pages, and checks the promise at its end. Some runs die on the way.
func (h *history) run() {
	size := rapid.IntRange(1, 7).Draw(h.T, "page size")
	dies := rapid.SampledFrom([]int{0, 0, 0, 1, 3}).Draw(h.T, "dies after page")
	start := map[string]int{}
	for id, past := range h.past {
		start[id] = len(past) - 1
	}
	h.inARun = true
	died := h.pages(size, dies)
	h.inARun = false
	h.x.close()
	if !died {
		h.check(start)
	}
}

// died is how a run ends that is killed between two pages.
type died struct{}

func (h *history) pages(size, dies int) (dead bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, dead = r.(died); !dead {
				panic(r)
			}
		}
	}()
	h.actions = 0
	h.x.mustSync(h.replica, size, func(page int) {
		if dies > 0 && page >= dies {
			panic(died{})
		}
		for !h.x.target.Slides && h.actions < 6 && rapid.Bool().Draw(h.T, "something happens") {
			h.actions++
			h.step()
		}
	})
	return false
}

// check compares the directory with every version since the run began.
func (h *history) check(start map[string]int) {
	for _, id := range slices.Sorted(maps.Keys(h.past)) {
		allowed := h.past[id]
		if first, ok := start[id]; ok {
			allowed = allowed[first:]
		} else {
			allowed = append([]string{""}, allowed...)
		}
		if h.x.target.LateReturns && cameBack(allowed[1:]) {
			continue // the next run brings it
		}
		stored := h.replica.contacts[id].Title
		if !slices.Contains(allowed, stored) {
			h.x.failf("after the run contact %s is at version %q; when it began %q was committed, and since then %q (\"\": deleted)",
				id, stored, allowed[0], allowed[1:])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(h.replica.contacts)) {
		if _, ok := h.past[id]; !ok {
			h.x.failf("after the run there is a contact %s, which was never committed", id)
		}
	}
}

// cameBack reports whether a contact with these versions was deleted and is, or was, back.
func cameBack(versions []string) bool {
	gone := slices.Index(versions, "")
	return gone >= 0 && slices.ContainsFunc(versions[gone:], func(v string) bool { return v != "" })
}
