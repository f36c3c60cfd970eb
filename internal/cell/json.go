package cell

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// JSON returns the texts and numbers of a JSON array or object in their order, those of nested ones too, or a text in quotes. Of an object that
// has a key such as value, number, phone or email it is the values of these; of any other object, all values but those that
// only describe it, such as its type. It returns no values where nothing is said, as in [], {"number": null} or {"type": "work"}. ok is false
// where the text is not JSON, or says something else than values: it means itself then.
func JSON(text string) (values []string, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) < 2 {
		return nil, false
	}
	switch text[0:1] + text[len(text)-1:] {
	case "[]", "{}", `""`:
	default:
		return nil, false
	}
	if values, ok := flat(text); ok {
		return values, true
	}
	return document(text)
}

// flat returns the texts of an array that holds nothing but texts without escapes, as most lists in files do, and shares their bytes. It
// saves the time and memory that a decoder takes. ok is false for anything else, of which nothing is known then.
func flat(text string) (values []string, ok bool) {
	if text[0] != '[' || strings.IndexByte(text, '\\') >= 0 || !utf8.ValidString(text) {
		return nil, false
	}
	values = make([]string, 0, strings.Count(text, `"`)/2)
	for rest := text[1:]; ; rest = rest[1:] {
		rest = trimBlanks(rest)
		if rest == "" || rest[0] != '"' {
			return nil, false
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 || hasControl(rest[1:1+end]) {
			return nil, false
		}
		if text := rest[1 : 1+end]; !isBlank(text) {
			values = append(values, text)
		}
		rest = trimBlanks(rest[1+end+1:])
		if rest == "]" {
			return values, true
		}
		if rest == "" || rest[0] != ',' {
			return nil, false
		}
	}
}

// isBlank reports whether a text is no value: it is empty, or nothing but space.
func isBlank(text string) bool { return strings.TrimSpace(text) == "" }

// trimBlanks removes what JSON takes for space.
func trimBlanks(text string) string { return strings.TrimLeft(text, " \t\r\n") }

func hasControl(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' {
			return true
		}
	}
	return false
}

// document is JSON for any array, object or text in quotes.
func document(text string) (values []string, ok bool) {
	r := reader{decoder: json.NewDecoder(strings.NewReader(text))}
	r.decoder.UseNumber()
	root, err := r.value(0)
	if err != nil {
		return nil, false
	}
	if _, err = r.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	values = root.leaves(nil)
	return values, len(values) > 0 || root.saysNothing()
}

// maxDepth is how deep arrays and objects may be nested.
const maxDepth = 32

var errDepth = errors.New("nested too deep")

// A node is a value of a document: a text, a list, or an object in the order of its keys.
type node struct {
	text   string
	isText bool     // or a number
	broken bool     // a number with a fraction
	keys   []string // of an object, in lower case
	nodes  []node
}

type reader struct{ decoder *json.Decoder }

func (r reader) value(depth int) (node, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return node{}, err
	}
	switch token := token.(type) {
	case string:
		return node{text: token, isText: true}, nil
	case json.Number:
		return node{text: token.String(), isText: true, broken: hasFraction(token.String())}, nil
	case json.Delim:
		if depth == maxDepth {
			return node{}, errDepth
		}
		return r.list(token == '{', depth)
	}
	return node{}, nil // true, false and null say nothing
}

func (r reader) list(object bool, depth int) (node, error) {
	var list node
	for r.decoder.More() {
		if object {
			key, err := r.decoder.Token()
			if err != nil {
				return node{}, err
			}
			name, _ := key.(string)
			list.keys = append(list.keys, strings.ToLower(name))
		}
		item, err := r.value(depth + 1)
		if err != nil {
			return node{}, err
		}
		list.nodes = append(list.nodes, item)
	}
	_, err := r.decoder.Token()
	return list, err
}

// valueKeys are the keys of an object that hold what it is about.
var valueKeys = map[string]bool{
	"value": true, "number": true, "phone": true, "phonenumber": true, "phone_number": true, "tel": true, "telephone": true,
	"email": true, "mail": true, "emailaddress": true, "email_address": true, "url": true, "uri": true, "website": true,
	"values": true, "numbers": true, "phones": true, "emails": true, "websites": true, "urls": true,
}

// describingKeys are the keys that say something about the value and hold none.
var describingKeys = map[string]bool{
	"type": true, "types": true, "label": true, "kind": true, "rel": true, "id": true, "name": true, "description": true, "primary": true,
	"preferred": true, "pref": true, "default": true, "verified": true, "country": true, "countrycode": true, "country_code": true,
	"created": true, "created_at": true, "updated": true, "updated_at": true, "position": true, "order": true, "note": true,
	"extension": true, "ext": true,
}

// qualifyingKeys are the describing keys that say nothing alone.
var qualifyingKeys = map[string]bool{
	"type": true, "types": true, "label": true, "kind": true, "rel": true, "primary": true, "preferred": true, "pref": true, "default": true,
	"verified": true, "position": true, "order": true,
}

// leaves appends the texts of a node.
func (n node) leaves(to []string) []string {
	if n.isText {
		if !isBlank(n.text) {
			to = append(to, n.text)
		}
		return to
	}
	if n.keys == nil {
		for _, item := range n.nodes {
			to = item.leaves(to)
		}
		return to
	}
	named := n.pick(func(key string, _ node) bool { return valueKeys[key] })
	if len(named) > 0 {
		if ext := n.extension(); ext != "" && len(named) == 1 {
			named[0] += " ext. " + ext
		}
		return append(to, named...)
	}
	return append(to, n.pick(func(key string, value node) bool {
		return !describingKeys[key] && (!value.isText || !value.broken && looksLikeValue(value.text))
	})...)
}

// saysNothing reports whether a node holds no value, and nothing that could be meant for one: what describes a value does not count
// where that value is empty.
func (n node) saysNothing() bool {
	if n.isText {
		return isBlank(n.text)
	}
	isEmpty := slices.ContainsFunc(n.keys, func(key string) bool { return valueKeys[key] })
	for i, item := range n.nodes {
		if n.keys != nil && (qualifyingKeys[n.keys[i]] || isEmpty && describingKeys[n.keys[i]]) {
			continue
		}
		if !item.saysNothing() {
			return false
		}
	}
	return true
}

// hasFraction reports whether a number is a measure, such as a degree of latitude, that no telephone number is stored as.
func hasFraction(number string) bool {
	_, fraction, _ := strings.Cut(number, ".")
	return strings.Trim(fraction, "0") != "" && !strings.ContainsAny(number, "eE")
}

// looksLikeValue reports whether a text under a key that says nothing may be a phone number, an e-mail address or a website.
func looksLikeValue(text string) bool {
	digits := 0
	for _, c := range text {
		if unicode.IsDigit(c) {
			digits++
		}
	}
	return digits > 2 || strings.Contains(text, "@") || isSite(text)
}

// pick returns the texts of certain entries.
func (n node) pick(wanted func(key string, value node) bool) []string {
	var list []string
	for i, key := range n.keys {
		if wanted(key, n.nodes[i]) {
			list = n.nodes[i].leaves(list)
		}
	}
	return list
}

func (n node) extension() string {
	for i, key := range n.keys {
		if key == "extension" || key == "ext" {
			return n.nodes[i].text
		}
	}
	return ""
}
