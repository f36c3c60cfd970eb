package sourcetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// changeCases are about contacts that change between and during runs.
func changeCases() []testCase {
	return []testCase{
		{
			name: "IncrementalRunBringsWhatChanged",
			rule: "a run from a checkpoint brings every contact that was added or changed after it (P5)",
			run:  incrementalRunBringsWhatChanged,
		},
		{
			name: "ManyChangesWithOneStampInAnIncrementalRun",
			rule: "a batch with one stamp that is larger than a page arrives whole, also after a checkpoint (T1, E1)",
			run:  manyChangesWithOneStamp,
		},
		{
			name: "DeletionsAreChanges",
			rule: "a contact that is gone comes as a deletion in the next run, and as a contact again when it is back (D7)",
			needs: func(_ Target, service Service) string {
				if service.Delete == nil {
					return "the target has no deletions that its source can see (Delete)"
				}
				return ""
			},
			run: deletionsAreChanges,
		},
		{
			name: "GoneMeansTheSameEverywhere",
			rule: "a deleted column that says no, in whatever words, deletes no contact (D7)",
			needs: func(_ Target, service Service) string {
				if service.Mark == nil {
					return "the target has no deleted column of texts (Mark)"
				}
				return ""
			},
			run: goneMeansTheSameEverywhere,
		},
		{
			name: "WhatMovesBackDuringAnInitialRunIsShown",
			rule: "a contact is shown by an initial run even if its stamp goes back, or is removed, while the run reads (E12)",
			needs: func(target Target, _ Service) string {
				if target.Restarts {
					return "a change ends the run, so a complete one has shown a state in which nothing moved"
				}
				if target.Tokens {
					return "no stamp decides what a run shows"
				}
				if target.OwnClock {
					return "no stamp goes back: the external service stamps changes itself"
				}
				return ""
			},
			run: whatMovesBackIsShown,
		},
		{
			name: "ChangesDuringARunArriveAtLatestInTheNext",
			rule: "what was there before a run began is stored when it ends, and what changed meanwhile after the next (E2, E3)",
			run:  changesDuringARun,
		},
		{
			name: "WhatChangesInItsPlaceIsReadAgain",
			rule: "a contact that changes after it was read is read again, by the next run at the latest, also where it stays between the same others (E2)",
			run:  whatChangesInItsPlaceIsReadAgain,
		},
		{
			name: "RunEndsWhileContactsKeepChanging",
			rule: "a run ends, however fast contacts change and are added (E3, T6)",
			needs: func(target Target, _ Service) string {
				if target.OwnEnd {
					return "the external service's own pages say when a run ends (OwnEnd)"
				}
				return ""
			},
			run: runEndsWhileContactsKeepChanging,
		},
		{
			name:  "LateCommitIsDelivered",
			rule:  "what a transaction stamped before a run and committed after it comes with the next run (E2, T2)",
			needs: needsBegin,
			run:   lateCommitIsDelivered,
		},
		{
			name:  "CommitDuringARunIsDelivered",
			rule:  "a change that is committed before the place that a run has reached comes with the next run: the horizon is that of the run's begin (E2)",
			needs: needsBegin,
			run:   commitDuringARunIsDelivered,
		},
		{
			name:  "LateCommitAmongOthersIsDelivered",
			rule:  "an open transaction holds the horizon, whatever others commit, for as many runs as it takes (E2, T2)",
			needs: needsManyWriters,
			run:   lateCommitAmongOthersIsDelivered,
		},
	}
}

func incrementalRunBringsWhatChanged(x *exam) {
	want := x.settle(12)
	r := newReplica()
	x.mustSync(r, 5, nil)
	x.equal(r, want, "after the initial run")
	for round := 1; round <= 3; round++ {
		want[3] = version(want[3], round)
		added := Full(100 + round)
		want = append(want, added)
		x.put(x.service.Now(), want[3], added)
		x.close()
		x.mustSync(r, 5, nil)
		x.equal(r, want, fmt.Sprintf("after incremental run %d", round))
	}
}

func manyChangesWithOneStamp(x *exam) {
	want := x.settle(30)
	r := newReplica()
	x.mustSync(r, 30, nil)
	for i := range want {
		want[i] = version(want[i], 1)
	}
	x.put(x.service.Now(), want...)
	other := r.clone()
	x.mustSync(r, 4, func(page int) {
		if page != 3 {
			return
		}
		crashed := r.clone()
		x.mustSync(crashed, 9, nil)
		x.equal(crashed, want, "pages of 4, then from the third page's checkpoint")
	})
	x.equal(r, want, "pages of 4")
	x.mustSync(other, 1, nil)
	x.equal(other, want, "pages of 1")
}

func deletionsAreChanges(x *exam) {
	want := x.settle(10)
	r := newReplica()
	x.mustSync(r, 4, nil)
	gone := want[4]
	x.must(x.service.Delete(x.service.Now(), gone.ID), "delete a contact")
	_, changes, _ := x.all(x.reopen(), r.checkpoint)
	if !slices.ContainsFunc(changes, func(c bridge.Change) bool { return c.Deleted && c.Contact.ID == gone.ID }) {
		x.failf("the run after the deletion of %s brought %s", gone.ID, ids(changes))
	}
	x.mustSync(r, 4, nil)
	x.equal(r, slices.Concat(want[:4], want[5:]), "after the deletion")
	_, changes, _ = x.all(x.reopen(), "")
	for _, c := range changes {
		if c.Contact.ID == gone.ID && !c.Deleted {
			x.failf("an initial run brings the deleted contact %s as if it were there", gone.ID)
		}
	}
	want[4] = version(gone, 1)
	x.put(x.service.Now(), want[4])
	x.mustSync(r, 4, nil)
	x.equal(r, want, "after it is back")
}

func goneMeansTheSameEverywhere(x *exam) {
	no := []string{
		"", "0", "false", "F", "n", "N", "No", "0.0", "0000-00-00", "null", "No.", "9999-12-31T23:59:59Z", "10000-01-01", "31.12.9999", "12/31/9999", "99991231",
		"1970-01-01 01:00:00+01", "01.01.1970", "01.01.0001 00:00:00", "1900-01-00", "Thu, 01 Jan 1970 00:00:00 GMT", "infinity",
	}
	want := x.settle(len(no) + 2)
	for i, no := range no {
		x.must(x.service.Mark(x.service.Now(), want[i], no), "mark a contact")
	}
	last := len(want) - 1
	for _, yes := range []string{"1", "true", "Y", "x", "2026-11-29 10:00:00", "29.11.2026"} {
		x.must(x.service.Mark(x.service.Now(), want[last], yes), "mark a contact")
		r := newReplica()
		r.contacts[want[last].ID] = want[last]
		x.mustSync(r, 5, nil)
		x.equal(r, want[:last], fmt.Sprintf("with deleted columns that say no, and one that says %q", yes))
	}
}

func whatMovesBackIsShown(x *exam) {
	ways := []func(c contact.Contact){
		func(c contact.Contact) { x.put(x.long(-100), c) },
		func(c contact.Contact) { // back, and then on to a place that was read already
			x.put(x.long(-200), c)
			x.put(x.long(1), c)
		},
	}
	if x.service.PutNull != nil {
		ways = append(ways, func(c contact.Contact) { x.must(x.service.PutNull(c), "put a contact without a stamp") })
	}
	for _, size := range []int{1, 2, 5} {
		for n, back := range ways {
			want := x.settle(24)
			r := newReplica()
			x.mustSync(r, size, func(page int) {
				if page != 10/size {
					return
				}
				for _, i := range []int{14, 18, 23} { // not read yet
					want[i] = version(want[i], n+1)
					back(want[i])
				}
			})
			x.equal(r, want, fmt.Sprintf("pages of %d, way %d to move back", size, n+1))
			x.close()
		}
	}
}

func changesDuringARun(x *exam) {
	want := x.settle(24)
	for _, size := range []int{1, 5} {
		r := newReplica()
		before := slices.Clone(want)
		gone := map[string]bool{}
		x.mustSync(r, size, func(page int) {
			if page != 2 {
				return
			}
			for _, i := range []int{0, 11, 23} { // read already, in the middle, the last
				want[i] = version(want[i], size)
			}
			added := []contact.Contact{Full(500 + size), {ID: "a" + fmt.Sprint(size), Name: "Low Id"}}
			want = append(want, added...)
			x.put(x.service.Now(), append(added, want[0], want[11], want[23])...)
			if x.service.Delete != nil {
				gone[want[20].ID], gone[want[1].ID] = true, true
				x.must(x.service.Delete(x.service.Now(), want[20].ID, want[1].ID), "delete contacts")
			}
		})
		for _, c := range before {
			if _, ok := r.contacts[c.ID]; !ok && !gone[c.ID] {
				x.failf("pages of %d: contact %s was there before the run began, and is missing after it", size, c.ID)
			}
		}
		want = slices.DeleteFunc(want, func(c contact.Contact) bool { return gone[c.ID] })
		x.close()
		x.mustSync(r, size, nil)
		x.equal(r, want, fmt.Sprintf("pages of %d, after the next run", size))
	}
}

func whatChangesInItsPlaceIsReadAgain(x *exam) {
	want := x.settle(12) // so that a service has several pages
	r := newReplica()
	x.mustSync(r, 1, nil)
	x.close()
	n := 1
	put := func(contacts []contact.Contact) {
		n++
		for i := range contacts {
			contacts[i] = version(contacts[i], n)
		}
		x.put(x.service.Now(), contacts...)
	}
	for read := 1; read <= len(want); read++ {
		put(want)
		x.mustSync(r, 1, func(page int) {
			if page == read {
				put(want[read-1:])
			}
		})
		x.close()
		x.mustSync(r, 1, nil)
		x.close()
		x.equal(r, want, fmt.Sprintf("after the run after one in which contacts changed when %d were read", read))
	}
}

func runEndsWhileContactsKeepChanging(x *exam) {
	want := x.settle(30)
	added := 0
	change := func(page int) {
		if page > 60 && x.target.Restarts {
			return // where other sources are read before the one that ends the run, it would begin again for hours
		}
		if page > 60 {
			x.failf("a run over 30 contacts in pages of 5 has not ended after %d pages", page)
			panic(stopExam{})
		}
		for i := range want {
			want[i] = version(want[i], page+1)
		}
		for range 6 {
			added++
			want = append(want, Full(1000+added))
		}
		x.put(x.service.Now(), want...)
	}
	r := newReplica()
	err := x.sync(r, 5, change)
	if x.target.Restarts && err != nil {
		// It ends in an error each time, and the synchronizer gives up for now; what is there when it is quiet arrives.
		x.wantCode(err, bridge.CodeInvalidOffset, "a run over contacts that keep changing")
	} else {
		x.must(err, "synchronize")
	}
	x.close()
	x.mustSync(r, 5, nil)
	x.equal(r, want, "after the next run, when it is quiet")
}

func (x *exam) beginTx() Tx {
	tx, err := x.service.Begin()
	x.must(err, "begin a transaction")
	return tx
}

// ahead puts contacts that are stamped later than the transactions to come: they lure the checkpoint past them.
func (x *exam) ahead() []contact.Contact {
	c := []contact.Contact{Full(90), Full(91), Full(92), Full(93), Full(94), Full(95)}
	x.put(x.service.Now().Add(time.Hour), c...)
	return c
}

func lateCommitIsDelivered(x *exam) {
	want := append(x.settle(10), x.ahead()...)
	r := newReplica()
	for round := 1; round <= 2; round++ { // an initial run, then an incremental one
		tx := x.beginTx()
		want[2] = version(want[2], round)
		added := Full(50 + round)
		x.must(tx.Put(want[2], added), "put contacts in a transaction")
		x.mustSync(r, 4, nil)
		if _, ok := r.contacts[added.ID]; ok {
			x.failf("run %d brought a contact that had not been committed", round)
		}
		x.must(tx.Commit(), "commit")
		x.close()
		want = append(want, added)
		x.mustSync(r, 4, nil)
		x.equal(r, want, fmt.Sprintf("after the run that followed commit %d", round))
	}
	tx := x.beginTx()
	x.must(tx.Put(version(want[0], 9)), "put a contact in a transaction")
	x.mustSync(r, 4, nil)
	x.must(tx.Rollback(), "roll back")
	x.mustSync(r, 4, nil)
	x.equal(r, want, "after a rollback")
}

func commitDuringARunIsDelivered(x *exam) {
	oldest := []contact.Contact{{ID: "a1", Name: "First"}, {ID: "a2", Name: "Second"}} // one for each part
	x.put(x.long(-1), oldest...)
	r := newReplica()
	// The run below is to be an incremental one of every part, since an initial one looks again (E12), and to start right after
	// these contacts.
	if x.target.Part != nil {
		x.mustSync(r, 4, nil)
	} else {
		src := x.open()
		run, changes, _ := x.all(src, "")
		r.apply(changes)
		r.checkpoint = src.Checkpoint(run, last(changes[:min(2, len(changes))], nil), false)
	}
	want := append(x.settle(20), x.ahead()...)
	tx := x.beginTx()
	want[0], want[19] = version(want[0], 1), version(want[19], 1)
	x.must(tx.Put(want[0], want[19]), "put contacts in a transaction")
	committed := false
	x.mustSync(r, 4, func(page int) {
		if page == 6 { // after everything that was settled
			x.must(tx.Commit(), "commit")
			committed = true
		}
	})
	if !committed {
		x.failf("a run over 26 contacts in pages of 4 had fewer than seven pages")
		x.must(tx.Commit(), "commit")
	}
	x.mustSync(r, 4, nil)
	x.equal(r, append(want, oldest...), "after the next run")
}

func lateCommitAmongOthersIsDelivered(x *exam) {
	want := x.settle(10)
	r := newReplica()
	tx := x.beginTx()
	late := Full(99)
	x.must(tx.Put(late), "put a contact in a transaction")
	for round := 1; round <= 3; round++ {
		want[1] = version(want[1], round)
		added := Full(50 + round)
		want = append(want, added)
		x.put(x.service.Now(), want[1], added)
		x.mustSync(r, 3, nil)
		x.equal(r, want, fmt.Sprintf("run %d while a transaction is open", round))
	}
	x.must(tx.Commit(), "commit")
	x.mustSync(r, 3, nil)
	x.equal(r, append(want, late), "after the late commit")
}
