package rest

import (
	"bytes"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/charset"
	"github.com/contactbridge/contactbridge/source"
)

// decode makes an answer's body UTF-8, as its header or its bytes say.
func (a *answer) decode() {
	body, damaged, err := charset.Bytes(a.body, a.header.Get("Content-Type"))
	if err != nil { // which matters where the answer must be JSON
		a.undecoded = err
		return
	}
	a.body, a.damaged = body, damaged
}

// isWhole reports whether a value of an answer was read without damage.
func (a *answer) isWhole(value []byte) bool {
	return !a.damaged || !bytes.ContainsRune(value, charset.Unreadable)
}

// spoil marks a record with values that are in no known character set. An id that cannot be read is unknown, so there is none then (D8).
func (i *item) spoil(a *answer) {
	for _, value := range i.values {
		if !a.isWhole(value) {
			i.fault = charset.Why
		}
	}
	if !a.isWhole([]byte(i.id)) {
		i.id = ""
	}
}

// explain says of an answer that is a page for people that it is one.
func (a *answer) explain(e *bridge.Error) {
	if a.undecoded != nil {
		e.Message, e.Hint = a.undecoded.Error(), "Let the service answer in UTF-8."
		return
	}
	if format, known := source.FormatOf(a.body[:min(len(a.body), source.FormatBytes)], nil); known && len(a.body) > 0 && a.body[0] == '<' {
		e.Message = "the answer is " + format.Name + ", not JSON"
		e.Hint = "Check the address: it is not that of the API."
	}
}
