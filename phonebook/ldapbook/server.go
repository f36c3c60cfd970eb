// Package ldapbook serves phonebooks over LDAP, read-only, as telephones search them (docs/phones.md).
package ldapbook

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/internal/guesses"
	"github.com/contactbridge/contactbridge/phonebook"
)

// Options say what is served at one address.
type Options struct {
	Books    []*phonebook.Book // that are declared; all of them have LDAP
	Set      *phonebook.Set    // whose keys open phonebooks that are served here; nil: there are no keys
	Listen   string            // the address, as the phonebooks that are served here have it
	Logger   *slog.Logger      // nil logs nothing
	Clock    func() time.Time
	TLS      *tls.Config // nil: plain LDAP only
	StartTLS bool        // TLS begins when the telephone asks for it
	Version  string      // of the program
	Times    Times
}

// Times bound what a connection may take. Zero fields mean their defaults.
type Times struct {
	Unbound time.Duration // before it has signed in; default 30 s
	Idle    time.Duration // between messages; default 10 min
	Message time.Duration // from a message's first byte to its last; default 10 s
	Write   time.Duration // of each part of an answer; default 15 s
	Search  time.Duration // of the walk through a phonebook; default 1 s
}

func (t Times) withDefaults() Times {
	pick := func(d *time.Duration, standard time.Duration) {
		if *d == 0 {
			*d = standard
		}
	}
	pick(&t.Unbound, 30*time.Second)
	pick(&t.Idle, 10*time.Minute)
	pick(&t.Message, 10*time.Second)
	pick(&t.Write, 15*time.Second)
	pick(&t.Search, time.Second)
	return t
}

// Bounds of a server.
const (
	mostConnections = 2000
	mostMessage     = 256 << 10
	mostWaiting     = 16 // requests of a connection that wait for their turn
)

// A Server serves phonebooks at one address. Use [New].
type Server struct {
	options Options
	books   []*book
	guesses *guesses.Limiter
	key     [32]byte // of the cookies of paged searches
	open    atomic.Int64

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// A book is a phonebook with its names in normal form.
type book struct {
	*phonebook.Book
	base, bindDN string
}

// New returns a server. It checks nothing: the configuration did.
func New(o Options) *Server {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Times = o.Times.withDefaults()
	s := &Server{options: o, guesses: guesses.New(o.Clock), conns: map[*conn]struct{}{}}
	_, _ = rand.Read(s.key[:]) // never fails
	for _, b := range o.Books {
		s.books = append(s.books, newBook(b))
	}
	return s
}

// Serve answers until ctx is done. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() {
		_ = l.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			c.end()
		}
	})
	defer stop()
	var work sync.WaitGroup
	defer work.Wait()
	for {
		raw, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var temporary interface{ Temporary() bool }
			if errors.As(err, &temporary) && temporary.Temporary() { // too many open files
				select {
				case <-time.After(100 * time.Millisecond):
				case <-ctx.Done():
				}
				continue
			}
			return fmt.Errorf("serve LDAP: %w", err)
		}
		if s.open.Add(1) > mostConnections {
			s.open.Add(-1)
			_ = raw.Close()
			continue
		}
		work.Go(func() {
			defer s.open.Add(-1)
			s.serve(ctx, raw)
		})
	}
}

func (s *Server) serve(ctx context.Context, raw net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &conn{server: s, address: addressOf(raw), cancel: cancel, running: map[int]context.CancelFunc{}, queue: make(chan message, mostWaiting), resumed: make(chan bool)}
	c.take(raw)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.leave()
		_ = c.raw().Close()
	}()
	if s.options.TLS != nil && !s.options.StartTLS {
		if err := c.startTLS(ctx); err != nil {
			return
		}
	}
	c.run(ctx)
}

// addressOf is the address that wrong passwords are counted by.
func addressOf(c net.Conn) netip.Prefix {
	at, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	a, _ := netip.AddrFromSlice(at.IP)
	a = a.Unmap()
	bits := 32
	if a.Is6() {
		bits = 64
	}
	prefix, _ := a.Prefix(bits) // the bits fit
	return prefix
}

func newBook(b *phonebook.Book) *book {
	base, _ := normalDN(b.LDAP.Base)
	dn, _ := normalDN(b.LDAP.BindDN)
	return &book{Book: b, base: base, bindDN: dn}
}

// admit finds the phonebook that a name and a password open; nil where they open none. Where a key opened it, there is its visit.
func (s *Server) admit(ctx context.Context, address netip.Prefix, dn, password string) (*book, *phonebook.Visit) {
	normal, ok := normalDN(dn)
	if !ok {
		normal = dn
	}
	judged, wait := s.guesses.Try(normal+"\x00"+password,
		guesses.Count{
			Key:  guesses.Key{Address: address, Subject: normal},
			Rule: guesses.Rule{Free: 5, Wait: 2 * time.Second, MaxWait: time.Minute, Forget: 10 * time.Minute, Clear: true},
		},
		guesses.Count{Key: guesses.Key{Address: address}, Rule: guesses.Rule{Free: 100, Wait: time.Second, MaxWait: 10 * time.Second, Forget: time.Minute}})
	if wait > 0 {
		return nil, nil
	}
	var found *book
	given := sha256.Sum256([]byte(password))
	for _, b := range s.books {
		right := sha256.Sum256([]byte(b.LDAP.Password))
		if b.bindDN == normal && subtle.ConstantTimeCompare(given[:], right[:]) == 1 && b.LDAP.Password != "" {
			found = b
		}
	}
	if found != nil {
		judged(guesses.Good)
		return found, nil
	}
	visit, err := s.options.Set.Admit(ctx, phonebook.Try{Secret: password, Fits: func(b *phonebook.Book, key phonebook.Key) bool {
		if b.LDAP == nil || b.LDAP.Listen != s.options.Listen {
			return false
		}
		own, _ := normalDN(b.LDAP.KeyDN(key.Name))
		return own == normal
	}})
	switch {
	case err != nil:
		s.options.Logger.ErrorContext(ctx, "could not look a phonebook's credential up", "error", err)
		judged(guesses.Unknown)
	case visit == nil:
		judged(guesses.Wrong)
	default:
		judged(guesses.Good)
		return newBook(visit.Book), visit
	}
	return nil, nil
}

// anonymous returns the phonebook that anyone may read at a base; nil where there is none.
func (s *Server) anonymous(base string) *book {
	at := slices.IndexFunc(s.books, func(b *book) bool {
		_, under := below(base, b.base)
		return b.LDAP.Anonymous && (base == b.base || under || base == "" && len(s.books) == 1)
	})
	if at < 0 {
		return nil
	}
	return s.books[at]
}
