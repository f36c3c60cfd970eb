// Package phonebooks serves phonebooks over HTTP, in the formats of telephones' makers.
package phonebooks

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/guesses"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/phonebook"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// Prefix is where phonebooks are served.
const Prefix = "/phonebooks/"

// Options say what is served.
type Options struct {
	Books     *phonebook.Set
	Logger    *slog.Logger // nil logs nothing
	Clock     func() time.Time
	Proxies   listener.Proxies // their word is taken for where a request comes from
	PublicURL string           // where telephones reach the hub; empty: where their request went
}

// A Handler serves phonebooks. Use [New].
type Handler struct {
	options Options
	guesses *guesses.Limiter
	digest  digest
}

// New returns a handler.
func New(o Options) *Handler {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{options: o, guesses: guesses.New(o.Clock), digest: digest{clock: o.Clock}}
	_, _ = rand.Read(h.digest.key[:]) // never fails
	return h
}

// A request is what a telephone asks for.
type request struct {
	*http.Request
	book  *phonebook.Book
	visit *phonebook.Visit // by a key; nil: it was let in by what is declared
	view  *phonebook.View
	query url.Values
	base  string // URL of the phonebook's files, with a slash at its end
	title string
	began time.Time
}

// A document is what it gets.
type document struct {
	contentType string
	header      http.Header
	body        []byte
	stream      func(io.Writer) error // writes the body instead, where that may be long
	leftOut     int64                 // members that did not fit
}

// A format makes the documents of one file name.
type format struct {
	make func(ctx context.Context, r *request) (*document, error)
	// unfilled is the answer while the phonebook is being filled; nil: 503.
	unfilled func(r *request) *document
	// fresh says that each answer depends on more than the phonebook and the address, or that it is a search: it has no ETag.
	fresh bool
	// asks says that it is a question, a part of a list, or an answer to what was typed: the telephone keeps no copy.
	asks bool
}

// ServeHTTP answers a telephone.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	book := h.options.Books.Find(name)
	if book == nil || book.HTTP == nil {
		notFound(w, r)
		return
	}
	x := exchange.Of(r.Context())
	x.Account, x.Actor = book.Account, "phonebook "+book.Name
	file, secret := rest, ""
	if at := strings.LastIndexByte(rest, '/'); at >= 0 {
		secret, file = rest[:at], rest[at+1:]
	}
	visit, ok := h.admit(w, r, book, secret)
	if !ok {
		return
	}
	if visit != nil {
		defer visit.Leave()
		r = r.WithContext(visit.Context())
		stop := context.AfterFunc(visit.Context(), func() {
			if visit.Revoked() { // what is being written goes no further
				_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
			}
		})
		defer stop()
	}
	f, ok := formats[strings.ToLower(file)]
	if !ok {
		notFound(w, r)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost: // some telephones post to read
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		exchange.WriteError(w, r, http.StatusMethodNotAllowed, failure.Error{Code: "method_not_allowed", Message: "A phonebook is only read.", Hint: "Send a GET request."})
		return
	}
	q := &request{Request: r, book: book, visit: visit, query: parameters(r), base: h.base(x, book, secret), title: titleOf(book), began: h.options.Clock()}
	h.answer(w, q, f)
}

func titleOf(b *phonebook.Book) string {
	if b.HTTP.Title != "" {
		return b.HTTP.Title
	}
	return b.Name
}

// base is the URL of the phonebook's files.
func (h *Handler) base(x *exchange.Exchange, b *phonebook.Book, secret string) string {
	base := strings.TrimSuffix(h.options.PublicURL, "/")
	if base == "" {
		base = strings.TrimSuffix(x.Base(), "/")
	}
	base += Prefix + b.Slug() + "/"
	if secret != "" {
		base += url.PathEscape(secret) + "/"
	}
	return base
}

func notFound(w http.ResponseWriter, r *http.Request) {
	exchange.WriteError(w, r, http.StatusNotFound, failure.Error{Code: failure.NotFound, Message: "There is no such phonebook.", Hint: "Check the address; docs/phones.md lists the files of a phonebook."})
}

// parameters are those of the URL. What is not UTF-8 is Latin-1, which older telephones send.
func parameters(r *http.Request) url.Values {
	values := r.URL.Query()
	for name, list := range values {
		for i, value := range list {
			values[name][i] = phonebook.UTF8(value)
		}
	}
	return values
}

// admit lets in who may read the phonebook, with its visit where a key opened it; otherwise it answers.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request, b *phonebook.Book, secret string) (_ *phonebook.Visit, admitted bool) {
	client := h.options.Proxies.Client(r)
	if len(b.HTTP.Allow) > 0 && !slices.ContainsFunc(b.HTTP.Allow, func(n netip.Prefix) bool { return client.IsValid() && n.Contains(client.Addr()) }) {
		exchange.WriteError(w, r, http.StatusForbidden, failure.Error{Code: failure.Denied, Message: "This address may not read the phonebook.", Hint: "Add its network to the phonebook's http.allow."})
		return nil, false
	}
	check := h.credentials(r, b, secret)
	if check == nil {
		h.challenge(w, r, b, false)
		return nil, false
	}
	// A password that proved good never waits: a handset with an old one does not lock out the others of its address.
	judged, wait := h.guesses.Try(presented(r, b, secret), guesses.Count{
		Key:  guesses.Key{Address: client, Subject: b.Slug()},
		Rule: guesses.Rule{Free: 20, Wait: 3 * time.Second, MaxWait: 3 * time.Second, Forget: time.Minute},
	})
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		exchange.WriteError(w, r, http.StatusTooManyRequests, failure.Error{Code: failure.Busy, Message: "Too many wrong passwords came from this address.", Hint: "Wait, and check the password in the telephone."})
		return nil, false
	}
	found, err := check()
	switch {
	case err != nil:
		judged(guesses.Unknown)
		exchange.Of(r.Context()).Err = err
		exchange.WriteError(w, r, http.StatusInternalServerError, failure.Error{Code: "internal", Message: "The phonebook cannot be read.", Hint: "Look for the request id in the hub's log."})
		return nil, false
	case found.good:
		judged(guesses.Good)
		return found.visit, true
	case found.stale: // the right password, with an old nonce
		judged(guesses.Unknown)
	default:
		judged(guesses.Wrong)
	}
	h.challenge(w, r, b, found.stale)
	return nil, false
}

// presented is what a request presents, the same at each request with the same credentials.
func presented(r *http.Request, b *phonebook.Book, secret string) string {
	if secret != "" {
		return b.Slug() + "/" + secret
	}
	header := r.Header.Get("Authorization")
	if scheme, _, _ := strings.Cut(header, " "); strings.EqualFold(scheme, "Digest") {
		return "" // another one each time
	}
	return b.Slug() + "/" + header
}

// A finding is what came of the credentials of a request.
type finding struct {
	good  bool
	stale bool             // right by Digest, to an old nonce
	visit *phonebook.Visit // where a key was good
}

// credentials returns how the credentials of a request are checked; nil where it has none.
func (h *Handler) credentials(r *http.Request, b *phonebook.Book, secret string) (check func() (finding, error)) {
	byKey := func(secret string, path bool, user string) (finding, error) {
		visit, err := b.Set().Admit(r.Context(), phonebook.Try{Secret: secret, Path: path, Fits: func(opened *phonebook.Book, key phonebook.Key) bool {
			return opened.Slug() == b.Slug() && (path || user == key.Name)
		}})
		return finding{good: visit != nil, visit: visit}, err
	}
	if secret != "" {
		return func() (finding, error) {
			if b.HTTP.SecretPath != "" && equal(secret, b.HTTP.SecretPath) {
				return finding{good: true}, nil
			}
			return byKey(secret, true, "")
		}
	}
	if user, password, ok := r.BasicAuth(); ok {
		return func() (finding, error) {
			right := equal(user, b.HTTP.User)
			if equal(password, b.HTTP.Password) && right && b.HTTP.Password != "" {
				return finding{good: true}, nil
			}
			return byKey(password, false, user)
		}
	}
	if scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " "); offersDigest(b) && strings.EqualFold(scheme, "Digest") {
		return func() (finding, error) { return h.byDigest(r, b, text) }
	}
	return nil
}

// byDigest checks an answer to a challenge of Digest, which no password is sent with.
func (h *Handler) byDigest(r *http.Request, b *phonebook.Book, text string) (f finding, err error) {
	if b.HTTP.Digest {
		if f.stale, f.good = h.digest.check(r, text, realm(b), b.HTTP.User, b.HTTP.Password); f.stale || f.good {
			return f, nil
		}
	}
	name := digestParameters(text)["username"]
	f.visit, err = b.Set().AdmitByDigest(r.Context(), b, name, func(password string) bool {
		var good bool
		f.stale, good = h.digest.check(r, text, realm(b), name, password)
		return good
	})
	f.good = f.visit != nil
	return f, err
}

// signsIn reports whether a phonebook has passwords, or had one until it was revoked.
func signsIn(b *phonebook.Book) bool {
	return b.HTTP.User != "" || b.HTTP.SecretPath == "" || b.Keys.Password
}

func offersDigest(b *phonebook.Book) bool { return b.HTTP.Digest || b.Keys.Digest }

// equal compares without telling by its time how much is equal.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func realm(b *phonebook.Book) string { return "phonebook " + b.Slug() }

func (h *Handler) challenge(w http.ResponseWriter, r *http.Request, b *phonebook.Book, stale bool) {
	if !signsIn(b) {
		notFound(w, r) // only the secret path leads in, and nothing is told of it
		return
	}
	w.Header().Add("WWW-Authenticate", fmt.Sprintf("Basic realm=%q, charset=\"UTF-8\"", realm(b)))
	if offersDigest(b) {
		w.Header().Add("WWW-Authenticate", h.digest.challenge(realm(b), stale))
	}
	exchange.WriteError(w, r, http.StatusUnauthorized, failure.Error{Code: "unauthorized", Message: "The phonebook needs its user and password.", Hint: "Put those of the phonebook's http into the telephone."})
}

// answer makes the document and sends it.
func (h *Handler) answer(w http.ResponseWriter, r *request, f format) {
	ctx := r.Context()
	view, err := r.book.Open(ctx)
	if err == nil {
		err = view.ReadCalled(ctx)
	}
	if err != nil {
		if failure.Of(err).Code == failure.Busy && f.unfilled != nil {
			send(w, r, f.unfilled(r))
			return
		}
		h.failed(w, r, err)
		return
	}
	r.view = view
	if !f.fresh {
		sum := sha256.Sum256([]byte(strings.Join([]string{view.Version(), r.URL.Path, r.query.Encode(), r.base, fmt.Sprintf("%+v", r.book.HTTP), documents}, "\x00")))
		etag := `"` + hex.EncodeToString(sum[:12]) + `"`
		w.Header().Set("ETag", etag)
		w.Header().Set("Cache-Control", "private, no-cache")
		if matches(r.Header.Get("If-None-Match"), etag) {
			w.WriteHeader(http.StatusNotModified)
			h.note(r, f)
			return
		}
	} else {
		w.Header().Set("Cache-Control", "private, no-store")
	}
	d, err := f.make(ctx, r)
	if err != nil {
		w.Header().Del("ETag")
		h.failed(w, r, err)
		return
	}
	if d.leftOut > 0 {
		w.Header().Set("X-Phonebook-Left-Out", strconv.FormatInt(d.leftOut, 10))
		h.options.Logger.InfoContext(ctx, "a phonebook has more entries than the format takes", "account", r.book.Account, "phonebook", r.book.Name,
			"file", r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], "left_out", d.leftOut)
	}
	send(w, r, d)
	h.note(r, f)
}

// note notes who has read.
func (h *Handler) note(r *request, f format) {
	if r.Method == http.MethodHead {
		return
	}
	name, _, _ := r.BasicAuth()
	switch {
	case r.visit != nil:
		name = r.visit.Key.Name
	case name == "" && r.Header.Get("Authorization") != "":
		name = r.book.HTTP.User
	}
	r.book.Was(phonebook.Reading{
		Way: phonebook.OverHTTP, Name: name, Address: h.options.Proxies.Client(r.Request).Addr().String(), Device: r.UserAgent(),
		Copies: !f.asks && !f.fresh && r.query.Get("q") == "", Began: r.began,
	})
}

// documents is raised when the same entries begin to make other documents.
const documents = "1"

// matches reports whether an ETag stands in an If-None-Match.
func matches(header, etag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == etag {
			return true
		}
	}
	return false
}

func send(w http.ResponseWriter, r *request, d *document) {
	header := w.Header()
	for name, values := range d.header {
		header[name] = values
	}
	header.Set("Content-Type", d.contentType)
	if d.stream == nil {
		header.Set("Content-Length", strconv.Itoa(len(d.body))) // small HTTP clients know no chunks
	}
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	if d.stream == nil {
		_, _ = w.Write(d.body) // a telephone that has gone has no use for it
		return
	}
	if err := d.stream(w); err != nil {
		if r.Context().Err() == nil {
			exchange.Of(r.Context()).Err = err
		}
		panic(http.ErrAbortHandler) // half a document must not look like a whole one
	}
}

func (h *Handler) failed(w http.ResponseWriter, r *request, err error) {
	if r.visit.Revoked() {
		h.challenge(w, r.Request, r.book, false)
		return
	}
	f := failure.Of(err)
	if f.Code == failure.Busy {
		w.Header().Set("Retry-After", "60")
		exchange.WriteError(w, r.Request, http.StatusServiceUnavailable, f)
		return
	}
	if r.Context().Err() == nil {
		exchange.Of(r.Context()).Err = err
	}
	exchange.WriteError(w, r.Request, http.StatusInternalServerError, failure.Error{Code: "internal", Message: "The phonebook cannot be read.", Hint: "Look for the request id in the hub's log."})
}

// plainXML is the type of every XML document.
const plainXML = "text/xml; charset=utf-8"

// An xmlDoc is an XML document that is being written.
type xmlDoc struct{ bytes.Buffer }

func newXML() *xmlDoc {
	d := &xmlDoc{}
	d.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	return d
}

var escaping = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;")

// text writes an element with a text.
func (d *xmlDoc) text(name, value string) {
	d.WriteString("<" + name + ">" + escaping.Replace(value) + "</" + name + ">")
}

// attr is an attribute, with a space before it.
func attr(name, value string) string { return " " + name + `="` + escaping.Replace(value) + `"` }

func (d *xmlDoc) done() *document { return &document{contentType: plainXML, body: d.Bytes()} }
