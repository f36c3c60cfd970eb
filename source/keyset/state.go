package keyset

import (
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
)

// A State holds what a source fixes when a run begins and needs on every page (E4): the contents of bridge.Run.State.
type State struct {
	Layout Layout
	// Horizon is the stamp up to which the run's checkpoint may go (E2); [Lowest] where nothing is safe.
	// None in layout Unsorted.
	Horizon Value
	// Restart says that the checkpoint from which a run was to start tells nothing any more: an initial run is begun in its
	// place, so that it brings every contact and the bridge can say so (D10). It does not travel.
	Restart bool
	// Whole is the checkpoint of the whole in layout Unsorted (E10). A run that began with it has nothing to read.
	Whole bridge.Checkpoint
	// Candidate travels with the checkpoint of a complete run to the next one's Begin; empty if there is no candidate.
	Candidate string
	// Form is the form that was found for the stamps, where the configuration leaves it open. It travels with every checkpoint, so
	// that it is decided once (E11); empty if there is nothing to decide.
	Form string
	// Odd is [Page.Odd] of the run's pages.
	Odd int64
	// Mark describes the database's own state: segment Again tells by it which rows were changed since (E12). A run
	// without a mark has no such segment.
	Mark string
}

// Run returns the run from a checkpoint. In layout Unsorted it is an initial one unless the contacts are the same as before: it
// brings all of them (E10).
func (s State) Run(since bridge.Checkpoint) bridge.Run {
	if s.Layout == Unsorted && since != s.Whole {
		since = ""
	}
	return bridge.Run{Since: since, State: s.Encode()}
}

const stateVersion = 2

// Encode writes a state in binary.
func (s State) Encode() []byte {
	dst := []byte{stateVersion, byte(s.Layout)}
	dst = AppendValue(dst, s.Horizon)
	dst = AppendValue(dst, IntValue(s.Odd))
	for _, text := range []string{string(s.Whole), s.Candidate, s.Form} {
		dst = appendText(dst, text)
	}
	return appendText(dst, s.Mark)
}

// ParseState reads what Encode wrote. Anything else is an error.
func ParseState(b []byte) (State, error) {
	r := reader{rest: b}
	r.bad = r.byte() != stateVersion
	s := State{Layout: Layout(r.byte())}
	s.Horizon = r.value()
	odd := r.value()
	s.Odd = odd.Int
	s.Whole = bridge.Checkpoint(r.text())
	s.Candidate, s.Form, s.Mark = r.text(), r.text(), r.text()
	r.bad = r.bad || odd.Kind != Int || odd.Int < 0 || !strings.ContainsRune(layouts, rune(s.Layout)) ||
		(s.Layout == Unsorted) != (s.Horizon.Kind == None)
	return s, r.end()
}

const layouts = string(Unsorted) + string(Instant) + string(Local) + string(Date) + string(Number) + string(Any)

// A Since is where an incremental run starts.
type Since struct {
	Mark
	Candidate string // State.Candidate of the run that set it
	Form      string // State.Form of the run that set it; empty where it was set before forms were part of checkpoints
}

// ParseCheckpoint reads a checkpoint that [Checkpoint] wrote. Anything else is [bridge.CodeInvalidCheckpoint]. Layout
// Unsorted has none to read: its checkpoints are compared.
func ParseCheckpoint(l Layout, c bridge.Checkpoint) (Since, error) {
	text, candidate, _ := strings.Cut(string(c), "?")
	form, place, found := strings.Cut(text, formEnd)
	if !found || strings.ContainsAny(form, "/") {
		form, place = "", text
	}
	mark, err := l.Parse(place)
	since := Since{Mark: mark, Candidate: candidate, Form: form}
	if err == nil && l == Any && mark.Updated.Kind == None || err == nil && checkpoint(l, since) != c {
		err = errText
	}
	if err != nil {
		return Since{}, InvalidCheckpoint(err)
	}
	return since, nil
}

// formEnd separates the form of the stamps from the place in their order. It stands in no stamp, and ids come after a slash.
const formEnd = "="

func checkpoint(l Layout, s Since) bridge.Checkpoint {
	text := l.Format(s.Mark)
	if s.Form != "" {
		text = s.Form + formEnd + text
	}
	if s.Candidate != "" {
		text += "?" + s.Candidate
	}
	return bridge.Checkpoint(text)
}

// InvalidCheckpoint returns the error of a checkpoint that this source cannot have issued.
func InvalidCheckpoint(cause error) error {
	return &bridge.Error{
		Code:    bridge.CodeInvalidCheckpoint,
		Message: "the checkpoint was not issued by this source as it is configured now",
		Hint:    "Start over with an initial synchronization (without a checkpoint), as after every change of updated.",
		Err:     cause,
	}
}

// InvalidOffset returns the error of a run or position that this source cannot have issued.
func InvalidOffset(cause error) error {
	return &bridge.Error{
		Code:    bridge.CodeInvalidOffset,
		Message: "the offset was not issued by this source as it is configured now",
		Hint:    "Start the run again from its checkpoint.",
		Err:     cause,
	}
}

// Checkpoint implements the source's Checkpoint method: never beyond the horizon, never before the run's own start, and that start
// itself, letter by letter, where there was nothing new.
func Checkpoint(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	state, err := ParseState(run.State)
	if err != nil {
		return run.Since
	}
	if state.Layout == Unsorted {
		if complete {
			return state.Whole
		}
		return run.Since
	}
	mark, ok := state.reached(run, at, complete)
	if !ok || !state.advances(run, mark) {
		return run.Since
	}
	mark.Form = state.Form
	return checkpoint(state.Layout, mark)
}

// reached returns the place up to which everything has been read when a page ends at a position; false where that is nowhere, or
// where the run started.
func (s State) reached(run bridge.Run, at bridge.Position, complete bool) (Since, bool) {
	horizon := Since{Mark: Mark{Updated: s.Horizon}}
	if complete {
		horizon.Candidate = s.Candidate
	}
	if len(at) == 0 {
		return horizon, complete && run.Initial()
	}
	position, err := ParsePosition(at)
	switch {
	case err != nil:
		return Since{}, false
	case position.Segment == Main:
		return Since{Mark: Mark{Updated: position.Updated, ID: position.ID}}, true
	case position.Segment >= Tail:
		return horizon, true
	}
	return horizon, complete
}

// advances reports whether a checkpoint may replace the one that the run started from.
func (s State) advances(run bridge.Run, to Since) bool {
	if to == (Since{Mark: Mark{Updated: Lowest()}}) {
		return false
	}
	if run.Initial() {
		return true
	}
	since, err := ParseCheckpoint(s.Layout, run.Since)
	return err == nil && Compare(to.Updated, since.Updated) >= 0
}
