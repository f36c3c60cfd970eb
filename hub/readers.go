package hub

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/phonebook"
)

// What is kept of the devices that read phonebooks.
const (
	readersEvery    = 10 * time.Second     // how often it is written
	keepReaders     = 400 * 24 * time.Hour // after a device has read last
	mostReadersHeld = 5000                 // in memory, until they are written
	mostReaderText  = 200                  // bytes of what a device says it is
)

// readers are the devices that have read and that are not written yet.
type readers struct {
	mu   sync.Mutex
	held map[readerKey]*registry.Reader
	turn sync.Mutex // one writes at a time, so that a purge can wait for it
}

type readerKey struct{ account, book, way, name, address, device string }

// NoteReader notes that a device has read a phonebook. Last is when it began to.
func (h *Hub) NoteReader(r registry.Reader) {
	r.Name, r.Device = r.Name[:min(len(r.Name), mostReaderText)], r.Device[:min(len(r.Device), mostReaderText)]
	r.Name, r.Device = strings.ToValidUTF8(r.Name, ""), strings.ToValidUTF8(r.Device, "")
	key := readerKey{r.Account, r.Book, r.Way, r.Name, r.Address, r.Device}
	h.readers.mu.Lock()
	defer h.readers.mu.Unlock()
	if known := h.readers.held[key]; known != nil {
		if r.Last.After(known.Last) {
			known.Last = r.Last
		}
		known.Copies = known.Copies || r.Copies
		known.Times++
		return
	}
	if len(h.readers.held) >= mostReadersHeld {
		return
	}
	if h.readers.held == nil {
		h.readers.held = map[readerKey]*registry.Reader{}
	}
	r.Since, r.Times = r.Last, 1
	h.readers.held[key] = &r
}

// KeepReaders writes which devices read phonebooks until ctx is done, and the last ones then. Every process that serves phonebooks
// needs it.
func (h *Hub) KeepReaders(ctx context.Context) {
	h.every(ctx, readersEvery, "note who read phonebooks", h.writeReaders)
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := h.writeReaders(ctx); err != nil {
		h.log().Error("could not note who read phonebooks last", "error", err)
	}
}

func (h *Hub) writeReaders(ctx context.Context) error {
	h.readers.turn.Lock()
	defer h.readers.turn.Unlock()
	h.readers.mu.Lock()
	held := h.readers.held
	h.readers.held = nil
	h.readers.mu.Unlock()
	list := make([]registry.Reader, 0, len(held))
	for _, r := range held {
		list = append(list, *r)
	}
	if len(list) == 0 {
		return nil
	}
	return h.Registry.AddReaders(ctx, list)
}

// A PhonebookView is how a phonebook stands, and who reads it.
type PhonebookView struct {
	Account string            `json:"account"`
	Name    string            `json:"name"`
	Filled  bool              `json:"filled"` // before that, it is not shown to devices
	Members int64             `json:"members"`
	Readers []registry.Reader `json:"readers"` // the last one first, at most [registry.MostReaders]
	Erased  time.Time         `json:"erased"`  // when somebody was purged last who was in it; zero: never

	// Book is the phonebook as it is served; nil where this process does not know it, since the configuration file does.
	Book *phonebook.Book
	// Settings are those that somebody gave it; nil: the configuration file declares it.
	Settings *registry.PhonebookSettings
	Keys     []registry.PhonebookKey // by name
}

// ReadBy is when a device read last with a credential's name; the zero time where none has.
func (v *PhonebookView) ReadBy(name string) (last time.Time) {
	for i := range v.Readers {
		if r := &v.Readers[i]; r.Name == name && r.Last.After(last) {
			last = r.Last
		}
	}
	return last
}

// Behind reports whether a device may still show somebody who was purged: it keeps a copy, and has not read since.
func (v *PhonebookView) Behind(r *registry.Reader) bool { return r.Copies && r.Last.Before(v.Erased) }

// PhonebooksOf lists an account's phonebooks by name, with the devices that read them.
func (h *Hub) PhonebooksOf(ctx context.Context, account string) ([]PhonebookView, error) {
	if err := permitAny(ctx, account, registry.ScopeRead, registry.ScopeControl, registry.ScopeWrite); err != nil {
		return nil, err
	}
	if _, err := h.Account(ctx, account); err != nil {
		return nil, err
	}
	if err := h.writeReaders(ctx); err != nil {
		return nil, err
	}
	if err := h.readPhonebooks(ctx); err != nil {
		return nil, err
	}
	names, err := h.phonebookNames(ctx, account)
	if err != nil {
		return nil, err
	}
	views := make([]PhonebookView, 0, len(names))
	for _, name := range names {
		v, err := h.phonebookView(ctx, account, name)
		if errors.Is(err, directory.ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

// PhonebookOf is one of those of PhonebooksOf.
func (h *Hub) PhonebookOf(ctx context.Context, account, name string) (PhonebookView, error) {
	all, err := h.PhonebooksOf(ctx, account)
	if err != nil {
		return PhonebookView{}, err
	}
	i := slices.IndexFunc(all, func(v PhonebookView) bool { return v.Name == name })
	if i < 0 {
		return PhonebookView{}, missing("phonebook", name)
	}
	return all[i], nil
}

// phonebookNames are the phonebooks of an account by name. A process without the configuration file knows those of the file by the
// directory only.
func (h *Hub) phonebookNames(ctx context.Context, account string) (names []string, err error) {
	if !h.books.whole.Load() {
		if names, err = h.bookNames(ctx, account); err != nil {
			return nil, err
		}
	}
	for _, b := range h.books.set.All() {
		if b.Account == account && !slices.Contains(names, b.Name) {
			names = append(names, b.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (h *Hub) phonebookView(ctx context.Context, account, name string) (v PhonebookView, err error) {
	v = PhonebookView{Account: account, Name: name, Book: h.books.set.Of(account, name)}
	state, err := h.store.Book(ctx, directory.BookKey{Account: account, Name: name})
	if err != nil && (v.Book == nil || !errors.Is(err, directory.ErrNotFound)) {
		return v, err
	}
	v.Filled, v.Members = state.Filled, state.Members
	if v.Book != nil && v.Book.Made {
		p, err := h.Registry.Phonebook(ctx, account, name)
		if isNotFound(err) {
			err = directory.ErrNotFound
		}
		if err != nil {
			return v, err
		}
		v.Settings = &p.Settings
	}
	if v.Keys, err = h.Registry.Keys(ctx, account, name); err != nil {
		return v, err
	}
	if v.Readers, err = h.Registry.Readers(ctx, account, name); err != nil {
		return v, err
	}
	v.Erased, err = h.Registry.Erasure(ctx, account, name)
	return v, err
}

// RenewPhonebooks makes every address book read its phonebook anew.
func (h *Hub) RenewPhonebooks(ctx context.Context) error {
	if err := permit(ctx, registry.ScopeAdmin, ""); err != nil {
		return err
	}
	if err := h.store.RenewBooks(ctx); err != nil {
		return err
	}
	return h.Note(ctx, "phonebook.renew", "", "", "all")
}

// bookNames are the phonebooks of an account, without the selections that belong to another one.
func (h *Hub) bookNames(ctx context.Context, account string) ([]string, error) {
	names, err := h.store.BookNames(ctx, account)
	return slices.DeleteFunc(names, func(name string) bool { return strings.Contains(name, "/") }), err
}

// An ErasedFrom is a phonebook that showed somebody who was purged.
type ErasedFrom struct {
	Name string `json:"name"`
	// Behind are the devices that keep a copy of it and have not read since the purge.
	Behind []registry.Reader `json:"behind"`
}

// booksOf returns the phonebooks that show one of some contacts.
func (h *Hub) booksOf(ctx context.Context, account string, refs []directory.Ref) (books []string, err error) {
	names, err := h.bookNames(ctx, account)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		state, err := h.store.Book(ctx, directory.BookKey{Account: account, Name: name})
		if errors.Is(err, directory.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		members, err := h.store.MembersOf(ctx, state, refs)
		if err != nil {
			return nil, err
		}
		if len(members) > 0 {
			books = append(books, name)
		}
	}
	return books, nil
}

// erased notes a purge in phonebooks, and says which devices have not heard of it.
func (h *Hub) erased(ctx context.Context, account string, books []string) (from []ErasedFrom, err error) {
	if len(books) == 0 {
		return nil, nil
	}
	if err := h.writeReaders(ctx); err != nil {
		return nil, err
	}
	now := h.now()
	if err := h.Registry.NoteErasure(ctx, account, books, now); err != nil {
		return nil, err
	}
	for _, name := range books {
		readers, err := h.Registry.Readers(ctx, account, name)
		if err != nil {
			return nil, err
		}
		behind := slices.DeleteFunc(readers, func(r registry.Reader) bool { return !r.Copies || !r.Last.Before(now) })
		from = append(from, ErasedFrom{Name: name, Behind: behind})
	}
	return from, nil
}
