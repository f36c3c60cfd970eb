package faultybridge

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The faults.
const (
	None                    Fault = ""
	PageNumbers             Fault = "pages are counted, so that contacts drift over their boundaries"
	TiesLostAtCheckpoint    Fault = "> the checkpoint's moment, so that contacts sharing it are lost"
	TiesLostAtOffset        Fault = "> the last contact's moment, so that contacts sharing it are lost between pages"
	CheckpointIsNow         Fault = "the checkpoint is the time of the answer"
	CheckpointIsCut         Fault = "the checkpoint is cut, so that what changes in the same moment is lost"
	NumberIDs               Fault = "ids are numbers"
	MissingIDs              Fault = "a contact has no id"
	NullNames               Fault = "a name is null"
	EmptyNames              Fault = "a name is empty"
	OffsetLoop              Fault = "next_offset repeats the offset"
	EndlessPages            Fault = "the last page comes again and again under new offsets"
	ServerErrorOnBadJSON    Fault = "500 on malformed JSON"
	AnyCredentials          Fault = "200 on wrong credentials"
	AnyPassword             Fault = "only the user name is compared"
	ForbiddenForWrong       Fault = "403 on wrong credentials"
	MissingAuthServed       Fault = "200 without credentials"
	ASCIIOnlyComparison     Fault = "500 on credentials that are not ASCII"
	ValidationSaysYes       Fault = "auth_validation accepts all credentials"
	HTMLErrors              Fault = "errors are HTML"
	StackTraces             Fault = "errors hold a stack trace"
	EchoesCredentials       Fault = "an error holds the password"
	DuplicateOnPage         Fault = "a page holds an id twice"
	DuplicateInRun          Fault = "two pages hold one id"
	NoCheckpointOnLastPage  Fault = "the last page has no checkpoint"
	NoCheckpointOnEmptyPage Fault = "an empty page has no checkpoint"
	CheckpointIgnored       Fault = "the checkpoint is ignored, every run is a full one"
	CheckpointRefused       Fault = "the bridge refuses its own checkpoint"
	OffsetDiesOnRestart     Fault = "the offset is a handle into the bridge's memory"
	OffsetExpires           Fault = "the offset expires after a moment"
	OffsetOnlyOnce          Fault = "the offset works once"
	SharedCursor            Fault = "all runs share one cursor"
	SlowPage                Fault = "a page takes 12 seconds"
	WrongContentType        Fault = "pages are text/html"
	NoContactsArray         Fault = "an empty page has no contacts array"
	NullInPhones            Fault = "a null stands among the phones"
	PhoneNotInArray         Fault = "phones is a string"
	CustomFieldNotString    Fault = "a custom field's value is a number"
	NullFields              Fault = "fields without a value are null"
	EmptyFields             Fault = "fields without a value are empty"
	ContextOnlyOnce         Fault = "the context comes with the first page only and is needed on every one"
	ContextBytesCompared    Fault = "the context must come back in the same bytes"
	GzipLies                Fault = "the answer says gzip and is not"
	GzipUnasked             Fault = "answers are gzip although the request did not allow it"
	GetIsServed             Fault = "GET is served"
	AnyMediaType            Fault = "XML is served"
	UnknownFieldsRefused    Fault = "unknown fields are refused"
	EmptyMarksRefused       Fault = "an empty offset is refused"
	AbsentMarksRefused      Fault = "an absent offset is refused"
	OffsetIsNumber          Fault = "next_offset is a number"
	CheckpointIsNumber      Fault = "synchronization_checkpoint is a number"
	ServerErrorOnOffset     Fault = "500 on an offset that was never issued"
	TruncatedJSON           Fault = "the second page breaks off"
	NotUTF8                 Fault = "the text is Latin-1"
	DuplicateKeys           Fault = "a JSON object has a name twice"
	SecondPageFails         Fault = "the third page is a 500"
	UpdatesDontCount        Fault = "updates don't move the time of change"
	DeletedStaysListed      Fault = "deleted contacts stay in full runs"
	LargePages              Fault = "everything comes in one page of many megabytes"
	ConnectionsClosed       Fault = "each answer closes its connection"
	EmptyNextOffset         Fault = "the last page has an empty next_offset"
	SlowishPage             Fault = "a page takes 9 seconds"
	PagesDiffer             Fault = "a page asked for again lacks a contact"
	HugeBodyBreaks          Fault = "500 on a huge body"
	ServerErrorOnCheckpoint Fault = "500 on a checkpoint that was never issued"
	CreationsAreOld         Fault = "a new contact has no time of change"
	ReadFromSnapshot        Fault = "a run reads a snapshot and sets the checkpoint past it"
	DeletionsAreObjects     Fault = "deleted_contacts holds objects"

	ForeignCheckpointIsNew     Fault = "a checkpoint that was never issued is answered as if nothing were new"
	RestartForgetsOffset       Fault = "a run that was restarted ends with its first page, with an unknown checkpoint"
	RestartedOnEveryPage       Fault = "every page of a restarted run says restarted"
	RestartedWithoutEverything Fault = "a restarted run leaves a contact out"
	RestartedIncremental       Fault = "a run that brings only what changed says restarted"
	RestartedUnasked           Fault = "restarted and exact are sent to everybody"
	RestartedIsText            Fault = "restarted is a text"
	ExactIsNumber              Fault = "exact is a number"

	AgentsAreAnObject       Fault = "agents is an object"
	AgentsNeverEnd          Fault = "the last page of agents has an offset that was there before"
	AgentWithoutEmail       Fault = "an agent has no e-mail address"
	AgentIDsAreNumbers      Fault = "ids of agents are numbers"
	AgentTwice              Fault = "an agent comes on two pages"
	AgentsShareAnAddress    Fault = "two agents have one e-mail address"
	AgentOffsetIsText       Fault = "next_offset of agents is a string"
	AgentOffsetMustBeThere  Fault = "an absent offset of agents is refused"
	AgentsHaveACursor       Fault = "agents are sent from where the last request ended"
	AgentsForAnyone         Fault = "agents are sent without credentials"
	AgentOffsetBreaks       Fault = "500 on an offset of agents that was never issued"
	ValidationAnswersAList  Fault = "the credential check answers with a list"
	ValidationAnswersNested Fault = "the credential check answers with an object in an object"
	AddedIsRefused          Fault = "contacts are refused for what the credential check added"
	AddedIsRefusedAgain     Fault = "the credential check refuses what it added"
	ValidationNeedsNothing  Fault = "the credential check takes missing credentials"
)

// Expiry is how long an offset lives with the fault [OffsetExpires].
const Expiry = time.Second

const (
	precision               = 20 * time.Millisecond // of the fault CheckpointIsCut
	manyMegabytes           = 9 << 20
	latin1                  = "Zo\xeb"
	contextThatMustComeBack = `{"z": 1, "a": [true]}`
)

// objection returns the status and message with which a bridge refuses a request because of its fault; 0: it does not refuse.
func (b *Bridge) objection(q *request, since, offset string) (int, string) {
	switch {
	case b.fault == EmptyMarksRefused && q.Meta.Offset != nil && *q.Meta.Offset == "",
		b.fault == AbsentMarksRefused && q.Meta.Offset == nil && string(q.Meta.Context) != "null",
		b.fault == CheckpointRefused && since != "",
		b.fault == UnknownFieldsRefused && q.Meta.Deletions,
		b.fault == RestartForgetsOffset && offset != "" && since != "" && b.isUnknown(since),
		b.fault == ContextOnlyOnce && offset != "" && len(q.Meta.Context) < 5,
		b.fault == ContextBytesCompared && offset != "" && string(q.Meta.Context) != contextThatMustComeBack,
		b.fault == OffsetExpires && offset != "" && b.now().Sub(b.expiring[offset]) > Expiry:
		return http.StatusBadRequest, "not understood"
	case b.fault == SecondPageFails && offset != "" && b.isPage(offset, 2):
		return http.StatusInternalServerError, "something went wrong"
	case b.fault == OffsetDiesOnRestart && offset != "" && b.handles[offset] == "":
		return http.StatusBadRequest, "no such cursor"
	case b.fault == OffsetOnlyOnce && offset != "":
		if b.handles[offset] == "" {
			return http.StatusBadRequest, "no such cursor"
		}
	}
	return 0, ""
}

// isPage reports whether an offset leads to the page with a number, counted from 0.
func (b *Bridge) isPage(offset string, page int) bool {
	n := page*b.pageSize - 1
	return n < len(b.rows) && b.unwrap(offset) == position(b.rows[n])
}

// faultyRows returns the rows of a bridge that reads the wrong rows; ok is false for any other.
func (b *Bridge) faultyRows(since, offset string) (rows []row, ok bool, err error) {
	switch b.fault {
	case PageNumbers:
		return b.countedRows(since, offset)
	case TiesLostAtCheckpoint, TiesLostAtOffset, CheckpointIsCut:
		return b.momentRows(since, offset)
	case CheckpointIsNow:
		if since == "" {
			return nil, false, nil
		}
		moment, err := time.Parse(time.RFC3339Nano, since)
		if err != nil {
			return nil, false, errMark
		}
		rows = b.afterMoment(moment)
		if from, err := parsePosition(b.unwrap(offset)); err == nil {
			rows = b.after(from)
		}
		return rows, true, nil
	case ReadFromSnapshot:
		if since != "" || offset == "" {
			return nil, false, nil
		}
		from, err := parsePosition(b.unwrap(offset))
		if err != nil {
			return nil, false, err
		}
		return behind(b.snapshot, from), true, nil
	case SharedCursor:
		if offset == "" {
			return nil, false, nil
		}
		if from, err := parsePosition(b.unwrap(b.cursor)); err == nil {
			return b.after(from), true, nil
		}
	case OffsetIsNumber, EndlessPages:
		return b.countedRows(since, offset)
	case CheckpointIsNumber:
		if n, err := strconv.Atoi(since); err == nil && offset == "" {
			return b.rows[max(0, min(n, len(b.rows))):], true, nil
		}
	}
	return nil, false, nil
}

// countedRows skips as many rows after the checkpoint as the offset says.
func (b *Bridge) countedRows(since, offset string) ([]row, bool, error) {
	rows := b.rows
	if since != "" {
		from, err := parsePosition(b.unwrap(since))
		if err != nil {
			return nil, false, err
		}
		rows = b.after(from)
	}
	n, err := strconv.Atoi("0" + offset)
	if err != nil {
		return nil, false, errMark
	}
	if b.fault == EndlessPages && n >= len(rows) {
		n = max(0, len(rows)-b.pageSize)
	}
	return rows[min(n, len(rows)):], true, nil
}

// momentRows compares moments where it should compare moments and ids.
func (b *Bridge) momentRows(since, offset string) ([]row, bool, error) {
	rows := b.rows
	if since != "" {
		from, err := parsePosition(b.unwrap(since))
		if err != nil {
			return nil, false, err
		}
		switch b.fault {
		case TiesLostAtCheckpoint:
			rows = b.afterMoment(from.updated)
		case CheckpointIsCut:
			rows = b.afterCut(from)
		default:
			rows = b.after(from)
		}
	}
	if offset != "" {
		from, err := parsePosition(b.unwrap(offset))
		if err != nil {
			return nil, false, err
		}
		rows = b.after(from)
		if b.fault == TiesLostAtOffset {
			rows = b.afterMoment(from.updated)
		}
	}
	return rows, true, nil
}

// afterCut returns the rows of later moments, where all that lies within the precision is one moment.
func (b *Bridge) afterCut(from row) []row {
	end := from.updated.Truncate(precision).Add(precision)
	var rows []row
	for _, r := range b.after(from) {
		if r.updated.Equal(from.updated) || !r.updated.Before(end) {
			rows = append(rows, r)
		}
	}
	return rows
}

// spoil changes an answer that is right.
func (b *Bridge) spoil(a map[string]any, since, offset string, rows []row, more bool) {
	b.spoilMarks(a, since, offset, rows, more)
	contacts := a["contacts"].([]any)
	if len(contacts) == 0 {
		switch b.fault {
		case NoContactsArray:
			delete(a, "contacts")
		case NoCheckpointOnEmptyPage:
			delete(a, "synchronization_checkpoint")
		}
		return
	}
	first := contacts[0].(map[string]any)
	switch b.fault {
	case PagesDiffer:
		if b.asked[offset]++; b.asked[offset] > 1 && offset != "" && since == "" && b.loops == 0 {
			a["contacts"] = contacts[1:]
		}
	case NumberIDs:
		for i, r := range rows {
			contacts[i].(map[string]any)["id"] = r.id
		}
	case MissingIDs:
		for _, c := range contacts {
			if one := c.(map[string]any); one["id"] == "1050" {
				delete(one, "id")
			}
		}
	case NullNames:
		first["name"] = nil
	case EmptyNames:
		first["name"] = ""
	case NullInPhones:
		first["phones"] = []any{"+14155550100", nil}
	case PhoneNotInArray:
		first["phones"] = "+14155550100"
	case CustomFieldNotString:
		first["custom_fields"] = []any{map[string]any{"key": "Age", "value": 42}}
	case NullFields:
		first["title"] = nil
	case EmptyFields:
		first["title"], first["websites"] = "", []any{}
	case NotUTF8:
		first["name"] = "LATIN1"
	case LargePages:
		first["address"] = strings.Repeat("x", manyMegabytes)
	case DuplicateOnPage:
		a["contacts"] = append(contacts, contacts[0])
	case DuplicateInRun:
		if since == "" && offset != "" {
			a["contacts"] = append(contacts, contact(b.rows[0]))
		}
	case DeletionsAreObjects:
		a["deleted_contacts"] = []any{map[string]any{"id": "1"}}
	}
}

func (b *Bridge) spoilMarks(a map[string]any, since, offset string, rows []row, more bool) {
	number, _ := strconv.Atoi("0" + offset)
	switch b.fault {
	case ReadFromSnapshot:
		b.markPastSnapshot(a, since, offset, more)
	case PageNumbers, OffsetIsNumber, EndlessPages:
		if more || b.fault == EndlessPages {
			a["next_offset"] = strconv.Itoa(number + b.pageSize)
		}
		if n := number + b.pageSize; more && b.fault == OffsetIsNumber {
			a["next_offset"] = n
		}
	case OffsetLoop:
		if offset != "" {
			a["next_offset"] = offset
		}
	case CheckpointIsNow:
		a["synchronization_checkpoint"] = b.now().UTC().Format(time.RFC3339Nano)
	case CheckpointIsNumber:
		if len(rows) > 0 && !more {
			a["synchronization_checkpoint"] = len(b.rows)
		} else {
			delete(a, "synchronization_checkpoint")
		}
		if n, err := strconv.Atoi(since); err == nil {
			a["synchronization_checkpoint"] = n
		}
	case NoCheckpointOnLastPage:
		if !more && len(rows) > 0 {
			delete(a, "synchronization_checkpoint")
		}
	case ContextOnlyOnce:
		if more && offset == "" {
			a["context"] = "state"
		}
	case ContextBytesCompared:
		if more {
			a["context"] = json.RawMessage(contextThatMustComeBack)
		}
	case OffsetDiesOnRestart, OffsetOnlyOnce, OffsetExpires:
		b.handle(a, offset)
	case SharedCursor:
		b.cursor, _ = a["next_offset"].(string)
	case EmptyNextOffset:
		if !more {
			a["next_offset"] = ""
		}
	}
}

// markPastSnapshot keeps what the rows were when a full run began, and lets its last checkpoint pass what changed since.
func (b *Bridge) markPastSnapshot(a map[string]any, since, offset string, more bool) {
	switch {
	case since != "":
	case offset == "":
		b.snapshot = slices.Clone(b.rows)
	case !more:
		a["synchronization_checkpoint"] = b.wrap(position(b.rows[len(b.rows)-1]))
	}
}

// handle replaces an offset with a handle into the bridge's memory.
func (b *Bridge) handle(a map[string]any, offset string) {
	if b.fault == OffsetOnlyOnce {
		delete(b.handles, offset)
	}
	next, ok := a["next_offset"].(string)
	if !ok {
		return
	}
	if b.fault == OffsetExpires {
		b.expiring[next] = b.now()
		return
	}
	b.loops++
	handle := fmt.Sprintf("cursor-%d", b.loops)
	b.handles[handle] = next
	a["next_offset"] = handle
}

// write sends an answer, with the faults that are in the bytes.
func (b *Bridge) write(w http.ResponseWriter, r *http.Request, a map[string]any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(a)
	if raw, ok := a["context"].(json.RawMessage); ok { // the encoder takes its white space away
		compact, _ := json.Marshal(raw)
		replaced := bytes.Replace(body.Bytes(), compact, raw, 1)
		body = *bytes.NewBuffer(replaced)
	}
	w.Header().Set("Content-Type", "application/json")
	switch b.fault {
	case WrongContentType:
		w.Header().Set("Content-Type", "text/html")
	case TruncatedJSON:
		if contacts, _ := a["contacts"].([]any); len(contacts) > 0 && !b.startsRun(contacts) {
			body.Truncate(body.Len() / 2)
		}
	case NotUTF8:
		replaced := bytes.Replace(body.Bytes(), []byte("LATIN1"), []byte(latin1), 1)
		body = *bytes.NewBuffer(replaced)
	case DuplicateKeys:
		replaced := bytes.Replace(body.Bytes(), []byte(`{"`), []byte(`{"contacts_total":1,"contacts_total":2,"`), 1)
		body = *bytes.NewBuffer(replaced)
	case ConnectionsClosed:
		w.Header().Set("Connection", "close")
	case GzipLies:
		if r.Header.Get("Accept-Encoding") == "gzip" {
			w.Header().Set("Content-Encoding", "gzip")
		}
	case GzipUnasked:
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(body.Bytes())
		_ = z.Close()
		return
	}
	_, _ = w.Write(body.Bytes())
}

func (b *Bridge) startsRun(contacts []any) bool {
	id, _ := contacts[0].(map[string]any)["id"].(string)
	return id == strconv.Itoa(b.rows[0].id)
}

// All returns every fault.
func All() []Fault {
	return []Fault{
		PageNumbers, TiesLostAtCheckpoint, TiesLostAtOffset, CheckpointIsNow, CheckpointIsCut, NumberIDs, MissingIDs,
		NullNames, EmptyNames, OffsetLoop, EndlessPages, ServerErrorOnBadJSON, AnyCredentials, AnyPassword, ForbiddenForWrong,
		MissingAuthServed, ASCIIOnlyComparison, ValidationSaysYes, HTMLErrors, StackTraces, EchoesCredentials, DuplicateOnPage,
		DuplicateInRun, NoCheckpointOnLastPage, NoCheckpointOnEmptyPage, CheckpointIgnored, CheckpointRefused,
		OffsetDiesOnRestart, OffsetExpires, OffsetOnlyOnce, SharedCursor, SlowPage, WrongContentType, NoContactsArray,
		NullInPhones, PhoneNotInArray, CustomFieldNotString, NullFields, EmptyFields, ContextOnlyOnce, ContextBytesCompared,
		GzipLies, GzipUnasked, GetIsServed, AnyMediaType, UnknownFieldsRefused, EmptyMarksRefused, AbsentMarksRefused,
		OffsetIsNumber, CheckpointIsNumber, ServerErrorOnOffset, TruncatedJSON, NotUTF8, DuplicateKeys, SecondPageFails,
		UpdatesDontCount, DeletedStaysListed, LargePages, ConnectionsClosed, EmptyNextOffset, DeletionsAreObjects,
		SlowishPage, PagesDiffer, HugeBodyBreaks, ServerErrorOnCheckpoint, CreationsAreOld, ReadFromSnapshot,
		ForeignCheckpointIsNew, RestartForgetsOffset, RestartedOnEveryPage, RestartedWithoutEverything, RestartedIncremental,
		RestartedUnasked, RestartedIsText, ExactIsNumber,
		AgentsAreAnObject, AgentsNeverEnd, AgentWithoutEmail, AgentIDsAreNumbers, AgentTwice, AgentsShareAnAddress, AgentOffsetIsText,
		AgentOffsetMustBeThere, AgentsHaveACursor, AgentsForAnyone, AgentOffsetBreaks, ValidationAnswersAList, ValidationAnswersNested,
		AddedIsRefused, AddedIsRefusedAgain, ValidationNeedsNothing,
	}
}
