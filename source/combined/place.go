package combined

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// A place in a run: how far each part has been read.
type place struct {
	current int                     // the part that is being read; -1 before the first change
	inside  bridge.Position         // the place in it
	read    map[int]bridge.Position // parts that were read to their end, and their last position; empty if they had no change
}

func (p *place) isRead(part int) bool {
	_, ok := p.read[part]
	return ok
}

// in returns the place in a part; empty where it was not begun.
func (p *place) in(part int) bridge.Position {
	if part == p.current {
		return p.inside
	}
	return p.read[part]
}

// finish notes that a part was read to its end.
func (p *place) finish(part int, last bridge.Position) {
	if p.read == nil {
		p.read = map[int]bridge.Position{}
	}
	p.read[part] = last
	if p.current == part {
		p.current, p.inside = -1, nil
	}
}

// A position is a byte for each part, in the order of their names, which says whether it was read, is being read or comes later;
// then the last positions of those that were read, each with its length, in the same order; then the position in the
// one that is being read.
const (
	partLater   = 0
	partRead    = 1
	partCurrent = 2
)

// appendBefore writes the beginning of all positions in a part.
func (s *Source) appendBefore(dst []byte, at place, current int) []byte {
	for _, i := range s.byName {
		switch {
		case i == current:
			dst = append(dst, partCurrent)
		case at.isRead(i):
			dst = append(dst, partRead)
		default:
			dst = append(dst, partLater)
		}
	}
	for _, i := range s.byName {
		if at.isRead(i) {
			dst = append(binary.AppendUvarint(dst, uint64(len(at.read[i]))), at.read[i]...)
		}
	}
	return dst
}

var errPlace = errors.New("a place in a run of other sources")

// parsePosition reads a position. The empty one is the start of the run.
func (s *Source) parsePosition(b bridge.Position) (place, error) {
	at := place{current: -1}
	if len(b) == 0 {
		return at, nil
	}
	if len(b) < len(s.parts) {
		return at, errPlace
	}
	rest := []byte(b[len(s.parts):])
	for n, i := range s.byName {
		switch {
		case b[n] == partCurrent && at.current < 0:
			at.current = i
		case b[n] == partRead:
			last, after, ok := cutSized(rest)
			if !ok {
				return at, errPlace
			}
			at.finish(i, last)
			rest = after
		case b[n] != partLater:
			return at, errPlace
		}
	}
	if at.current < 0 || len(rest) == 0 {
		return at, errPlace
	}
	at.inside = rest
	return at, nil
}

// cutSized cuts a length and that many bytes off the front.
func cutSized(b []byte) (head, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size) : n+int(size)], b[n+int(size):], true
}

// appendState writes the states of all parts, each with its length, in the order of their names.
func (s *Source) appendState(dst []byte, states [][]byte) []byte {
	for _, i := range s.byName {
		dst = append(binary.AppendUvarint(dst, uint64(len(states[i]))), states[i]...)
	}
	return dst
}

// parse reads the runs of all parts, and the place that a position means in them.
func (s *Source) parse(run bridge.Run, after bridge.Position) ([]bridge.Run, place, error) {
	marks, err := s.parseCheckpoint(run.Since)
	if err != nil {
		return nil, place{}, keyset.InvalidOffset(err)
	}
	runs := make([]bridge.Run, len(s.parts))
	rest := run.State
	for _, i := range s.byName {
		state, after, ok := cutSized(rest)
		if !ok {
			return nil, place{}, keyset.InvalidOffset(errPlace)
		}
		runs[i] = bridge.Run{Since: marks[i], State: state}
		rest = after
	}
	at, err := s.parsePosition(after)
	if err != nil || len(rest) > 0 {
		return nil, place{}, keyset.InvalidOffset(errors.Join(err, errPlace))
	}
	return runs, at, nil
}

// A checkpoint is a JSON object: the checkpoint of each part by its name, without those that have none.

func (s *Source) formatCheckpoint(marks []bridge.Checkpoint) bridge.Checkpoint {
	texts := map[string]string{}
	for i, mark := range marks {
		if mark != "" {
			texts[s.parts[i].Name] = string(mark)
		}
	}
	if len(texts) == 0 {
		return ""
	}
	text, err := json.Marshal(texts) // sorted by name
	if err != nil {
		return "" // texts can always be written
	}
	return bridge.Checkpoint(text)
}

func (s *Source) parseCheckpoint(c bridge.Checkpoint) ([]bridge.Checkpoint, error) {
	marks := make([]bridge.Checkpoint, len(s.parts))
	if c == "" {
		return marks, nil
	}
	var texts map[string]string
	if err := json.Unmarshal([]byte(c), &texts); err != nil {
		return nil, keyset.InvalidCheckpoint(err)
	}
	for i, p := range s.parts {
		marks[i] = bridge.Checkpoint(texts[p.Name])
	}
	if s.formatCheckpoint(marks) != c {
		return nil, keyset.InvalidCheckpoint(errPlace) // other names, or not as it was written
	}
	return marks, nil
}
