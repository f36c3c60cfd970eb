package vcard

import (
	"bytes"
	"errors"
	"io"

	"github.com/contactbridge/contactbridge/source/file"
	"github.com/contactbridge/contactbridge/source/file/lines"
)

const (
	begin = "BEGIN:VCARD"
	end   = "END:VCARD"
	// maxCard is the most bytes of a card that are looked at, without photos and other data.
	maxCard = 1 << 20
)

// What is said of cards.
var (
	unclosed = &file.Flaw{Code: "unclosed", Says: "have no END:VCARD", Hint: "Export them again, or add the line."}
	outside  = &file.Flaw{Code: "outside", Says: "are lines outside of a card", Hint: "Export the file again: a BEGIN:VCARD seems to be missing."}
	tooLong  = &file.Flaw{Code: "too_long", Says: "are longer than 1 MiB without their photos", Hint: "Export the card again, without what is no text."}

	unreadable = &file.Flaw{Code: "unreadable_lines", Says: "have lines that are no properties, or are longer than 1 MiB: they are left out", Hint: "Look at the lines of these cards; a line break within a value must be written as \\n."}
)

// records reads a file card by card, from any of them.
type records struct {
	lines *lines.Reader
	first file.Place
	extra map[string]int

	at      file.Place // after the last line that was taken
	pending []byte     // the line that was looked at
	long    bool       // it is longer than lines.Max
	after   file.Place // where it ends
	looked  bool       // there is one

	line   []byte // unfolded
	old    bool   // the card is of version 2.1
	card   card
	values [][]byte
	strays int // lines of the card that are left out
	size   int // of the card
}

var _ file.Seeker = (*records)(nil)

// Seek implements [file.Seeker].
func (r *records) Seek(at file.Place) {
	if at == (file.Place{}) {
		at = r.first
	}
	r.lines.GoTo(at.Offset)
	r.at, r.looked = at, false
}

// Close implements [io.Closer].
func (r *records) Close() error {
	r.lines.Close()
	return nil
}

// Next implements [file.Records].
func (r *records) Next(rec *file.Record) error {
	for {
		start := r.at
		line, err := r.peek()
		if err != nil {
			return err
		}
		r.take()
		switch {
		case len(bytes.TrimSpace(line)) == 0:
			continue
		case !isLine(line, begin):
			return r.stray(rec, start)
		}
		*rec = file.Record{Start: start}
		if err := r.read(rec); err != nil {
			return err
		}
		if rec.End = r.at; !r.card.group || rec.Fault != nil {
			return nil
		}
	}
}

// stray makes one record that cannot be read of the lines up to the next card.
func (r *records) stray(rec *file.Record, start file.Place) error {
	for {
		line, err := r.peek()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err != nil || isLine(line, begin) {
			*rec = file.Record{Start: start, End: r.at, Fault: outside, Reason: "it stands outside of a card"}
			return nil
		}
		r.take()
	}
}

// read reads a card after its first line.
func (r *records) read(rec *file.Record) error {
	r.card.reset()
	r.old, r.strays, r.size = false, 0, 0
	agent := false
	for {
		line, err := r.peek()
		switch {
		case errors.Is(err, io.EOF):
			rec.Fault, rec.Reason = unclosed, "its END:VCARD is missing"
			return nil
		case err != nil:
			return err
		case isLine(line, begin) && agent:
			if err := r.skipNested(); err != nil {
				return err
			}
			continue
		case isLine(line, begin):
			rec.Fault, rec.Reason = unclosed, "its END:VCARD is missing"
			return nil
		case isLine(line, end):
			r.take()
			r.finish(rec)
			return nil
		}
		if agent, err = r.property(); err != nil {
			return err
		}
	}
}

// finish makes the record of a card that has been read.
func (r *records) finish(rec *file.Record) {
	if r.size > maxCard {
		rec.Fault, rec.Reason = tooLong, "it is longer than 1 MiB without its photos"
		return
	}
	clear(r.values)
	r.card.finish(r.values, r.extra)
	rec.Values = r.values
	if r.strays > 0 {
		rec.Remark = unreadable
	}
}

// skipNested passes over the card of an agent (version 2.1).
func (r *records) skipNested() error {
	for depth := 0; ; {
		line, err := r.peek()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		r.take()
		switch {
		case isLine(line, begin):
			depth++
		case isLine(line, end):
			if depth--; depth == 0 {
				return nil
			}
		}
	}
}

// property reads a property into the card. agent says that a card of its own follows as its value.
func (r *records) property() (agent bool, err error) {
	long, err := r.unfold()
	if err != nil || len(bytes.TrimSpace(r.line)) == 0 {
		return false, err
	}
	p, ok := parse(r.line)
	switch {
	case ok && isData(p.name):
		return p.name == "AGENT" && len(bytes.TrimSpace(p.value)) == 0, nil
	case ok && p.name == "PHOTO" && (p.base64 || long):
		return false, nil
	case !ok || long:
		r.strays++
		return false, nil
	}
	if r.size += len(r.line); r.size > maxCard {
		return false, nil
	}
	if p.name == "VERSION" {
		r.old = p.text() == "2.1"
	}
	r.card.add(&p, r.extra)
	return false, nil
}

// isData reports whether a property holds what is no text.
func isData(name string) bool {
	switch name {
	case "LOGO", "SOUND", "KEY", "AGENT":
		return true
	}
	return false
}

// unfold reads a line with those that continue it into r.line. long says that it is longer than lines.Max, and that only its
// beginning was kept.
func (r *records) unfold() (long bool, err error) {
	line, err := r.peek()
	if err != nil {
		return false, err
	}
	long = r.long
	r.line = append(r.line[:0], line...)
	r.take()
	quoted, data := encodings(r.line)
	for {
		next, err := r.peek()
		if errors.Is(err, io.EOF) {
			return long, nil
		} else if err != nil {
			return false, err
		}
		switch soft := quoted && bytes.HasSuffix(bytes.TrimRight(r.line, " \t"), []byte("=")); {
		case soft && !isLine(next, end) && !isLine(next, begin):
			r.line = bytes.TrimRight(r.line, " \t")
			r.line = r.line[:len(r.line)-1]
		case len(next) > 0 && (next[0] == ' ' || next[0] == '\t'):
			if !r.old || data || quoted { // in version 2.1 the space is part of the value
				next = next[1:]
			}
		case data && r.old && isBase64(next):
		default:
			return long, nil
		}
		if long = long || r.long || len(r.line)+len(next) > lines.Max; !long {
			r.line = append(r.line, next...)
		}
		r.take()
	}
}

// encodings tells how the value of a line is encoded.
func encodings(line []byte) (quoted, data bool) {
	head, _, ok := bytes.Cut(line, []byte(":"))
	if !ok || bytes.IndexByte(head, ';') < 0 {
		return false, false
	}
	head = bytes.ToUpper(head)
	return bytes.Contains(head, []byte("QUOTED-PRINTABLE")), bytes.Contains(head, []byte("BASE64")) || bytes.Contains(head, []byte("ENCODING=B"))
}

// isBase64 reports whether a line can only be more of a value in base64.
func isBase64(line []byte) bool {
	for _, b := range line {
		if !(b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '+' || b == '/' || b == '=') {
			return false
		}
	}
	return len(line) > 0
}

// peek returns the next line of the file, valid until the one after it is looked at.
func (r *records) peek() ([]byte, error) {
	if r.looked {
		return r.pending, nil
	}
	line, long, err := r.lines.Read()
	if err != nil {
		return nil, err
	}
	r.pending, r.long, r.looked = line, long, true
	r.after = file.Place{Offset: r.lines.Offset(), Line: r.at.Line + 1}
	return line, nil
}

// take passes over the line that was looked at.
func (r *records) take() { r.at, r.looked = r.after, false }

// isLine reports whether a line says something, in any case and with space around it.
func isLine(line []byte, says string) bool {
	if len(line) < len(says) {
		return false
	}
	if len(line) > len(says) {
		line = bytes.TrimSpace(line)
	}
	return len(line) == len(says) && bytes.EqualFold(line, []byte(says))
}

// cutFold returns what follows a beginning that is written in any case.
func cutFold(line []byte, prefix string) (rest []byte, ok bool) {
	if len(line) < len(prefix) || !bytes.EqualFold(line[:len(prefix)], []byte(prefix)) {
		return nil, false
	}
	return line[len(prefix):], true
}
