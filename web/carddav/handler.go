// Package carddav serves phonebooks over CardDAV, read-only: RFC 6352, with RFC 6578 for what changed.
package carddav

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/guesses"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// Where phonebooks are served, and where address books ask for it.
const (
	Prefix    = "/dav/"
	WellKnown = "/.well-known/carddav"
)

// Sizes of a phonebook. Address books read all of it.
const (
	manyEntries = 10_000 // from here on clients are slow
	mostEntries = 20_000
)

// Options say what is served.
type Options struct {
	Books   *phonebook.Set
	Logger  *slog.Logger // nil logs nothing
	Clock   func() time.Time
	Proxies listener.Proxies // their word is taken for where a request comes from
}

// A Handler serves phonebooks. Use [New].
type Handler struct {
	options Options
	guesses *guesses.Limiter
}

// New returns a handler.
func New(o Options) *Handler {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{options: o, guesses: guesses.New(o.Clock)}
}

// note notes that a client has read the phonebook, or what changed of it.
func (h *Handler) note(r *request) {
	name, _, _ := r.BasicAuth() // a key has its user's name
	r.book.Was(phonebook.Reading{
		Way: phonebook.OverCardDAV, Name: name, Address: h.options.Proxies.Client(r.Request).Addr().String(), Device: r.agent, Copies: true, Began: r.began,
	})
}

// A place is what a path names.
type place int

const (
	nowhere place = iota
	root          // /dav/
	home          // /dav/desk/, which is the principal too
	book          // /dav/desk/contacts/
	object        // /dav/desk/contacts/CARD.vcf
)

// collection is the name of a phonebook's only address book.
const collection = "contacts/"

// A request is one of an address book.
type request struct {
	*http.Request
	w     http.ResponseWriter
	book  *phonebook.Book
	visit *phonebook.Visit // by a key; nil: it was let in by what is declared
	view  *phonebook.View
	at    place
	card  string // of an object
	agent string
	began time.Time
	base  string // the path of its address book, once it was needed
	epoch string // of the phonebook, once it was needed
	vcard []byte // the last card
}

func (r *request) home() string { return Prefix + r.book.Slug() + "/" }

func (r *request) collection() string {
	if r.base == "" {
		r.base = r.home() + collection
	}
	return r.base
}

func (r *request) href(card string) string { return r.collection() + card + ".vcf" }

// Serves reports whether a path is CardDAV's.
func Serves(path string) bool {
	return path == WellKnown || path == WellKnown+"/" || path == strings.TrimSuffix(Prefix, "/") || strings.HasPrefix(path, Prefix)
}

// ServeHTTP answers an address book.
func (h *Handler) ServeHTTP(w http.ResponseWriter, raw *http.Request) {
	if path := raw.URL.Path; !strings.HasPrefix(path, Prefix) {
		http.Redirect(w, raw, Prefix, http.StatusMovedPermanently)
		return
	}
	w.Header().Set("DAV", "1, 3, addressbook")
	r := &request{Request: raw, w: w, agent: raw.UserAgent(), began: h.options.Clock()}
	name, rest, below := strings.Cut(strings.TrimPrefix(raw.URL.Path, Prefix), "/")
	if r.book, r.visit = h.admit(w, raw, name); r.book == nil {
		return
	}
	if r.visit != nil {
		defer r.visit.Leave()
		r.Request = raw.WithContext(r.visit.Context())
		stop := context.AfterFunc(r.Context(), func() {
			if r.visit.Revoked() { // what is being written goes no further
				_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
			}
		})
		defer stop()
	}
	x := exchange.Of(raw.Context())
	x.Account, x.Actor = r.book.Account, "phonebook "+r.book.Name
	switch {
	case name == "":
		r.at = root
	case rest == "":
		r.at = home
	case rest == collection || rest+"/" == collection:
		r.at = book
	case below && strings.HasPrefix(rest, collection):
		r.at, r.card = object, strings.TrimSuffix(strings.TrimPrefix(rest, collection), ".vcf")
	}
	h.serve(r)
}

func (h *Handler) serve(r *request) {
	switch r.Method {
	case http.MethodOptions:
		r.w.Header().Set("Allow", "OPTIONS, GET, HEAD, PROPFIND, REPORT")
		r.w.WriteHeader(http.StatusOK)
		return
	case http.MethodGet, http.MethodHead, "PROPFIND", "REPORT":
	default:
		r.refuse(http.StatusForbidden, "<D:need-privileges/>")
		return
	}
	view, err := r.book.Open(r.Context())
	if err != nil {
		h.failed(r, err)
		return
	}
	view.Numbers.Format = phonebook.E164 // mobiles match it with every spelling
	if r.view = view; r.at >= book && view.State.Members > mostEntries {
		h.options.Logger.WarnContext(r.Context(), "a phonebook has too many entries for CardDAV", "phonebook", r.book.Name, "entries", view.State.Members, "most", mostEntries)
		r.say(http.StatusInsufficientStorage, fmt.Sprintf("The phonebook has more than %d entries. Narrow it with where, or use LDAP.\n", mostEntries))
		return
	}
	switch {
	case r.at == nowhere:
		err = errNotFound
	case r.Method == "PROPFIND":
		err = h.propfind(r)
	case r.Method == "REPORT":
		err = h.report(r)
	default:
		err = h.get(r)
	}
	if err != nil {
		h.failed(r, err)
	}
}

var errNotFound = errors.New("not found")

func (h *Handler) failed(r *request, err error) {
	f := failure.Of(err)
	switch {
	case errors.Is(err, errNotFound):
		r.say(http.StatusNotFound, "There is no such card.\n")
	case errors.Is(err, errXML):
		r.say(http.StatusBadRequest, "The request is not understood.\n")
	case errors.Is(err, errTooLarge):
		r.say(http.StatusRequestEntityTooLarge, "The request is too large.\n")
	case f.Code == failure.Busy:
		r.w.Header().Set("Retry-After", "60")
		r.say(http.StatusServiceUnavailable, "The phonebook is being filled. Try again in a minute.\n")
	default:
		x := exchange.Of(r.Context())
		if r.Context().Err() == nil {
			x.Err = err
		}
		if x.Status != 0 {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		if r.visit.Revoked() {
			h.challenge(r.w)
			return
		}
		r.say(http.StatusInternalServerError, "The phonebook cannot be read. The hub's log says more.\n")
	}
}

func (r *request) say(status int, text string) {
	r.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	r.w.WriteHeader(status)
	_, _ = r.w.Write([]byte(text)) // a client that has gone has no use for it
}

// refuse answers with a condition that does not hold (RFC 4918, 16).
func (r *request) refuse(status int, condition string) {
	r.w.Header().Set("Content-Type", xmlType)
	r.w.WriteHeader(status)
	_, _ = fmt.Fprintf(r.w, "%s<D:error xmlns:D=\"DAV:\">%s</D:error>\n", xml.Header, condition)
}

const xmlType = "application/xml; charset=utf-8"

// admit finds the phonebook that a request may read, with the visit where a key opens it; where it may not read that of the path, it
// answers and returns nil.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, name string) (*phonebook.Book, *phonebook.Visit) {
	user, password, given := r.BasicAuth()
	if !given {
		h.challenge(w)
		return nil, nil
	}
	judged, wait := h.guesses.Try(user+"\x00"+password, guesses.Count{
		Key:  guesses.Key{Address: h.options.Proxies.Client(r)},
		Rule: guesses.Rule{Free: 20, Wait: 3 * time.Second, MaxWait: 3 * time.Second, Forget: time.Minute},
	})
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		http.Error(w, "Too many wrong passwords came from this address.", http.StatusTooManyRequests)
		return nil, nil
	}
	var found *phonebook.Book
	for _, b := range h.options.Books.All() {
		if b.CardDAV == nil || b.CardDAV.Password == "" || name != "" && b.Slug() != name {
			continue
		}
		right := equal(user, b.CardDAV.User)
		if equal(password, b.CardDAV.Password) && right && found == nil {
			found = b
		}
	}
	var visit *phonebook.Visit
	if found == nil {
		var err error
		visit, err = h.options.Books.Admit(r.Context(), phonebook.Try{Secret: password, Fits: func(b *phonebook.Book, key phonebook.Key) bool {
			return b.CardDAV != nil && user == key.Name && (name == "" || b.Slug() == name)
		}})
		if err != nil {
			judged(guesses.Unknown)
			exchange.Of(r.Context()).Err = err
			http.Error(w, "The phonebook cannot be read. The hub's log says more.", http.StatusInternalServerError)
			return nil, nil
		}
		if visit != nil {
			found = visit.Book
		}
	}
	if found == nil {
		judged(guesses.Wrong)
		h.challenge(w)
		return nil, nil
	}
	judged(guesses.Good)
	return found, visit
}

// equal compares without telling by its time how much is equal.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (h *Handler) challenge(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="contacts", charset="UTF-8"`)
	http.Error(w, "The phonebook needs its user and password.", http.StatusUnauthorized)
}

// cards is raised when the same entries begin to make other cards.
const cards = "1"

// etag tags an entry by its last change, and by how the phonebook writes it: so a list of tags needs no contact.
func (r *request) etag(e *phonebook.Entry) string {
	return `"` + cards + "-" + r.ofEpoch() + "-" + strconv.FormatInt(e.Seq, 10) + `"`
}

func (r *request) ofEpoch() string {
	if r.epoch == "" {
		r.epoch = r.view.Epoch()
	}
	return r.epoch
}

// text is an entry's card, until the next one is asked for.
func (r *request) text(e *phonebook.Entry) []byte {
	r.vcard = phonebook.AppendCard(r.vcard[:0], e)
	return r.vcard
}

// get sends one card.
func (h *Handler) get(r *request) error {
	if r.at != object {
		r.w.Header().Set("Allow", "OPTIONS, PROPFIND, REPORT")
		r.say(http.StatusMethodNotAllowed, "This is an address book for CardDAV: docs/phones.md says how it is set up.\n")
		return nil
	}
	e, err := r.view.ByCard(r.Context(), r.card)
	if err != nil {
		return err
	}
	if e == nil {
		return errNotFound
	}
	etag, text := r.etag(e), r.text(e)
	header := r.w.Header()
	header.Set("ETag", etag)
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		r.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	header.Set("Content-Type", cardType)
	header.Set("Content-Length", strconv.Itoa(len(text)))
	r.w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, err = r.w.Write(text)
	}
	return err
}

const cardType = "text/vcard; charset=utf-8"

// A multistatus is written as it is made: a phonebook does not have to be in memory.
type multistatus struct {
	w   *bufio.Writer
	one []byte // the last answer about one resource
}

func (r *request) multistatus() *multistatus {
	r.w.Header().Set("Content-Type", xmlType)
	r.w.WriteHeader(http.StatusMultiStatus)
	m := &multistatus{w: bufio.NewWriterSize(r.w, 32<<10)}
	m.write(xml.Header, `<D:multistatus xmlns:D="DAV:" xmlns:C="`+card+`" xmlns:CS="`+server+`">`, "\n")
	return m
}

func (m *multistatus) write(parts ...string) {
	for _, p := range parts {
		_, _ = m.w.WriteString(p) // the error stays in the writer
	}
}

// gone is the answer about a card that there is not.
func (m *multistatus) gone(href string) {
	m.write("<D:response><D:href>", escape(href), "</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>\n")
}

func (m *multistatus) end() error {
	m.write("</D:multistatus>\n")
	return m.w.Flush()
}

// visited stops a long answer that nobody waits for any more.
func (m *multistatus) visited(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := m.w.Write(nil)
	return err
}
