package carddav

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
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
	all, err := io.ReadAll(io.LimitReader(body, mostBody+1))
	if err != nil {
		return nil, errXML
	}
	if len(all) > mostBody {
		return nil, errTooLarge
	}
	rest := bytes.NewReader(all)
	d := xml.NewDecoder(rest) // it reads byte by byte, and no further than it has to
	var open []*node
	var root *node
	for count := 0; ; {
		token, err := d.Token()
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
			last := open[len(open)-1]
			if open = open[:len(open)-1]; len(open) > 0 && len(last.attrs)+len(last.children) == 0 {
				parent := open[len(open)-1]
				before := len(parent.children)
				if parent.children = append(parent.children, like(last, all, rest)...); len(parent.children)-before > mostNodes-count {
					return nil, errXML
				}
				count += len(parent.children) - before
			}
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(t)
			} else if strings.TrimSpace(strings.TrimPrefix(string(t), "\ufeff")) != "" {
				return nil, errXML
			}
		}
	}
}

// like reads the elements that follow one, as far as they have the same tags around plain text: a client names thousands of cards like
// that, and it takes a tenth of the time.
func like(n *node, all []byte, rest *bytes.Reader) (more []*node) {
	at := len(all) - rest.Len()
	end := bytes.LastIndex(all[:at], []byte("</"))
	if end < 0 {
		return nil
	}
	closing := all[end:at]
	name := bytes.TrimSpace(bytes.TrimSuffix(closing[2:], []byte(">")))
	if bytes.ContainsAny(name, "<>/") { // this one is empty, and has no tag that ends it
		return nil
	}
	opening := slices.Concat([]byte("<"), name, []byte(">"))
	for {
		from, ok := bytes.CutPrefix(all[at:], opening)
		if !ok {
			break
		}
		length := bytes.Index(from, closing)
		if length < 0 || !isPlain(from[:length]) {
			break
		}
		more = append(more, &node{name: n.name, attrs: n.attrs, text: string(from[:length])})
		at += len(opening) + length + len(closing)
	}
	_, _ = rest.Seek(int64(at), io.SeekStart) // within its bounds
	return more
}

// isPlain reports whether a text is ASCII that means itself.
func isPlain(text []byte) bool {
	return !slices.ContainsFunc(text, func(c byte) bool { return c < ' ' || c > '~' || c == '<' || c == '>' || c == '&' || c == ']' })
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
