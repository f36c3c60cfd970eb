package directorytest

import (
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
)

// Numbers that are read only where they may have changed ([directory.Reading]).
var readingCases = []testCase{
	{"NumbersOfUnchangedContactsAreNotReadAgain", notReadAgain},
	{"AnotherReadingReadsOnceAndChangesNothingThatIsTheSame", anotherReading},
	{"WhatWasStoredWithoutAReadingIsReadOnce", withoutAReading},
	{"NumbersThatAreReadLateAreThoseOfTheLastRecord", readLate},
	{"ContactsThatAPurgeLeftAreStillJudged", judgedAfterAPurge},
}

// A reader reads national numbers with a country's prefix, and counts the contacts whose numbers it has read.
type reader struct {
	name, prefix string
	read         int
}

func (r *reader) reading() directory.Reading {
	return directory.Reading{Name: r.name, Numbers: func(phones []string) (numbers []directory.Number) {
		r.read++
		for _, p := range phones {
			numbers = append(numbers, directory.Number{Raw: p, E164: r.prefix + p, Match: r.prefix[1:] + p})
		}
		return numbers
	}}
}

// readFull does a complete full run with contacts whose numbers are not read yet, and wants that so many of them were read.
func (b *bench) readFull(r *reader, read int, contacts ...contact.Contact) *directory.Run {
	b.Helper()
	page := directory.PageChanges{Reading: r.reading()}
	for _, c := range contacts {
		page.Contacts = append(page.Contacts, directory.Record{Contact: c, Unread: true})
	}
	before := r.read
	run := b.complete(page, full)
	if got := r.read - before; got != read {
		b.Errorf("the numbers of %d contacts were read, want %d", got, read)
	}
	return run
}

func caller(id, name, phone string) contact.Contact {
	return contact.Contact{ID: id, Name: name, Phones: []string{phone}}
}

func notReadAgain(b *bench) {
	r := &reader{name: "us", prefix: "+1"}
	ann, bob := caller("1", "Ann", "4155550001"), caller("2", "Bob", "4155550002")
	silent := contact.Contact{ID: "3", Name: "Cid"}
	b.wantCounts(b.readFull(r, 3, ann, bob, silent), 3, 0, 0, 0)
	b.wantCounts(b.readFull(r, 0, ann, bob, silent), 0, 0, 3, 0)
	bob.Name = "Rob"
	b.wantCounts(b.readFull(r, 1, ann, bob, silent), 0, 1, 2, 0)
	bob.Phones = []string{"4155550009"}
	b.wantCounts(b.readFull(r, 1, ann, bob, silent), 0, 1, 2, 0)
	b.wantIDs(b.found("+14155550001"), "1")
	b.wantIDs(b.found("+14155550002"))
	b.wantIDs(b.found("+14155550009"), "2")
	b.wantCounts(b.readFull(r, 0, ann, silent), 0, 0, 2, 1) // it was marked though nothing was written of it
	b.holds(map[string]string{"1": "Ann", "3": "Cid"})
}

func anotherReading(b *bench) {
	first, same := &reader{name: "us 1", prefix: "+1"}, &reader{name: "us 2", prefix: "+1"}
	ann, silent := caller("1", "Ann", "4155550001"), contact.Contact{ID: "2", Name: "Bob"}
	b.readFull(first, 2, ann, silent)
	b.wantCounts(b.readFull(same, 1, ann, silent), 0, 0, 2, 0)
	b.wantCounts(b.readFull(same, 0, ann, silent), 0, 0, 2, 0)
	b.wantIDs(b.found("+14155550001"), "1")
	other := &reader{name: "gb", prefix: "+44"}
	b.wantCounts(b.readFull(other, 1, ann, silent), 0, 1, 1, 0)
	b.wantIDs(b.found("+14155550001"))
	b.wantIDs(b.found("+444155550001"), "1")
}

func withoutAReading(b *bench) {
	r := &reader{name: "us", prefix: "+1"}
	ann := caller("1", "Ann", "4155550001")
	nameless := &reader{prefix: "+1"}
	b.readFull(nameless, 1, ann)
	b.readFull(nameless, 1, ann) // it is not known whether they would be the same
	b.wantCounts(b.readFull(r, 1, ann), 0, 0, 1, 0)
	b.wantCounts(b.readFull(r, 0, ann), 0, 0, 1, 0)
}

// readLate has a contact on one page as it was and changed, in all orders.
func readLate(b *bench) {
	r := &reader{name: "us", prefix: "+1"}
	old, changed := caller("1", "Ann", "4155550001"), caller("1", "Ann", "4155550009")
	b.readFull(r, 1, old)
	b.wantCounts(b.readFull(r, 1, changed, changed), 0, 1, 1, 0)
	b.wantIDs(b.found("+14155550009"), "1")
	b.wantCounts(b.readFull(r, 1, changed, old), 0, 1, 1, 0)
	b.wantIDs(b.found("+14155550001"), "1")
	b.wantCounts(b.readFull(r, 2, changed, old), 0, 2, 0, 0)
	b.wantIDs(b.found("+14155550001"), "1")
	b.wantIDs(b.found("+14155550009"))
}

// judgedAfterAPurge: as many marks as contacts do not mean everybody where some of the marked are gone.
func judgedAfterAPurge(b *bench) {
	b.complete(directory.PageChanges{Contacts: people(1, 8, "Ann")})
	run := b.start(full)
	b.apply(run, directory.PageChanges{Contacts: people(1, 4, "Ann"), NextOffset: "2"})
	b.purge(false, 1, "00002")
	b.apply(run, directory.PageChanges{Contacts: people(5, 7, "Ann"), Checkpoint: "z"})
	b.wantCounts(run, 0, 0, 7, 1)
	b.holds(map[string]string{"00001": "Ann", "00003": "Ann", "00004": "Ann", "00005": "Ann", "00006": "Ann", "00007": "Ann"})
}
