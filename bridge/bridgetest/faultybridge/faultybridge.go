// Package faultybridge provides a small correct bridge in memory, and the same bridge with one fault at a time. It proves
// that the conformance check finds every fault that it is meant to find, and nothing else.
package faultybridge

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Fault is one rule that a bridge breaks. The zero value means no fault.
type Fault string

// A row is a contact in the external service.
type row struct {
	id      int
	name    string
	updated time.Time
}

// A Bridge serves contacts that it keeps in memory. Its zero value is not ready; use [New].
type Bridge struct {
	// SlowAnswer is how long a bridge with the fault [SlowPage] or [SlowishPage] takes for its second page.
	SlowAnswer time.Duration
	// Restarts says that the bridge answers a checkpoint that it never issued from the beginning, instead of refusing it.
	Restarts bool

	fault    Fault
	pageSize int
	mu       sync.Mutex
	rows     []row // ascending by (updated, id)
	handles  map[string]string
	expiring map[string]time.Time // when an offset was issued
	asked    map[string]int       // how often an offset was asked for
	snapshot []row
	cursor   string
	loops    int

	agentsSent int // where the last page of agents ended
	now        func() time.Time
}

// Auth returns the credentials that every bridge of this package asks for.
func Auth() map[string]string {
	return map[string]string{"username": "agent", "password": "correct horse battery staple"}
}

// New returns a bridge with n contacts, in pages of a size. Groups of seven contacts share one moment, as after a
// batch update.
func New(contacts, pageSize int, fault Fault) *Bridge {
	b := &Bridge{fault: fault, pageSize: pageSize, handles: map[string]string{}, expiring: map[string]time.Time{}, asked: map[string]int{}, now: time.Now}
	start := time.Date(2024, 3, 1, 9, 0, 0, 0, time.UTC)
	for i := range contacts {
		b.rows = append(b.rows, row{
			id: 1000 + i, name: fmt.Sprintf("Zoë Müller %d", i), updated: start.Add(time.Duration(i/7) * time.Minute),
		})
	}
	return b
}

// Mutate creates, updates or deletes a contact.
func (b *Bridge) Mutate(_ context.Context, verb, id string) (string, error) {
	n, err := strconv.Atoi(id)
	if err != nil {
		return "", fmt.Errorf("read id: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.rows, func(r row) bool { return r.id == n })
	stamp := b.now()
	if last := b.rows[len(b.rows)-1].updated; !stamp.After(last) {
		stamp = last.Add(time.Nanosecond) // the order of changes is the order of their stamps
	}
	changed := row{id: n, name: "changed " + stamp.Format(time.RFC3339Nano), updated: stamp}
	switch {
	case verb == "create" && i < 0:
		if b.fault == CreationsAreOld {
			changed.updated = b.rows[0].updated.Add(-time.Hour)
		}
	case verb == "update" && i >= 0:
		b.rows = slices.Delete(b.rows, i, i+1)
		if b.fault == UpdatesDontCount {
			changed.updated = changed.updated.Add(-24 * time.Hour)
		}
	case verb == "delete" && i >= 0:
		if b.fault != DeletedStaysListed {
			b.rows = slices.Delete(b.rows, i, i+1)
		}
		return "", nil
	default:
		return "", errors.New("no such change")
	}
	b.rows = append(b.rows, changed)
	slices.SortFunc(b.rows, compare)
	return "", nil
}

// Restart forgets what a process keeps in its memory.
func (b *Bridge) Restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handles, b.cursor, b.loops = map[string]string{}, "", 0
}

func compare(x, y row) int {
	return cmp.Or(x.updated.Compare(y.updated), cmp.Compare(x.id, y.id))
}

// position returns a row's place in the order as text: the offset and the checkpoint.
func position(r row) string {
	return fmt.Sprintf("%s/%d", r.updated.UTC().Format(time.RFC3339Nano), r.id)
}

var errMark = errors.New("no mark of ours")

func parsePosition(text string) (row, error) {
	stamp, id, ok := strings.Cut(text, "/")
	moment, err := time.Parse(time.RFC3339Nano, stamp)
	n, idErr := strconv.Atoi(id)
	if !ok || err != nil || idErr != nil || text != position(row{id: n, updated: moment}) {
		return row{}, errMark
	}
	return row{id: n, updated: moment}, nil
}

// after returns the rows after a position.
func (b *Bridge) after(from row) []row { return behind(b.rows, from) }

func behind(rows []row, from row) []row {
	i, found := slices.BinarySearchFunc(rows, from, compare)
	if found {
		i++
	}
	return rows[i:]
}

// afterMoment returns the naive way: the rows with a later moment.
func (b *Bridge) afterMoment(moment time.Time) []row {
	i := slices.IndexFunc(b.rows, func(r row) bool { return r.updated.After(moment) })
	if i < 0 {
		return nil
	}
	return b.rows[i:]
}

type meta struct {
	Checkpoint *string         `json:"synchronization_checkpoint"`
	Offset     *string         `json:"offset"`
	Context    json.RawMessage `json:"context"`
	Deletions  bool            `json:"supports_deletions"`
}

type request struct {
	Auth map[string]string `json:"auth"`
	Meta *meta             `json:"meta"`
}

// ServeHTTP answers /contact_sync, /auth_validation and /agent_sync.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/contact_sync" && r.URL.Path != "/auth_validation" && r.URL.Path != "/agent_sync":
		b.refuse(w, http.StatusNotFound, "no such path")
		return
	case r.Method != http.MethodPost && !(b.fault == GetIsServed && r.Method == http.MethodGet):
		w.Header().Set("Allow", http.MethodPost)
		b.refuse(w, http.StatusMethodNotAllowed, "POST only")
		return
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") && b.fault != AnyMediaType:
		b.refuse(w, http.StatusUnsupportedMediaType, "not JSON")
		return
	}
	if r.URL.Path == "/agent_sync" {
		b.serveAgents(w, r)
		return
	}
	var q request
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	if b.fault == UnknownFieldsRefused {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(&q); err != nil {
		b.badRequest(w, r, &q, err)
		return
	}
	if !b.authorized(w, r, &q) {
		return
	}
	if r.URL.Path == "/auth_validation" {
		b.serveValidation(w, &q)
		return
	}
	if b.fault == AddedIsRefused && q.Auth[added] != "" {
		b.refuse(w, http.StatusUnauthorized, "an unknown field")
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sync(w, r, &q)
}

func (b *Bridge) badRequest(w http.ResponseWriter, r *http.Request, q *request, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge) && b.fault == HugeBodyBreaks:
		b.refuse(w, http.StatusInternalServerError, "out of memory")
	case errors.As(err, &tooLarge):
		b.refuse(w, http.StatusRequestEntityTooLarge, "too large")
	case b.fault == ServerErrorOnBadJSON:
		b.refuse(w, http.StatusInternalServerError, "something went wrong")
	case r.Method == http.MethodGet, r.Header.Get("Content-Type") == "application/xml": // served because of the fault
		b.sync(w, r, q)
	default:
		b.refuse(w, http.StatusBadRequest, "not the protocol's JSON")
	}
}

func (b *Bridge) authorized(w http.ResponseWriter, r *http.Request, q *request) bool {
	want := Auth()
	validation := r.URL.Path == "/auth_validation"
	switch b.fault {
	case AddedIsRefusedAgain:
		if validation && q.Auth[added] != "" {
			b.refuse(w, http.StatusUnauthorized, "an unknown field")
			return false
		}
	case ValidationNeedsNothing:
		if validation && q.Auth["username"] == "" {
			return true
		}
	case AnyCredentials:
		return true
	case AnyPassword:
		if q.Auth["username"] == want["username"] {
			return true
		}
	case MissingAuthServed:
		if len(q.Auth) == 0 && !validation {
			return true
		}
	case ValidationSaysYes:
		if validation {
			return true
		}
	case ASCIIOnlyComparison:
		if strings.Contains(q.Auth["password"], "🔑") {
			b.refuse(w, http.StatusInternalServerError, "comparing strings with non-ASCII characters is not supported")
			return false
		}
	}
	if q.Auth["username"] == want["username"] && q.Auth["password"] == want["password"] {
		return true
	}
	status := http.StatusUnauthorized
	if b.fault == ForbiddenForWrong {
		status = http.StatusForbidden
	}
	message := "wrong credentials"
	if b.fault == EchoesCredentials {
		message += " " + q.Auth["password"]
	}
	b.refuse(w, status, message)
	return false
}

func (b *Bridge) refuse(w http.ResponseWriter, status int, message string) {
	if b.fault == HTMLErrors {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<!DOCTYPE html><html><body><h1>%d</h1></body></html>", status)
		return
	}
	if b.fault == StackTraces && status == http.StatusBadRequest {
		message += "\nTraceback (most recent call last):\n  File \"/srv/bridge.py\", line 12, in sync"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"message": message}})
}

// text reads a mark of a request: null, absent and empty are the same.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// sync answers a request with a page. The lock is held.
func (b *Bridge) sync(w http.ResponseWriter, r *http.Request, q *request) {
	if q.Meta == nil {
		q.Meta = &meta{}
	}
	since, offset := text(q.Meta.Checkpoint), text(q.Meta.Offset)
	unknown := since != "" && b.isUnknown(since)
	if unknown && b.fault == ForeignCheckpointIsNew {
		b.write(w, r, map[string]any{"contacts": []any{}, "synchronization_checkpoint": since})
		return
	}
	if unknown && b.restarts() && !(offset != "" && b.fault == RestartForgetsOffset) {
		since = ""
	}
	if status, message := b.objection(q, since, offset); status != 0 {
		b.refuse(w, status, message)
		return
	}
	if (b.fault == SlowPage || b.fault == SlowishPage) && offset != "" && b.loops == 0 {
		b.loops++
		time.Sleep(b.SlowAnswer)
	}
	rows, err := b.rowsFor(since, offset)
	if err != nil {
		status := http.StatusBadRequest
		if b.fault == ServerErrorOnOffset && offset != "" || b.fault == ServerErrorOnCheckpoint && offset == "" {
			status = http.StatusInternalServerError
		}
		b.refuse(w, status, "an offset or checkpoint that was never issued")
		return
	}
	page := rows[:min(len(rows), b.pageSize)]
	a := b.answer(since, offset, page, len(rows) > len(page))
	b.declare(a, q, unknown, offset)
	b.write(w, r, a)
}

// isUnknown reports whether a checkpoint was never issued by the bridge.
func (b *Bridge) isUnknown(checkpoint string) bool {
	_, err := parsePosition(b.unwrap(checkpoint))
	return err != nil
}

// restarts reports whether a checkpoint that was never issued is answered from the beginning.
func (b *Bridge) restarts() bool {
	switch b.fault {
	case RestartedOnEveryPage, RestartedWithoutEverything, RestartedUnasked, RestartedIsText, ExactIsNumber, RestartForgetsOffset:
		return true
	}
	return b.Restarts
}

// declare adds what the bridge says of the run and of its offsets (D8, D10), faults included.
func (b *Bridge) declare(a map[string]any, q *request, unknown bool, offset string) {
	asked := q.Meta.Deletions || b.fault == RestartedUnasked
	if !b.restarts() && b.fault != RestartedIncremental || !asked {
		return
	}
	restarted := unknown && b.restarts() && offset == ""
	switch b.fault {
	case RestartedOnEveryPage:
		restarted = unknown
	case RestartedIncremental:
		restarted = q.Meta.Checkpoint != nil && offset == ""
	case RestartedWithoutEverything:
		if contacts, _ := a["contacts"].([]any); restarted && len(contacts) > 1 {
			a["contacts"] = contacts[1:]
		}
	}
	if restarted {
		a["restarted"] = true
	}
	a["exact"] = true
	switch {
	case b.fault == RestartedIsText && restarted:
		a["restarted"] = "yes"
	case b.fault == ExactIsNumber:
		a["exact"] = 1
	}
}

// rowsFor returns the rows that are still to be sent in the run.
func (b *Bridge) rowsFor(since, offset string) ([]row, error) {
	if b.fault == CheckpointIgnored {
		since = ""
	}
	if rows, ok, err := b.faultyRows(since, offset); ok || err != nil {
		return rows, err
	}
	rows := b.rows
	for _, mark := range []string{since, offset} {
		if mark == "" {
			continue
		}
		from, err := parsePosition(b.unwrap(mark))
		if err != nil {
			return nil, err
		}
		if behind := b.after(from); len(behind) < len(rows) {
			rows = behind
		}
	}
	return rows, nil
}

// wrap hides a position, so that callers are not tempted to read it.
func (b *Bridge) wrap(position string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(position))
}

func (b *Bridge) unwrap(mark string) string {
	if handle, ok := b.handles[mark]; ok {
		mark = handle
	}
	position, _ := base64.RawURLEncoding.DecodeString(mark)
	return string(position)
}

func contact(r row) map[string]any {
	return map[string]any{
		"id": strconv.Itoa(r.id), "name": r.name, "company": "Example & Søns",
		"phones": []any{fmt.Sprintf("+1415555%04d", r.id%10000)}, "emails": []any{fmt.Sprintf("c%d@example.com", r.id)},
		"custom_fields": []any{map[string]any{"key": "Plan", "value": "gold"}},
	}
}

// answer returns a page as JSON values, faults included.
func (b *Bridge) answer(since, offset string, rows []row, more bool) map[string]any {
	contacts := []any{}
	for _, r := range rows {
		contacts = append(contacts, contact(r))
	}
	a := map[string]any{"contacts": contacts}
	if since != "" {
		a["synchronization_checkpoint"] = since
	}
	if len(rows) > 0 {
		a["synchronization_checkpoint"] = b.wrap(position(rows[len(rows)-1]))
	}
	if more {
		a["next_offset"] = b.wrap(position(rows[len(rows)-1]))
	}
	b.spoil(a, since, offset, rows, more)
	return a
}
