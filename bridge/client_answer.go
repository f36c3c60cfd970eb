package bridge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/charset"
)

// An answer is a bridge's response, read while it arrives.
type answer struct {
	client *Client
	id     string // the request's, or the bridge's own
	limit  time.Duration
	ctx    context.Context // the caller's
	timed  context.Context // the same with the request's time limit
	time   *limit          // what is left of that
	res    *http.Response
	meter  *meter
	most   int64           // bytes of the body
	known  int64           // the body's length; 0 where it is not known
	ahead  *[]byte         // the body's beginning, where it was read ahead
	body   *bufio.Reader   // over meter
	text   *charset.Reader // over body; nil where another character set is read
	json   *jsontext.Decoder
}

// A meter counts what is read, stops at a limit, and remembers what ended the reading: the decoders above it wrap that away.
type meter struct {
	from io.Reader
	left int64
	read int64
	err  error // what reading failed with; io.EOF at a clean end
}

var errTooBig = errors.New("the answer is too big")

func (m *meter) Read(b []byte) (int, error) {
	if m.left < 0 {
		return 0, errTooBig
	}
	n, err := m.from.Read(b)
	m.read += int64(n)
	if m.left -= int64(n); m.left < 0 {
		err = errTooBig
	}
	if err != nil {
		m.err = err
	}
	return n, err
}

func (a *answer) open(res *http.Response) {
	a.res = res
	if id := res.Header.Get(requestIDHeader); saneID(id) {
		a.id = id
	}
	a.most = a.client.maxBody()
	a.meter = &meter{from: res.Body, left: a.most}
	a.body = bufio.NewReaderSize(a.meter, bodyBuffer)
}

// page reads a page. Whatever is not one is an error, never an empty page (T11).
func (a *answer) page() (*Page, error) {
	release, err := a.reserve()
	if err != nil {
		return nil, err
	}
	a.readRest()
	page, err := a.readPage()
	if release == nil {
		return page, err
	}
	if err != nil {
		release()
		return nil, err
	}
	page.Release = release
	runtime.AddCleanup(page, func(release func()) { release() }, release)
	return page, nil
}

func (a *answer) readPage() (*Page, error) {
	if err := a.startJSON(); err != nil {
		return nil, err
	}
	r := pageReader{json: a.json, text: a.text, page: &Page{}, known: a.known}
	err := readObject(a.json, r.field)
	if err == nil {
		err = a.atEnd()
	}
	r.page.Rejected, r.page.Deleted = r.rejected.all(), r.deleted.all()
	if err == nil {
		err = checkText(a.text, r.page)
	}
	if err != nil {
		return nil, a.badBody(err)
	}
	if r.failed != nil {
		return nil, a.errorWith200(r.failed)
	}
	if !r.contacts && !r.other {
		return nil, a.badAnswer("the answer's JSON is not a page: it has no contacts",
			"A page is an object with contacts, an array. Check that the URL is that of contact_sync, and what the bridge does when it fails.")
	}
	r.page.Bytes = a.meter.read
	return r.page, nil
}

// authFields reads what a good validation may add: nothing, or a flat object (P13).
func (a *answer) authFields() (Auth, error) {
	a.most = min(a.most, maxAuthBody)
	a.meter.left = min(a.meter.left, a.most)
	if _, err := a.body.Peek(1); errors.Is(err, io.EOF) && a.meter.read == 0 {
		return nil, nil
	}
	if err := a.startJSON(); err != nil {
		return nil, err
	}
	var extra Auth
	r := pageReader{json: a.json}
	err := readObject(a.json, func(name string) error {
		if name == "error" {
			return r.readError()
		}
		value, given, err := readText(a.json, printableName(name), true)
		if err == nil && given {
			if extra == nil {
				extra = make(Auth)
			}
			if extra[name] = value; len(extra) > maxAuthFields {
				return &fieldError{fmt.Sprintf("it has more than %d fields", maxAuthFields)}
			}
		}
		return err
	})
	if err == nil {
		err = a.atEnd()
	}
	if err != nil {
		return nil, a.badBody(err)
	}
	if r.failed != nil {
		return nil, a.errorWith200(r.failed)
	}
	return extra, nil
}

// startJSON makes sure that the body begins like a JSON object.
func (a *answer) startJSON() error {
	text, err := a.inUTF8()
	if err != nil {
		return err
	}
	first, err := a.firstByte()
	switch {
	case err != nil && errors.Is(a.meter.err, io.EOF):
		return a.badAnswer(fmt.Sprintf("the answer is empty (status %d)", a.res.StatusCode),
			"The bridge must answer with a JSON object, even where there are no contacts. Look at its log, and check the URL.")
	case err != nil:
		return a.failed(a.meter.err)
	case first == '<':
		return a.html()
	case first != '{':
		return a.badAnswer("the answer is "+startsLike(first)+", not a JSON object",
			"A page is an object with contacts, an array. Check that the URL is that of contact_sync.")
	}
	a.json = contact.NewDecoder(text)
	return nil
}

// firstByte returns the first byte that is not white space; it stays unread.
func (a *answer) firstByte() (byte, error) {
	for {
		b, err := a.body.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != ' ' && b != '\t' && b != '\n' && b != '\r' {
			return b, a.body.UnreadByte()
		}
	}
}

func startsLike(first byte) string {
	switch {
	case first == '[':
		return "a JSON array"
	case first == '"' || first == '-' || first >= '0' && first <= '9':
		return "a single JSON value"
	default:
		return "not JSON"
	}
}

// atEnd reads to the body's end, which alone shows that the body is whole.
func (a *answer) atEnd() error {
	switch _, err := a.json.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil && (a.meter.err == nil || errors.Is(a.meter.err, io.EOF)):
		return errTrailing
	case err != nil:
		return err
	default:
		return errTrailing
	}
}

var errTrailing = &fieldError{"something follows the answer's JSON object"}

// A pageReader reads a page's fields.
type pageReader struct {
	json     *jsontext.Decoder
	text     *charset.Reader
	page     *Page
	known    int64 // the page's length, where it is known
	grown    int   // contacts when their list grew last
	grownAt  int64 // where in the page that was
	rejected pieces[Rejected]
	deleted  pieces[string]
	memory   int64           // about what all of it holds
	contacts bool            // contacts is there, an array
	other    bool            // another of the protocol's fields is there and says something
	failed   json.RawMessage // the value of error
}

func (r *pageReader) field(name string) (err error) {
	switch name {
	case "contacts":
		return r.readContacts()
	case "next_offset":
		return r.token(name, &r.page.NextOffset)
	case "synchronization_checkpoint":
		return r.token(name, &r.page.Checkpoint)
	case "deleted_contacts":
		return r.readDeleted()
	case "rejected_contacts":
		return r.readRejected()
	case "context":
		r.page.Context, err = r.raw()
		if len(r.page.Context) > maxContext {
			return &fieldError{"context is larger than " + size(maxContext)}
		}
		return err
	case "restarted":
		r.page.Restarted, err = r.flag()
		return err
	case "exact":
		r.page.Exact, err = r.flag()
		return err
	case "error":
		return r.readError()
	}
	return r.json.SkipValue()
}

// flag reads true; any other value, of whatever type, is false (D1).
func (r *pageReader) flag() (bool, error) {
	kind := r.json.PeekKind()
	return kind == 't', r.json.SkipValue()
}

// token reads an offset or a checkpoint.
func (r *pageReader) token(name string, into *string) error {
	text, _, err := readText(r.json, name, false)
	if err == nil && len(text) > maxTokenLen {
		return &fieldError{fmt.Sprintf("%s is larger than %s", name, size(maxTokenLen))}
	}
	*into = text
	r.other = r.other || text != ""
	return err
}

// raw reads any value; null counts as absent.
func (r *pageReader) raw() (json.RawMessage, error) {
	value, err := r.json.ReadValue()
	if err != nil || value.Kind() == 'n' {
		return nil, err
	}
	return json.RawMessage(bytes.ToValidUTF8(value, []byte("\uFFFD"))), nil
}

func (r *pageReader) readError() (err error) {
	r.failed, err = r.raw()
	if len(r.failed) > maxErrorBody {
		r.failed = json.RawMessage(`{}`) // too large to be looked at
	}
	return err
}

// array calls element before each of an array's elements. It reports whether there was one, rather than null.
func (r *pageReader) array(name, of string, element func() error) (bool, error) {
	kind := r.json.PeekKind()
	if kind == 'n' {
		return false, r.json.SkipValue()
	}
	if kind != '[' {
		if err := r.json.SkipValue(); err != nil {
			return false, err
		}
		return false, &fieldError{name + " is " + kindName(kind) + ", not an array of " + of}
	}
	if _, err := r.json.ReadToken(); err != nil {
		return false, err
	}
	for {
		if kind := r.json.PeekKind(); kind == ']' || kind == 0 {
			_, err := r.json.ReadToken()
			return true, err
		}
		if err := element(); err != nil {
			return false, err
		}
	}
}

func (r *pageReader) readContacts() error {
	found, err := r.array("contacts", "objects", func() error {
		c := r.next()
		reason, err := c.DecodeBounded(r.json)
		if err != nil {
			return err
		}
		if reason == "" {
			reason = judge(r.text, c)
		}
		if reason != "" {
			id := c.ID
			r.drop()
			return r.reject(Rejected{ID: id, Reason: reason})
		}
		c.FillName()
		return r.charge(c.Memory() + memoryOfGrowth)
	})
	r.contacts = r.contacts || found
	return err
}

// reject records a contact that cannot be stored.
func (r *pageReader) reject(rejected Rejected) error {
	if !r.text.IsWhole(rejected.ID) { // it is not the contact's
		rejected.ID = ""
	}
	rejected.ID, rejected.Reason = cut(rejected.ID, contact.MaxID), cut(rejected.Reason, maxReason)
	*r.rejected.next() = rejected
	return r.charge(memoryOfRejected + len(rejected.ID) + len(rejected.Reason))
}

// readRejected reads what the bridge itself could not send (D8). An entry that cannot be understood counts as a contact without
// an id: it was there, and its id is unknown.
func (r *pageReader) readRejected() error {
	found, err := r.array("rejected_contacts", "objects", func() error {
		var entry Rejected
		if err := r.readEntry(&entry); err != nil {
			return err
		}
		if entry.Reason == "" {
			entry.Reason = "was left out by the bridge, which gave no reason"
		}
		return r.reject(entry)
	})
	r.other = r.other || found
	return err
}

func (r *pageReader) readEntry(entry *Rejected) error {
	if r.json.PeekKind() != '{' {
		return r.json.SkipValue()
	}
	return readObject(r.json, func(name string) (err error) {
		switch name {
		case "id":
			entry.ID, err = r.plainText()
		case "reason":
			entry.Reason, err = r.plainText()
		default:
			err = r.json.SkipValue()
		}
		return err
	})
}

// plainText reads a string or a number as text; every other value is the empty one (D1).
func (r *pageReader) plainText() (string, error) {
	switch r.json.PeekKind() {
	case '"', '0':
		text, _, err := readText(r.json, "", false)
		return text, err
	}
	return "", r.json.SkipValue()
}

// cut shortens a text, and lets go of the rest.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.Clone(strings.ToValidUTF8(text[:most], ""))
}

func (r *pageReader) readDeleted() error {
	found, err := r.array("deleted_contacts", "strings", func() error {
		id, given, err := readText(r.json, "an entry of deleted_contacts", false)
		if err != nil || !given || id == "" || len(id) > contact.MaxID { // no contact has such an id
			return err
		}
		if r.deleted.n == MaxPageDeleted {
			return &pageTooBig{fmt.Sprintf("it holds more than %d deleted contacts", MaxPageDeleted)}
		}
		*r.deleted.next() = id
		return r.charge(memoryOfDeleted + len(id))
	})
	r.other = r.other || found
	return err
}
