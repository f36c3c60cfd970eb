package ldapbook

import (
	"strings"

	"github.com/contactbridge/contactbridge/phonebook"
)

// A filter is what a search asks for (RFC 4511, 4.5.1.7).
type filter struct {
	op       op
	attr     string    // as it was sent
	value    string    // of equal, greater, less
	initial  string    // of substrings
	any      []string  // of substrings
	final    string    // of substrings
	children []*filter // of and, or, not
}

type op int

const (
	opAnd op = iota
	opOr
	opNot
	opEqual
	opSubstrings
	opGreater
	opLess
	opPresent
	opNever // a rule that we do not know: undefined
)

// Bounds of a filter.
const (
	mostDepth  = 32
	mostItems  = 200
	mostPieces = 100
)

// A filterReader counts what it has read.
type filterReader struct{ items int }

// parseFilter reads a filter. Its error means that it is not one, or is beyond the bounds.
func parseFilter(e element) (*filter, error) { return (&filterReader{}).read(e, mostDepth) }

func (r *filterReader) read(e element, depth int) (*filter, error) {
	if r.items++; depth == 0 || r.items > mostItems {
		return nil, errBER
	}
	switch e.tag {
	case constructed0, constructed0 | 1:
		f := &filter{op: opAnd}
		if e.tag == constructed0|1 {
			f.op = opOr
		}
		parts, err := all(e.body, mostItems)
		if err != nil {
			return nil, err
		}
		for _, part := range parts {
			child, err := r.read(part, depth-1)
			if err != nil {
				return nil, err
			}
			f.children = append(f.children, child)
		}
		return f, nil
	case constructed0 | 2:
		inner, rest, err := take(e.body)
		if err != nil || len(rest) > 0 {
			return nil, errBER
		}
		child, err := r.read(inner, depth-1)
		return &filter{op: opNot, children: []*filter{child}}, err
	case constructed0 | 3, constructed0 | 8: // approximately equal is equal
		return compared(e, opEqual)
	case constructed0 | 5:
		return compared(e, opGreater)
	case constructed0 | 6:
		return compared(e, opLess)
	case constructed0 | 4:
		return substrings(e)
	case context0 | 7:
		return &filter{op: opPresent, attr: string(e.body)}, nil
	case constructed0 | 9:
		if _, err := all(e.body, 4); err != nil {
			return nil, err
		}
		return &filter{op: opNever}, nil
	}
	return nil, errBER
}

// compared reads attribute and value.
func compared(e element, o op) (*filter, error) {
	parts, err := all(e.body, 2)
	if err != nil || len(parts) != 2 || parts[0].tag != tagOctets || parts[1].tag != tagOctets {
		return nil, errBER
	}
	return &filter{op: o, attr: string(parts[0].body), value: phonebook.UTF8(string(parts[1].body))}, nil
}

func substrings(e element) (*filter, error) {
	parts, err := all(e.body, 2)
	if err != nil || len(parts) != 2 || parts[0].tag != tagOctets || parts[1].tag != tagSequence {
		return nil, errBER
	}
	pieces, err := all(parts[1].body, mostPieces)
	if err != nil || len(pieces) == 0 {
		return nil, errBER
	}
	f := &filter{op: opSubstrings, attr: string(parts[0].body)}
	for n, p := range pieces {
		text := phonebook.UTF8(string(p.body))
		switch {
		case p.tag == context0 && n == 0:
			f.initial = text
		case p.tag == context0|1:
			if text != "" { // "ann**" has an empty piece
				f.any = append(f.any, text)
			}
		case p.tag == context0|2 && n == len(pieces)-1:
			f.final = text
		default:
			return nil, errBER
		}
	}
	return f, nil
}

// truth is a value of three-valued logic.
type truth int

const (
	no truth = iota
	undefined
	yes
)

// eval says whether an entry fits.
func (f *filter) eval(e *subject) truth {
	switch f.op {
	case opAnd:
		t := yes
		for _, c := range f.children {
			t = min(t, c.eval(e))
		}
		return t
	case opOr:
		t := no
		for _, c := range f.children {
			t = max(t, c.eval(e))
		}
		return t
	case opNot:
		return yes - f.children[0].eval(e)
	case opNever:
		return undefined
	}
	a, ok := attributeOf(f.attr)
	if !ok {
		return undefined
	}
	var fits bool
	switch {
	case f.op == opPresent:
		fits = len(a.values(e)) > 0
	case a.kind == kindNumber:
		fits = f.fitsNumber(e, a)
	case a.kind == kindText:
		fits = f.fitsText(a.values(e))
	default:
		fits = f.fitsWord(a.values(e))
	}
	if fits {
		return yes
	}
	return no
}

// fitsWord compares as it stands, but for case: ids and classes of objects.
func (f *filter) fitsWord(values []string) bool {
	for _, v := range values {
		v = strings.ToLower(v)
		switch f.op {
		case opEqual:
			if v == strings.ToLower(f.value) {
				return true
			}
		case opGreater:
			if v >= strings.ToLower(f.value) {
				return true
			}
		case opLess:
			if v <= strings.ToLower(f.value) {
				return true
			}
		case opSubstrings:
			rest, ok := strings.CutPrefix(v, strings.ToLower(f.initial))
			for _, piece := range f.any {
				if ok {
					_, rest, ok = strings.Cut(rest, strings.ToLower(piece))
				}
			}
			if ok && strings.HasSuffix(rest, strings.ToLower(f.final)) {
				return true
			}
		}
	}
	return false
}

// fitsText compares folded texts: without case and accents, a beginning at every word.
func (f *filter) fitsText(values []string) bool {
	for _, v := range values {
		switch f.op {
		case opEqual:
			for _, way := range matched {
				if fold(v, way[1]) == fold(f.value, way[0]) {
					return true
				}
			}
		case opGreater:
			if folded(v) >= folded(f.value) {
				return true
			}
		case opLess:
			if folded(v) <= folded(f.value) {
				return true
			}
		case opSubstrings:
			if f.fitsPieces(v) {
				return true
			}
		}
	}
	return false
}

// fitsPieces tries each spelling of all pieces. Pieces of signs only are in no text.
func (f *filter) fitsPieces(v string) bool {
	for _, way := range matched {
		initial, others, final := fold(f.initial, way[0]), foldAll(f.any, way[0]), fold(f.final, way[0])
		if (initial != "" || len(others) > 0 || final != "") && partsFit(" "+fold(v, way[1]), initial, others, final) {
			return true
		}
	}
	return false
}

// partsFit reports whether a text, with a space before it, has a word that begins with initial, and then the others.
func partsFit(text, initial string, others []string, final string) bool {
	if initial != "" {
		_, rest, ok := strings.Cut(text, " "+initial)
		if !ok {
			return false
		}
		text = rest
	}
	for _, piece := range others {
		_, rest, ok := strings.Cut(text, piece)
		if !ok {
			return false
		}
		text = rest
	}
	return strings.HasSuffix(text, final)
}

// fitsNumber compares digits, in every spelling of the entry's numbers. Letters without a digit fit no number.
func (f *filter) fitsNumber(e *subject, a *attribute) bool {
	numbers := a.numbers(e)
	switch f.op {
	case opEqual:
		return e.hasNumber(numbers, f.value)
	case opSubstrings:
		if joined, ok := f.joined(); ok {
			return e.hasNumber(numbers, joined)
		}
	default:
		return false
	}
	initial, final := phonebook.OnlyDigits(f.initial), phonebook.OnlyDigits(f.final)
	if !digitsOnly(f.initial) || !digitsOnly(f.final) {
		return false
	}
	if len(f.any) == 0 && final == "" && len(initial) >= wholeNumber && e.hasNumber(numbers, f.initial) {
		return true
	}
	any := make([]string, 0, len(f.any))
	for _, piece := range f.any {
		if !digitsOnly(piece) {
			return false
		}
		if piece = phonebook.OnlyDigits(piece); piece != "" {
			any = append(any, piece)
		}
	}
	for i := range numbers {
		for _, spelt := range e.view.Numbers.Spelt(&numbers[i]) {
			rest, ok := strings.CutPrefix(spelt, initial)
			for _, piece := range any {
				if ok {
					_, rest, ok = strings.Cut(rest, piece)
				}
			}
			if ok && strings.HasSuffix(rest, final) {
				return true
			}
		}
	}
	return false
}

// wholeNumber is how many digits are taken for a whole number with a star after it.
const wholeNumber = 7

// digitsOnly reports whether a text has digits and what is written between them, or is empty.
func digitsOnly(text string) bool {
	return text == "" || phonebook.OnlyDigits(text) != "" && strings.Trim(text, "0123456789+ ()/-.\u00a0") == ""
}

// joined is a number of which each digit is a piece of its own: 3*0*2*3*1*2*5.
func (f *filter) joined() (string, bool) {
	pieces := append(append([]string{f.initial}, f.any...), f.final)
	number, single := "", 0
	for _, p := range pieces {
		if p != "" && (len(p) > 1 || phonebook.OnlyDigits(p) == "") {
			return "", false
		}
		if p != "" {
			single++
		}
		number += p
	}
	return number, single >= wholeNumber
}
