package hub

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/phonebook"
)

// books are the phonebooks of a process: those of the configuration file, and those that somebody made.
type books struct {
	set  *phonebook.Set
	ldap *phonebook.LDAP // where made phonebooks are read over LDAP; nil: nowhere
	keys cache[tokenKey, registry.PhonebookKey]

	turn   sync.Mutex  // one reads them anew at a time
	known  int64       // changes that have been read; 0: none
	whole  atomic.Bool // the configuration's are known: the directory keeps exactly the books of the set
	kept   chan struct{}
	keptIn sync.Once
}

// Books are the phonebooks that this process serves.
func (h *Hub) Books() *phonebook.Set { return h.books.set }

// DeclarePhonebooks makes known which phonebooks the configuration file declares, and where those are read over LDAP that somebody makes;
// nil: nowhere. Of ldap only what belongs to the address is used. It is called before anything else is done with the hub.
func (h *Hub) DeclarePhonebooks(declared []phonebook.Config, ldap *phonebook.LDAP) {
	h.books.ldap = ldap
	h.books.set.Declare(declared)
}

func (h *Hub) newBooks() {
	h.books.set = phonebook.NewSet(nil, func(ctx context.Context, account string) (a phonebook.Access, err error) {
		a.Store, a.Hidden, a.Region, err = h.Phonebooks(ctx, account)
		a.Called = func(ctx context.Context) ([]directory.Ref, error) { return h.CalledLast(ctx, account) }
		return a, err
	})
	h.books.set.UseKeys(bookKeys{h})
	h.books.set.Observe(func(b *phonebook.Book, r phonebook.Reading) {
		h.NoteReader(registry.Reader{Account: b.Account, Book: b.Name, Way: string(r.Way), Name: r.Name, Address: r.Address, Device: r.Device, Copies: r.Copies, Last: r.Began})
	})
}

// KeptBooks has a value when the directory has been told of other phonebooks, which are to be filled.
func (h *Hub) KeptBooks() <-chan struct{} {
	h.books.keptIn.Do(func() { h.books.kept = make(chan struct{}, 1) })
	return h.books.kept
}

// SetPhonebooks makes the directory keep exactly the phonebooks of the configuration file and those that somebody made. From then on this
// process does so whenever they change.
func (h *Hub) SetPhonebooks(ctx context.Context) error {
	h.books.turn.Lock()
	h.books.known = 0
	h.books.whole.Store(true)
	h.books.turn.Unlock()
	return h.readPhonebooks(ctx)
}

// KeepPhonebooks follows what is changed of phonebooks, here and in other processes, until ctx is done: those that are new or changed are
// served, and devices whose credential was revoked are shut out.
func (h *Hub) KeepPhonebooks(ctx context.Context) {
	tick := time.NewTicker(tokenFresh)
	defer tick.Stop()
	ended := int64(-1)
	for {
		revoked, next := h.Registry.Revoked()
		if revoked != ended {
			if err := h.endVisits(ctx); err == nil {
				ended = revoked
			} else if ctx.Err() == nil {
				h.seldom().Error("could not find out which credentials of phonebooks were revoked", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
			continue
		case <-tick.C:
		}
		_, err := h.Registry.Revocations(ctx)
		if err = errors.Join(err, h.readPhonebooks(ctx)); err != nil && ctx.Err() == nil {
			h.seldom().Error("could not read which phonebooks there are", "error", err)
		}
	}
}

// readPhonebooks reads the phonebooks that somebody made, if they have changed.
func (h *Hub) readPhonebooks(ctx context.Context) error {
	h.books.turn.Lock()
	defer h.books.turn.Unlock()
	changes, err := h.Registry.PhonebookChanges(ctx)
	if err != nil || changes+1 == h.books.known {
		return err
	}
	made, err := h.Registry.Phonebooks(ctx, "")
	if err != nil {
		return err
	}
	keys, err := h.Registry.KeyKinds(ctx)
	if err != nil {
		return err
	}
	configs := make([]phonebook.Config, len(made))
	for i, p := range made {
		configs[i] = h.configOf(p)
	}
	kinds := map[directory.BookKey]phonebook.KeyKinds{}
	for book, all := range keys {
		digest := slices.Contains(all, registry.KeyDigest)
		kinds[book] = phonebook.KeyKinds{Password: digest || slices.Contains(all, registry.KeyPassword), Digest: digest}
	}
	h.books.set.Make(configs, kinds)
	if h.books.whole.Load() {
		if err := h.store.SetBooks(ctx, phonebook.Declared(h.books.set.Configs())); err != nil {
			return err
		}
		h.KeptBooks()
		select {
		case h.books.kept <- struct{}{}:
		default:
		}
	}
	h.books.known = changes + 1
	return nil
}

// phonebooksChanged has this process serve at once what was changed by it.
func (h *Hub) phonebooksChanged(ctx context.Context) {
	h.books.keys.clear()
	if err := h.readPhonebooks(ctx); err != nil {
		h.seldom().Error("could not read which phonebooks there are", "error", err) // it is tried again
	}
}

// endVisits shuts out the devices whose credentials were revoked.
func (h *Hub) endVisits(ctx context.Context) error {
	visitors := h.books.set.Visitors()
	if len(visitors) == 0 {
		return nil
	}
	living, err := h.Registry.LivingKeys(ctx, visitors)
	if err != nil {
		return err
	}
	for _, id := range visitors {
		if !living[id] {
			h.books.set.End(id)
		}
	}
	return nil
}

// configOf is a phonebook as it is served.
func (h *Hub) configOf(p registry.Phonebook) phonebook.Config {
	s := p.Settings
	c := phonebook.Config{
		Name: p.Name, Account: p.Account, Made: true, Integrations: s.Integrations, Where: s.Where,
		Numbers: phonebook.Numbers{
			Format: cmp.Or(phonebook.Format(s.Numbers.Format), phonebook.E164), Region: s.Numbers.Region, Area: s.Numbers.Area, OutsidePrefix: s.Numbers.OutsidePrefix,
		},
	}
	if s.HTTP != nil {
		c.HTTP = &phonebook.HTTP{Title: s.HTTP.Title, First: cmp.Or(phonebook.First(s.HTTP.First), phonebook.FirstByName), Prefer: s.HTTP.Prefer}
		for _, text := range s.HTTP.Allow {
			if prefix, err := netip.ParsePrefix(text); err == nil { // it was checked
				c.HTTP.Allow = append(c.HTTP.Allow, prefix.Masked())
			}
		}
	}
	if s.LDAP != nil && h.books.ldap != nil {
		l := *h.books.ldap
		l.Base, l.BindDN, l.Password, l.Anonymous = "ou="+p.Name+",o="+p.Account, "", "", false
		l.SizeLimitCode = s.LDAP.SizeLimitCode
		c.LDAP = &l
	}
	if s.CardDAV != nil {
		c.CardDAV = &phonebook.CardDAV{Title: s.CardDAV.Title}
	}
	return c
}

// MayReadOverLDAP reports whether phonebooks that somebody makes can be read over LDAP.
func (h *Hub) MayReadOverLDAP() bool { return h.books.ldap != nil }

// PutPhonebook makes a phonebook, or changes one, and reports whether it is new. One that the configuration file declares is changed there.
func (h *Hub) PutPhonebook(ctx context.Context, p registry.Phonebook) (made bool, err error) {
	if err := permit(ctx, registry.ScopeAdmin, p.Account); err != nil {
		return false, err
	}
	a, err := h.Account(ctx, p.Account)
	if err != nil {
		return false, err
	}
	s := &p.Settings
	s.Where, s.Numbers.Region = strings.TrimSpace(s.Where), strings.ToUpper(s.Numbers.Region)
	if s.HTTP != nil {
		s.HTTP.Prefer = strings.TrimSpace(s.HTTP.Prefer)
	}
	if err := h.declaredPhonebook(ctx, p.Account, p.Name); err != nil {
		return false, err
	}
	if err := h.checkPhonebook(ctx, p, a.Region); err != nil {
		return false, err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	made, err = h.Registry.PutPhonebook(ctx, p)
	if errors.Is(err, registry.ErrTooMany) {
		return false, &failure.Error{Code: failure.Conflict, Field: "name", Message: fmt.Sprintf("the account has %d phonebooks already", registry.MostPhonebooks), Hint: "Let several telephones share one, or remove one first."}
	}
	if err != nil {
		return false, goingAccount(err, p.Account)
	}
	h.phonebooksChanged(ctx)
	detail := "changed"
	if made {
		detail = "made"
	}
	return made, h.Note(ctx, "phonebook.set", p.Account, p.Name, detail)
}

func goingAccount(err error, account string) error {
	if errors.Is(err, registry.ErrGoing) {
		return missing("account", account)
	}
	return err
}

// declaredPhonebook refuses changes of a phonebook that the configuration file declares.
func (h *Hub) declaredPhonebook(ctx context.Context, account, name string) error {
	b := h.books.set.Of(account, name)
	return unmanaged(ctx, b != nil && !b.Made, "the phonebook "+name)
}

// RemovePhonebook removes a phonebook that somebody made, with its credentials: its devices are shut out at once.
func (h *Hub) RemovePhonebook(ctx context.Context, account, name string) error {
	if err := permit(ctx, registry.ScopeAdmin, account); err != nil {
		return err
	}
	if err := h.declaredPhonebook(ctx, account, name); err != nil {
		return err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := h.Registry.DeletePhonebook(ctx, account, name); err != nil {
		if isNotFound(err) {
			return missing("phonebook", name)
		}
		return err
	}
	h.phonebooksChanged(ctx)
	return errors.Join(h.endVisits(ctx), h.Note(ctx, "phonebook.remove", account, name, ""))
}

// Sizes of what devices sign in with, in letters and digits of five bits each. People type passwords on telephones.
const (
	keyPasswordSize = 20
	keyPathSize     = 26
)

// AddKey makes a credential for a phonebook's device or site, and returns its secret, which is shown this once.
func (h *Hub) AddKey(ctx context.Context, account, book, name string, kind registry.KeyKind) (k registry.PhonebookKey, secret string, err error) {
	if err := permit(ctx, registry.ScopeAdmin, account); err != nil {
		return k, "", err
	}
	b, err := h.phonebook(ctx, account, book)
	if err != nil {
		return k, "", err
	}
	if err := checkKey(b, name, kind); err != nil {
		return k, "", err
	}
	size := keyPasswordSize
	if kind == registry.KeyPath {
		size = keyPathSize
	}
	secret = strings.ToLower(rand.Text()[:size])
	digest := sha256.Sum256([]byte(secret))
	a, _ := ActorOf(ctx)
	k = registry.PhonebookKey{Account: account, Book: book, Name: name, Kind: kind, MadeBy: cmp.Or(a.Name, "hub")}
	ctx, cancel := lasting(ctx)
	defer cancel()
	switch err := h.Registry.AddKey(ctx, &k, digest[:], secret); {
	case errors.Is(err, registry.ErrExists):
		return k, "", &failure.Error{Code: failure.Conflict, Field: "name", Message: fmt.Sprintf("the phonebook has a credential %q already", name), Hint: "Choose another name, or revoke that one first."}
	case errors.Is(err, registry.ErrTooMany):
		return k, "", &failure.Error{Code: failure.Conflict, Field: "name", Message: fmt.Sprintf("the phonebook has %d credentials already", registry.MostKeys), Hint: "Revoke those that are not used any more."}
	case err != nil:
		return k, "", goingAccount(err, account)
	}
	h.phonebooksChanged(ctx)
	return k, secret, h.Note(ctx, "phonebook.credential.add", account, book+"/"+name, string(kind))
}

// phonebook returns an account's phonebook, declared or made.
func (h *Hub) phonebook(ctx context.Context, account, name string) (*phonebook.Book, error) {
	if _, err := h.Account(ctx, account); err != nil {
		return nil, err
	}
	if err := h.readPhonebooks(ctx); err != nil {
		return nil, err
	}
	b := h.books.set.Of(account, name)
	if b != nil {
		return b, nil
	}
	names, err := h.phonebookNames(ctx, account)
	if err == nil && slices.Contains(names, name) {
		err = &failure.Error{Code: failure.NotFound, Message: "the phonebook " + name + " is declared by a configuration file", Hint: "Name that file with -c."}
	}
	if err == nil {
		err = missing("phonebook", name)
	}
	return nil, err
}

func checkKey(b *phonebook.Book, name string, kind registry.KeyKind) error {
	problems := []error{checkName("name", name)}
	invalid := func(field, message, hint string) {
		problems = append(problems, &failure.Error{Code: failure.Invalid, Field: field, Message: message, Hint: hint})
	}
	if b.HTTP != nil && b.HTTP.User == name || b.CardDAV != nil && b.CardDAV.User == name {
		invalid("name", fmt.Sprintf("%q is a user of the configuration file", name), "Choose another name, so that it can be told who reads the phonebook.")
	}
	switch kind {
	case registry.KeyPassword:
	case registry.KeyDigest, registry.KeyPath:
		if b.HTTP == nil {
			invalid("kind", "the phonebook is not read over HTTP, and only there is such a credential good", "Choose password.")
		}
	default:
		invalid("kind", fmt.Sprintf("unknown kind %q", kind), "Choose password, digest or path.")
	}
	return errors.Join(problems...)
}

// RevokeKey revokes a phonebook's credential by its name: what is being sent to its devices is broken off, and they are refused from then on;
// in other processes within a second.
func (h *Hub) RevokeKey(ctx context.Context, account, book, name string) error {
	if err := permit(ctx, registry.ScopeAdmin, account); err != nil {
		return err
	}
	keys, err := h.Registry.Keys(ctx, account, book)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(keys, func(k registry.PhonebookKey) bool { return k.Name == name })
	if i < 0 {
		return missing("credential", name)
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := h.Registry.DeleteKey(ctx, keys[i]); err != nil {
		if isNotFound(err) {
			return missing("credential", name)
		}
		return err
	}
	h.books.set.End(keys[i].ID)
	h.phonebooksChanged(ctx)
	return h.Note(ctx, "phonebook.credential.revoke", account, book+"/"+keys[i].Name, string(keys[i].Kind))
}

// bookKeys are the credentials of phonebooks as those who serve them ask for them.
type bookKeys struct{ h *Hub }

func keyOf(k registry.PhonebookKey, err error) (phonebook.Key, error) {
	if isNotFound(err) {
		err = phonebook.ErrNoKey
	}
	return phonebook.Key{ID: k.ID, Account: k.Account, Book: k.Book, Name: k.Name, Path: k.Kind == registry.KeyPath}, err
}

// BySecret is of [phonebook.Keys].
func (b bookKeys) BySecret(ctx context.Context, secret string) (phonebook.Key, error) {
	known, _ := b.h.Registry.Revoked()
	key := tokenKey{sha256.Sum256([]byte(secret)), known}
	return keyOf(b.h.books.keys.get(ctx, b.h.now(), key, tokenFresh, func(ctx context.Context) (registry.PhonebookKey, error) {
		return b.h.Registry.KeyByDigest(ctx, key.digest[:])
	}, isNotFound))
}

// ForDigest is of [phonebook.Keys].
func (b bookKeys) ForDigest(ctx context.Context, account, book, name string) (phonebook.Key, string, error) {
	k, password, err := b.h.Registry.KeyForDigest(ctx, account, book, name)
	key, err := keyOf(k, err)
	return key, password, err
}

// Revocations is of [phonebook.Keys].
func (b bookKeys) Revocations() int64 {
	known, _ := b.h.Registry.Revoked()
	return known
}
