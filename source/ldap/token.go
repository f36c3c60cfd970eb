package ldap

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
)

var errForeign = errors.New("not in the form that this source writes")

// A token says how far a directory has been read: a checkpoint. The zero token is none.
type token struct {
	way     string   // one of the values of changes; empty for none
	cookies []string // sync: one for each base
	source  string   // usn, log: the server whose numbers they are
	number  int64    // usn, log; stamp: seconds since 1970
	made    int64    // usn, log: when, in days since 1970
	print   string   // stamp, whole: the fingerprint of what was read, in hexadecimal
	shape   string   // see [reader.shape]
}

// String writes a token in printable ASCII; empty for none.
func (t token) String() string {
	var parts []string
	switch t.way {
	case "":
		return ""
	case changesSync:
		for _, c := range t.cookies {
			parts = append(parts, base64.RawURLEncoding.EncodeToString([]byte(c)))
		}
		parts = []string{strings.Join(parts, ",")}
	case changesUSN, changesLog:
		parts = []string{t.source, strconv.FormatInt(t.number, 10), strconv.FormatInt(t.made, 10)}
	case changesStamp:
		parts = []string{strconv.FormatInt(t.number, 10), t.print}
	case changesWhole:
		parts = []string{t.print}
	}
	return "ldap/" + t.way + "/" + strings.Join(append(parts, t.shape), "/")
}

// parseToken reads what String wrote, and nothing else.
func parseToken(text string) (token, error) {
	if text == "" {
		return token{}, nil
	}
	parts := strings.Split(text, "/")
	if len(parts) < 4 || parts[0] != "ldap" {
		return token{}, errForeign
	}
	t := token{way: parts[1], shape: parts[len(parts)-1]}
	err := t.parse(parts[2 : len(parts)-1])
	if err != nil || t.String() != text {
		return token{}, errForeign
	}
	return t, nil
}

func (t *token) parse(parts []string) (err error) {
	want := map[string]int{changesSync: 1, changesUSN: 3, changesLog: 3, changesStamp: 2, changesWhole: 1}[t.way]
	if len(parts) != want {
		return errForeign
	}
	switch t.way {
	case changesSync:
		for text := range strings.SplitSeq(parts[0], ",") {
			cookie, err := base64.RawURLEncoding.DecodeString(text)
			if err != nil {
				return err
			}
			t.cookies = append(t.cookies, string(cookie))
		}
	case changesUSN, changesLog:
		t.source = parts[0]
		if t.number, err = strconv.ParseInt(parts[1], 10, 64); err == nil {
			t.made, err = strconv.ParseInt(parts[2], 10, 64)
		}
	case changesStamp:
		t.print = parts[1]
		t.number, err = strconv.ParseInt(parts[0], 10, 64)
	case changesWhole:
		t.print = parts[0]
	}
	return err
}

// A state holds what every page of a run needs (E4).
type state struct {
	whole bool
	next  token // the checkpoint of the complete run
	// created is when the youngest entry of the run was created, in seconds since 1970: whoever came later belongs to the next
	// run, so that a run that is read again ends (E3). 0: unknown.
	created int64
}

const tokenVersion = 1

func (s state) encode() []byte {
	b := []byte{tokenVersion, 0}
	if s.whole {
		b[1] = 1
	}
	return appendText(binary.BigEndian.AppendUint64(b, uint64(s.created)), s.next.String())
}

func parseState(b []byte) (state, error) {
	if len(b) < 10 || b[0] != tokenVersion || b[1] > 1 {
		return state{}, errForeign
	}
	text, rest, ok := cutText(b[10:])
	if !ok || len(rest) > 0 || text == "" {
		return state{}, errForeign
	}
	next, err := parseToken(text)
	return state{whole: b[1] == 1, next: next, created: int64(binary.BigEndian.Uint64(b[2:]))}, err
}

// A place is where a record is in the order of a run: its id, and among records without an id the server's own one.
type place struct{ id, key string }

func (p place) compare(q place) int {
	if c := strings.Compare(p.id, q.id); c != 0 || p.id != "" {
		return c
	}
	return strings.Compare(p.key, q.key)
}

func appendPosition(dst []byte, p place) bridge.Position {
	return appendText(appendText(append(dst, tokenVersion), p.id), p.key)
}

// parsePosition reads what appendPosition wrote; nothing is the start.
func parsePosition(b bridge.Position) (place, error) {
	if len(b) == 0 {
		return place{}, nil
	}
	if b[0] != tokenVersion {
		return place{}, errForeign
	}
	id, rest, ok := cutText(b[1:])
	if !ok {
		return place{}, errForeign
	}
	key, rest, ok := cutText(rest)
	if !ok || len(rest) > 0 || id == "" && key == "" {
		return place{}, errForeign
	}
	return place{id, key}, nil
}

// appendText appends a text with its length before it.
func appendText[T ~string | ~[]byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// cutText returns the text at the front of b, and what follows it.
func cutText(b []byte) (text string, rest []byte, ok bool) {
	value, rest, ok := cutBytes(b)
	return string(value), rest, ok
}

func cutBytes(b []byte) (value, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size)], b[n+int(size):], true
}
