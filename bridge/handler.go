package bridge

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/contactbridge/contactbridge/contact"
)

// A Handler answers one endpoint's paths: contact_sync, auth_validation and, where it has agents, agent_sync. The last element of the
// request's path decides between them; anything else is [CodeNotFound]. Mount it under the endpoint's name:
//
//	mux.Handle("/crm/", handler)
//
// Between requests it keeps pages that it has read ahead (see [Repeater]), and no answer depends on them (E4): any number of handlers, in
// any number of processes, may serve one endpoint. Its fields must not change while it serves.
type Handler struct {
	// Name is the endpoint's name in logs and observations.
	Name string

	// Open opens the external service for one caller's credentials. The handler closes what it opened, after the last
	// iteration over it has ended.
	Open func(ctx context.Context, auth Auth) (Source, error)

	// Agents opens what the agents are read from, for one caller's credentials (A1): users of the external service, with their names and
	// e-mail addresses. Nil: the endpoint has no agents, and agent_sync does not exist.
	Agents func(ctx context.Context, auth Auth) (Source, error)

	// Authenticate judges the caller's credentials before anything is opened: nil, or an error with [CodeUnauthorized].
	// [RequireAuth] and [AllowAnyone] make one. A handler without it refuses every caller.
	Authenticate func(auth Auth) error

	// Digest stands for what the endpoint makes of its source's contacts: the settings of Prepare, say. Checkpoints and
	// offsets belong to it and to the source's own [Description.Digest] (D10). Where either changes, runs start from the
	// beginning.
	Digest string

	Limits            Limits
	OnDelete          OnDelete
	UnknownCheckpoint UnknownCheckpoint

	// Prepare changes a contact before it is sent: phone formatting. It may write into Phones, which is the handler's copy;
	// every other list it must replace, not write into. It must not keep the contact. May be nil. It is called by several
	// requests at once.
	Prepare func(*contact.Contact)

	// Leaves reports whether Prepare would leave a contact exactly as it is, going by its Emails, Phones, Websites and Country, which are all that it
	// has. With it, an [Encoder] is asked for the JSON of such contacts. It must not keep the contact. May be nil. It is called by several requests
	// at once.
	Leaves func(*contact.Contact) bool

	// Guesses holds off callers that guess credentials. May be nil.
	Guesses Guesses

	// Logger gets one line for each request, with its id. Nil logs nothing.
	Logger *slog.Logger

	// Observe is called at the end of each request, by several at once. May be nil.
	Observe func(Observation)

	said  sync.Map // the reasons for a restart that have been logged
	ahead aheadPages
}

// Limits say when a page ends: whichever comes first. A zero field means its default.
type Limits struct {
	// Contacts is the most changes in a page. Default 1000.
	Contacts int

	// Bytes is the most bytes of contacts in a page, before compression; only a single contact that is larger makes a page
	// that is. Default 1 MiB.
	//
	// Where the source's order cannot be cut, a page may grow to four times Contacts or Bytes; past that the request fails.
	Bytes int

	// Time is when a page ends with what it has, counted from the request's arrival. A page that has nothing by then waits
	// for one change. Default 7 s.
	Time time.Duration

	// Hard is when a request is answered in any case, counted from its arrival (P12): [CodeSourceTimeout] if there is nothing
	// to answer with. Default 9 s.
	Hard time.Duration
}

// An OnDelete says what a deletion becomes for a caller that has not heard of them (D7).
type OnDelete string

// What a deletion becomes.
const (
	SkipDeleted  OnDelete = "skip"  // nothing; the default
	BlankDeleted OnDelete = "blank" // a contact with its id, its name and nothing that a call could find
)

// An UnknownCheckpoint says how a request is answered if its checkpoint does not belong to the endpoint's source (D10).
type UnknownCheckpoint string

// How a request with an unknown checkpoint is answered.
const (
	RestartUnknown UnknownCheckpoint = "restart" // as an initial run; the default
	RefuseUnknown  UnknownCheckpoint = "refuse"  // with [CodeInvalidCheckpoint]
)

// A Restart says why a request with a checkpoint was answered as an initial run.
type Restart string

// Why runs restart.
const (
	RestartForeign  Restart = "unknown"  // the checkpoint was issued for something else, or by another bridge (D10)
	RestartRefused  Restart = "unusable" // the source does not understand it any more, though the configuration is the same
	RestartBySource Restart = "source"   // the source reads everything: an expired checkpoint, a clock set back, a new file
)

// An Observation holds the measurements of one request.
type Observation struct {
	Endpoint string        // Handler.Name
	Path     string        // "contact_sync", "auth_validation", "agent_sync" or empty
	Code     Code          // empty where the request was answered well
	Status   int           // 0 where the caller had gone
	Duration time.Duration // from arrival to the last byte of the answer
	Initial  bool          // a page of an initial run
	Restart  Restart       // why a request with a checkpoint begins an initial run; empty where it does not
	Contacts int           // sent
	Agents   int           // sent
	Deleted  int           // deletions, in whatever form they were sent
	LeftOut  int           // records that could not be sent: without an id, or unreadable (D6)
	Unnamed  int           // contacts that another field gave a name (D6)
	Bytes    int           // of the answer's body, before compression
	Cut      Cut           // why the page ended; empty where there was none
}

// A Cut says why a page ended.
type Cut string

// Why pages end.
const (
	CutEnd      Cut = "end"      // the run is complete
	CutContacts Cut = "contacts" // Limits.Contacts
	CutBytes    Cut = "bytes"    // Limits.Bytes
	CutTime     Cut = "time"     // Limits.Time
	CutError    Cut = "error"    // the source failed further on; what came before was sent
)

const (
	pathSync     = "contact_sync"
	pathValidate = "auth_validation"
	pathAgents   = "agent_sync"
)

// ServeHTTP answers one request. Whatever happens, it does so within Limits.Hard, and every error has the body of D5.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.newExchange(w, r)
	defer x.end()
	if err := h.serve(x); err != nil {
		x.fail(err)
	}
}

func (h *Handler) serve(x *exchange) error {
	name := path.Base(x.r.URL.Path)
	switch {
	case name == pathAgents && h.Agents == nil:
		return &Error{
			Code: CodeNotFound, Message: "this endpoint has no agents",
			Hint: "Add agents to the endpoint in the bridge's configuration, or leave the agents' URL out where the integration is registered.",
		}
	case name != pathSync && name != pathValidate && name != pathAgents:
		return &Error{
			Code:    CodeNotFound,
			Message: "there is nothing at this path",
			Hint:    "An endpoint has the paths /contact_sync, /auth_validation and, where it has agents, /agent_sync, below its name.",
		}
	}
	x.seen.Path = name
	q, err := x.readRequest()
	if err != nil {
		return err
	}
	x.auth = q.auth
	if err := x.authenticate(q.auth); err != nil {
		return err
	}
	switch name {
	case pathValidate:
		return h.serveValidation(x, q)
	case pathAgents:
		return h.serveAgents(x, q)
	}
	return h.serveSync(x, q)
}

func (h *Handler) authenticate(auth Auth) error {
	if h.Authenticate == nil {
		return unauthorized(auth)
	}
	return h.Authenticate(auth)
}

// serveSync answers one page of a run.
func (h *Handler) serveSync(x *exchange, q request) error {
	p := h.newPage(q)
	defer p.release()
	if err := p.fillInTime(x); err != nil {
		return err
	}
	body, err := p.answer()
	if err != nil {
		return err
	}
	p.report(x)
	x.seen.Bytes = len(body)
	x.writeJSON(http.StatusOK, body)
	return nil
}

// serveValidation answers whether credentials are good (P13).
func (h *Handler) serveValidation(x *exchange, q request) error {
	ctx, cancel := context.WithDeadline(x.r.Context(), x.arrived.Add(h.Limits.hard()))
	defer cancel()
	verdict := make(chan error, 1)
	go h.probe(ctx, q.auth, verdict)
	select {
	case err := <-verdict:
		if err != nil {
			return err
		}
		x.writeNothing(http.StatusNoContent)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// probe finds out whether the external service takes the credentials, says so, and closes what it opened.
func (h *Handler) probe(ctx context.Context, auth Auth, verdict chan<- error) {
	var src Source
	defer func() {
		if src != nil {
			h.close(src)
		}
	}()
	verdict <- guarded(func() (err error) {
		if src, err = h.Open(ctx, auth); err != nil {
			return err
		}
		if prober, ok := src.(Prober); ok {
			return prober.Probe(ctx)
		}
		_, err = src.Begin(ctx, "")
		return err
	})
}

// close closes a source. Its error does not matter to the caller who waits for an answer.
func (h *Handler) close(src Source) {
	if err := guarded(src.Close); err != nil {
		h.logger().Warn("close source", "endpoint", h.Name, "error", err)
	}
}

// Close ends the reading of pages that nobody has asked for yet, and closes the sources that were opened for it. It is called before what Open
// opens from is closed. A handler that is closed still answers, and reads nothing ahead.
func (h *Handler) Close() { h.ahead.close() }

func (h *Handler) logger() *slog.Logger {
	if h.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.Logger
}

// The defaults of Limits.
const (
	defaultContacts = 1000
	defaultBytes    = 1 << 20
	defaultTime     = 7 * time.Second
	defaultHard     = 9 * time.Second
)

func (l Limits) hard() time.Duration { return orDefault(l.Hard, defaultHard) }

func (l Limits) withDefaults() Limits {
	l.Contacts = orDefault(l.Contacts, defaultContacts)
	l.Bytes = orDefault(l.Bytes, defaultBytes)
	l.Hard = l.hard()
	l.Time = min(orDefault(l.Time, defaultTime), l.Hard)
	return l
}

func orDefault[N int | time.Duration](n, otherwise N) N {
	if n <= 0 {
		return otherwise
	}
	return n
}
