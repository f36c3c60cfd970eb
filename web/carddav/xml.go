package carddav

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// Namespaces.
const (
	dav    = "DAV:"
	card   = "urn:ietf:params:xml:ns:carddav"
	server = "http://calendarserver.org/ns/"
)

// A node is an element that a client sent.
type node struct {
	name     xml.Name
	attrs    []xml.Attr
	children []*node
	text     string
}

// Bounds of a request.
const (
	mostBody  = 8 << 20
	mostNodes = 200_000
	mostDepth = 20
)

var (
	errXML      = errors.New("the body is not XML that is understood")
	errTooLarge = errors.New("the body is too large")
)

// parse reads a body; nil where it is empty. A body with a document type is refused: no client needs one, and entities are bombs.
func parse(body io.Reader) (*node, error) {
	limited := &io.LimitedReader{R: body, N: mostBody + 1}
	d := xml.NewDecoder(limited)
	var open []*node
	var root *node
	for count := 0; ; {
		token, err := d.Token()
		if limited.N <= 0 {
			return nil, errTooLarge
		}
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return root, nil
		}
		if err != nil {
			return nil, errXML
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, errXML
		case xml.StartElement:
			n := &node{name: t.Name, attrs: t.Attr}
			if count++; count > mostNodes || len(open) == mostDepth || len(open) == 0 && root != nil {
				return nil, errXML
			}
			if len(open) == 0 {
				root = n
			} else {
				parent := open[len(open)-1]
				parent.children = append(parent.children, n)
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(t)
			} else if strings.TrimSpace(strings.TrimPrefix(string(t), "\ufeff")) != "" {
				return nil, errXML
			}
		}
	}
}

// child returns the first child of a name; nil where there is none.
func (n *node) child(space, local string) *node {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.name.Space == space && c.name.Local == local {
			return c
		}
	}
	return nil
}

// value is the text of a child, without space around it.
func (n *node) value(space, local string) string {
	if c := n.child(space, local); c != nil {
		return strings.TrimSpace(c.text)
	}
	return ""
}

func (n *node) attr(local, standard string) string {
	for _, a := range n.attrs {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return standard
}

func escape(text string) string { return string(appendEscaped(nil, text)) }

// appendEscaped appends a text as it stands in XML, between tags or in an attribute.
func appendEscaped[T string | []byte](dst []byte, text T) []byte {
	from := 0
	for i := range len(text) {
		var instead string
		switch text[i] {
		case '&':
			instead = "&amp;"
		case '<':
			instead = "&lt;"
		case '>':
			instead = "&gt;"
		case '"':
			instead = "&quot;"
		case '\r':
			instead = "&#13;"
		default:
			continue
		}
		dst = append(append(dst, text[from:i]...), instead...)
		from = i + 1
	}
	return append(dst, text[from:]...)
}

// prefixes are those of answers.
var prefixes = map[string]string{dav: "D", card: "C", server: "CS"}

// open and end are the tags of an element of any name.
func tags(name xml.Name) (open, end string) {
	if p, ok := prefixes[name.Space]; ok {
		return "<" + p + ":" + name.Local + ">", "</" + p + ":" + name.Local + ">"
	}
	if name.Space == "" {
		return "<" + name.Local + ` xmlns="">`, "</" + name.Local + ">"
	}
	return "<X:" + name.Local + ` xmlns:X="` + escape(name.Space) + `">`, "</X:" + name.Local + ">"
}
