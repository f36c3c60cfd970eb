package directory

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

// This file is the one place that names the columns of a stored run, and that decides what becomes of a run when another one is to
// start. A store only reads and writes what stands here.

// A StoredRun is a run as stores keep it.
type StoredRun struct {
	Run
	Until    time.Time     // when its lease ends if its process shows no sign of life
	LeaseFor time.Duration // how long a sign of life keeps the lease
	Newest   int64         // greatest key of a contact that is older than the run, or than its second pass
}

// A runColumn is a column of a store's table of runs, and the field of a run that it holds.
type runColumn struct {
	name  string
	field any // pointer
}

// columns are all columns but the integration's. The key comes first.
func (r *StoredRun) columns() []runColumn {
	return []runColumn{
		{"pk", &r.ID},
		{"kind", &r.Kind},
		{"state", &r.State},
		{"since", (*Text)(&r.Since)},
		{"offset", (*Text)(&r.Offset)},
		{"context", (*content)(&r.Context)},
		{"checkpoint", (*Text)(&r.Checkpoint)},
		{"lease", &r.Lease},
		{"lease_until", (*stamp)(&r.Until)},
		{"lease_ms", (*milliseconds)(&r.LeaseFor)},
		{"started", (*stamp)(&r.Started)},
		{"updated", (*stamp)(&r.Updated)},
		{"finished", (*stamp)(&r.Finished)},
		{"error", (*Text)(&r.Error)},
		{"hint", (*Text)(&r.Hint)},
		{"isfull", &r.Full},
		{"settings", (*Text)(&r.Settings)},
		{"doubt", &r.Evidence.Doubt},
		{"interrupted", &r.Evidence.Interrupted},
		{"exact", &r.Evidence.Exact},
		{"restarts", &r.Evidence.Restarts},
		{"had", &r.Evidence.Had},
		{"brought", &r.Evidence.Brought},
		{"newest", &r.Newest},
		{"pages", &r.Pages},
		{"contacts", &r.Contacts},
		{"created", &r.Created},
		{"changed", &r.Counts.Updated},
		{"unchanged", &r.Unchanged},
		{"deleted", &r.Deleted},
		{"rejected", &r.Counts.Rejected},
		{"bytes", &r.Bytes},
	}
}

// RunColumns are the columns of a run, in the order of [StoredRun.Fields]; the key, pk, comes first.
func RunColumns() []string {
	var names []string
	for _, c := range (&StoredRun{}).columns() {
		names = append(names, `"`+c.name+`"`)
	}
	return names
}

// SelectRun selects a run's columns out of a table r. With orNone, r may have no row (LEFT JOIN), which reads as an empty run.
func SelectRun(orNone bool) string {
	var list []string
	for _, c := range (&StoredRun{}).columns() {
		column := `r."` + c.name + `"`
		if zero := zeroOf(c.field); orNone && zero != "" {
			column = "coalesce(" + column + ", " + zero + ")"
		}
		list = append(list, column)
	}
	return strings.Join(list, ", ")
}

// zeroOf is how SQL writes a field's zero value; empty where NULL is read as that.
func zeroOf(field any) string {
	switch field.(type) {
	case *Text, *content:
		return ""
	case *bool:
		return "false"
	case *string, *Kind, *RunState, *Doubt:
		return "''"
	}
	return "0"
}

// Fields are where a row of [SelectRun] is read to; more are those of what is selected after it.
func (r *StoredRun) Fields(more ...any) []any {
	var all []any
	for _, c := range r.columns() {
		all = append(all, c.field)
	}
	return append(all, more...)
}

// Values are a run's values in the order of [RunColumns]: int64, bool, string, [Text], or []byte, which may be nil.
func (r *StoredRun) Values() []any {
	var all []any
	for _, c := range r.columns() {
		all = append(all, valueOf(c.field))
	}
	return all
}

func valueOf(field any) any {
	switch f := field.(type) {
	case *int64:
		return *f
	case *bool:
		return *f
	case *string:
		return *f
	case *Kind:
		return string(*f)
	case *RunState:
		return string(*f)
	case *Doubt:
		return string(*f)
	case *Text:
		return *f
	case *content:
		return []byte(*f)
	case *stamp:
		return Millis(time.Time(*f))
	case *milliseconds:
		return time.Duration(*f).Milliseconds()
	}
	panic(fmt.Sprintf("a run has a field of type %T", field)) // every run would; the first test says so
}

// A Text is text that bridges sent. A store may keep it as bytes, where its texts can hold no zero byte.
type Text string

// ScanBytes implements pgtype.BytesScanner.
func (t *Text) ScanBytes(b []byte) error {
	*t = Text(b)
	return nil
}

// content is bytes that may be missing.
type content []byte

// Scan implements sql.Scanner.
func (c *content) Scan(v any) error {
	b, _ := v.([]byte)
	return c.ScanBytes(b)
}

// ScanBytes implements pgtype.BytesScanner.
func (c *content) ScanBytes(b []byte) error {
	*c = nil
	if len(b) > 0 {
		*c = bytes.Clone(b)
	}
	return nil
}

// A stamp is a time that is stored as Unix milliseconds, 0 for none.
type stamp time.Time

// Scan implements sql.Scanner.
func (s *stamp) Scan(v any) error {
	ms, err := number(v)
	*s = stamp(Moment(ms))
	return err
}

// milliseconds are a duration that is stored as a number of them.
type milliseconds time.Duration

// Scan implements sql.Scanner.
func (m *milliseconds) Scan(v any) error {
	ms, err := number(v)
	*m = milliseconds(time.Duration(ms) * time.Millisecond)
	return err
}

func number(v any) (int64, error) {
	n, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("a stored number is %T", v)
	}
	return n, nil
}

// Moment returns a stored time, Unix milliseconds; zero for 0.
func Moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Millis returns a time as it is stored: Unix milliseconds, 0 for none.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// KeptRuns and KeptRejected are how many runs and rejected contacts of an integration are kept, the newest ones.
const (
	KeptRuns     = 1000
	KeptRejected = 1000
)

// NewRun returns a run that begins now, from the integration's checkpoint, or an initial one. Had is how many contacts the
// integration has, newest the greatest key that any contact ever had.
func NewRun(start Start, checkpoint string, had, newest int64, now time.Time) *StoredRun {
	now = Moment(now.UnixMilli())
	r := &StoredRun{
		Run:   Run{State: Running, Lease: rand.Text(), Full: start.Full, Settings: start.Settings, Started: now, Updated: now},
		Until: now.Add(start.Lease), LeaseFor: start.Lease, Newest: newest,
	}
	if start.Full {
		checkpoint = ""
	}
	r.Begin(checkpoint, had)
	return r
}

// UnderWay returns an [*UnderWayError] while the run's lease holds, or else nil.
func (r *StoredRun) UnderWay(now time.Time) error {
	if r.State != Running || !r.Until.After(now) {
		return nil
	}
	other := r.Run
	other.Lease = "" // it is the other's
	return &UnderWayError{Run: other, Until: r.Until}
}

// A Resumption says what happens to an integration's newest run when a run is to start.
type Resumption int

// The kinds of resumption. All but the first change the run: the store keeps it.
const (
	NothingToResume Resumption = iota // it had ended
	RunAbandoned
	RunResumed
)

// Continue decides what becomes of an integration's newest run, r, when a run is to start: where it was not finished and is fresh, it
// goes on. Otherwise it is abandoned, and the next run starts from the integration's checkpoint. The abandoned one's may be further,
// and would be as safe with an orderly bridge (P9); with any other the checkpoint of a complete run is the one that can be trusted.
// [*UnderWayError] while another process has it.
func (r *StoredRun) Continue(start Start, now time.Time) (Resumption, error) {
	if err := r.UnderWay(now); err != nil {
		return NothingToResume, err
	}
	made := r.Settings
	switch {
	case r.State != Running && r.State != Failed:
		return NothingToResume, nil
	case start.Full || r.Pages == 0 || !r.MadeWith(start.Settings) || start.FreshFor <= 0 || r.Updated.Add(start.FreshFor).Before(now):
		r.State, r.Settings = Abandoned, made
		if r.Finished.IsZero() { // one that had failed ended then, not now
			r.Finished = Moment(now.UnixMilli())
		}
		return RunAbandoned, nil
	}
	r.Lease, r.State, r.Error, r.Hint, r.Finished, r.Resumed = rand.Text(), Running, "", "", time.Time{}, true
	r.Until, r.LeaseFor = now.Add(start.Lease), start.Lease
	r.Resume()
	return RunResumed, nil
}

// Check returns [ErrLeaseLost] where the run, as it is stored, is not this process's any more (T8), and [ErrOutOfOrder] where the page
// is not its next one; page 0 means no page.
func (r *StoredRun) Check(mine *Run, page int64) error {
	switch {
	case r.Lease != mine.Lease:
		return ErrLeaseLost
	case page != 0 && page != r.Pages+1:
		return ErrOutOfOrder
	case r.State != Running:
		return ErrLeaseLost
	}
	return nil
}

// Restart makes the run begin again; see [Run.Restart]. Had and newest are as in [NewRun]: what the first pass made may be gone from the
// second, so it counts as older than the run from here on.
func (r *StoredRun) Restart(had, newest int64) {
	r.Run.Restart()
	r.Evidence.Had, r.Newest = had, newest
}

// Renew makes the lease hold for a while from now on.
func (r *StoredRun) Renew(now time.Time, lease time.Duration) {
	r.Until, r.LeaseFor = now.Add(lease), lease
}

// Fail ends the run with an error and what to do about it, and gives its lease back.
func (r *StoredRun) Fail(cause error, hint string, now time.Time) {
	r.Run.Fail(cause, hint, now)
	r.Until = time.Time{}
}

// Fail ends the run with an error and what to do about it.
func (r *Run) Fail(cause error, hint string, now time.Time) {
	r.State, r.Error, r.Hint, r.Finished = Failed, cause.Error(), hint, Moment(now.UnixMilli())
}
