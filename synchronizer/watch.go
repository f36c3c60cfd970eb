package synchronizer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"

	"github.com/contactbridge/contactbridge/bridge"
)

// A watch notices that a run comes back to a place where it has been (D4, E8). A place is an offset with its context: a
// bridge that repeats its offset while its context moves makes progress.
//
// It keeps one earlier place and moves it on at every power of two (Brent's cycle detection): whatever the length of the
// loop, it is noticed after a small multiple of it, in constant memory. A page that repeats what it was asked with is
// noticed at once.
type watch struct {
	kept, last place
	steps      uint64 // since kept
	power      uint64 // steps after which kept moves on
}

// A place is a digest of an offset and its context.
type place [sha256.Size]byte

// newWatch starts at the place that the run's first request asks for.
func newWatch(ask bridge.PageRequest) *watch {
	start := placeOf(ask.Offset, ask.Context)
	return &watch{kept: start, last: start, power: 1}
}

// seen goes to the next place and reports whether the run has been there.
func (w *watch) seen(offset string, context json.RawMessage) bool {
	next := placeOf(offset, context)
	if next == w.last || next == w.kept {
		return true
	}
	if w.steps++; w.steps == w.power {
		w.kept, w.steps, w.power = next, 0, 2*w.power
	}
	w.last = next
	return false
}

func placeOf(offset string, context json.RawMessage) place {
	digest := sha256.New()
	digest.Write([]byte(offset))
	digest.Write([]byte{0}) // no JSON begins with it, so no offset can look like one with a context
	digest.Write(canonical(context))
	return place(digest.Sum(nil))
}

// canonical is a JSON value with sorted keys and without white space: bridges may write one context in many ways. Null is
// the same as none (D1).
func canonical(value json.RawMessage) []byte {
	if len(value) == 0 || bytes.Equal(value, []byte("null")) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber() // a number must not lose its last digits
	var v any
	if decoder.Decode(&v) != nil {
		return value
	}
	text, err := json.Marshal(v)
	if err != nil {
		return value
	}
	return text
}
