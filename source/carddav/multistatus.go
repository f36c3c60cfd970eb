package carddav

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// The bounds of an answer. What exceeds them is refused before it is kept.
const (
	maxAnswer = 512 << 20 // bytes of one answer
	maxDepth  = 64        // elements within each other
	maxHref   = 8 << 10   // bytes of an address
	maxToken  = 8 << 10   // bytes of a sync-token
	maxText   = 64 << 10  // bytes of any other text
	maxCard   = 8 << 20   // bytes of a card, with its photos
	maxPiece  = 24 << 20  // bytes of a tag with its attributes, or of a text: the decoder keeps all of it, whatever it is
	maxHrefs  = 1000      // addresses in one place
)

// A response is what an answer says of one resource.
type response struct {
	href   string
	status int // of the resource itself; 0 where only its properties have one
	props  props
}

// props are the properties that a resource has.
type props struct {
	etag, displayName, syncToken string
	principal                    string
	homes                        []string
	card                         []byte // valid until the next response
	hasCard, cardTooLong         bool
	isCollection, isBook         bool
	canSync                      bool // it answers sync-collection
	unauthenticated              bool // its principal is nobody
}

// The namespaces of the elements that mean something.
const (
	dav     = "DAV:"
	carddav = "urn:ietf:params:xml:ns:carddav"
)

// Errors of answers.
var (
	errCut     = errors.New("the answer ends in the middle")
	errTooLong = errors.New("the answer is too long")
	errNotXML  = errors.New("the answer is not the XML that WebDAV asks for")
)

// readMultistatus reads an answer to its end and calls each for every resource. It returns the sync-token, if the answer has one. An answer
// that ends early is an error, however good what came before it was: it must not be taken for a complete list (T11).
func readMultistatus(body io.Reader, each func(*response) error) (token string, err error) {
	limited := &io.LimitedReader{R: body, N: maxAnswer + 1}
	pieces := &pieceReader{from: limited}
	d := xml.NewDecoder(pieces)
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		encoding, err := htmlindex.Get(label)
		if err != nil {
			return nil, fmt.Errorf("unknown character set %.40q", label)
		}
		return encoding.NewDecoder().Reader(in), nil
	}
	m := &multistatus{xml: d, pieces: pieces, each: each}
	err = m.read()
	switch {
	case err == nil:
		return m.token, nil
	case limited.N <= 0, pieces.read > maxPiece:
		return "", errTooLong
	}
	var syntax *xml.SyntaxError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.As(err, &syntax) && strings.Contains(syntax.Msg, "unexpected EOF") {
		return "", fmt.Errorf("%w (%w)", errCut, err)
	}
	return "", err
}

// A pieceReader ends when the decoder reads too much for one piece.
type pieceReader struct {
	from io.Reader
	read int // since the last piece
}

// Read implements [io.Reader].
func (r *pieceReader) Read(b []byte) (int, error) {
	if r.read > maxPiece {
		return 0, errTooLong
	}
	n, err := r.from.Read(b)
	r.read += n
	return n, err
}

// A multistatus reads one answer.
type multistatus struct {
	xml    *xml.Decoder
	pieces *pieceReader
	each   func(*response) error
	token  string
	path   []xml.Name // the elements that are open

	response response
	hrefs    []string // of the response
	found    props    // of the propstat that is open
	status   int      // of that propstat
	text     []byte
	most     int // how long text may be
	cut      bool
	card     []byte
}

func (m *multistatus) read() error {
	started := false
	for {
		m.pieces.read = 0
		token, err := m.xml.Token()
		if err != nil {
			return err // io.EOF too: the end of multistatus ends the loop
		}
		switch t := token.(type) {
		case xml.StartElement:
			if !started && t.Name != (xml.Name{Space: dav, Local: "multistatus"}) {
				return errNotXML
			}
			if len(m.path) == maxDepth {
				return fmt.Errorf("%w: more than %d elements within each other", errNotXML, maxDepth)
			}
			started = true
			m.path = append(m.path, t.Name)
			m.start(t.Name)
		case xml.EndElement:
			if err := m.end(t.Name); err != nil {
				return err
			}
			m.path = m.path[:len(m.path)-1]
			if len(m.path) == 0 {
				return nil
			}
		case xml.CharData:
			if m.most > 0 {
				m.add(t)
			}
		}
	}
}

// start begins an element.
func (m *multistatus) start(name xml.Name) {
	m.text, m.most, m.cut = m.text[:0], 0, false
	switch name.Space {
	case carddav:
		switch name.Local {
		case "address-data":
			m.most = maxCard
		case "addressbook":
			m.found.isBook = m.found.isBook || m.within(dav, "resourcetype")
		}
		return
	case dav:
	default:
		return
	}
	switch name.Local {
	case "response":
		m.response, m.hrefs, m.card = response{}, m.hrefs[:0], m.card[:0]
	case "propstat":
		m.found, m.status = props{}, 0
	case "href":
		m.most = maxHref
	case "sync-token":
		m.most = maxToken
	case "status", "getetag", "displayname":
		m.most = maxText
	case "collection":
		m.found.isCollection = m.found.isCollection || m.within(dav, "resourcetype")
	case "sync-collection":
		m.found.canSync = m.found.canSync || m.within(dav, "report")
	case "unauthenticated":
		m.found.unauthenticated = m.found.unauthenticated || m.within(dav, "current-user-principal")
	}
}

// within reports whether the element around the innermost one has a name.
func (m *multistatus) within(space, local string) bool {
	n := len(m.path)
	return n > 1 && m.path[n-2] == xml.Name{Space: space, Local: local}
}

func (m *multistatus) add(text []byte) {
	if len(m.text)+len(text) > m.most {
		m.cut = true
		text = text[:max(0, m.most-len(m.text))]
	}
	m.text = append(m.text, text...)
}

// end ends an element, with its text.
func (m *multistatus) end(name xml.Name) error {
	most := m.most
	m.most = 0
	if name.Space == carddav && name.Local == "address-data" {
		m.found.hasCard, m.found.cardTooLong = true, m.cut
		m.card = append(m.card[:0], m.text...)
		m.found.card = m.card
		return nil
	}
	if name.Space != dav {
		return nil
	}
	if m.cut && most > 0 && name.Local != "displayname" {
		return fmt.Errorf("%w: %s of more than %d bytes", errTooLong, name.Local, most)
	}
	text := ""
	if most > 0 {
		text = strings.TrimSpace(string(m.text))
	}
	switch name.Local {
	case "href":
		m.href(text)
		if len(m.hrefs) > maxHrefs || len(m.found.homes) > maxHrefs || len(m.response.props.homes) > maxHrefs {
			return fmt.Errorf("%w: more than %d addresses in one place", errTooLong, maxHrefs)
		}
	case "status":
		if m.within(dav, "propstat") {
			m.status = statusOf(text)
		} else if m.within(dav, "response") {
			m.response.status = statusOf(text)
		}
	case "getetag":
		m.found.etag = plainETag(text)
	case "displayname":
		m.found.displayName = text
	case "sync-token":
		if m.within(dav, "multistatus") {
			m.token = text
		} else {
			m.found.syncToken = text
		}
	case "propstat":
		if m.status == 0 || m.status/100 == 2 {
			m.response.props.merge(&m.found)
		}
	case "response":
		for _, m.response.href = range m.hrefs {
			if err := m.each(&m.response); err != nil {
				return err
			}
		}
	}
	return nil
}

// href takes an address by what it stands in.
func (m *multistatus) href(text string) {
	switch {
	case text == "":
	case m.within(dav, "response"):
		m.hrefs = append(m.hrefs, text)
	case m.within(dav, "current-user-principal"):
		m.found.principal = text
	case m.within(carddav, "addressbook-home-set"):
		m.found.homes = append(m.found.homes, text)
	}
}

// merge takes over properties that were found.
func (p *props) merge(found *props) {
	set := func(to *string, text string) {
		if text != "" {
			*to = text
		}
	}
	set(&p.etag, found.etag)
	set(&p.displayName, found.displayName)
	set(&p.syncToken, found.syncToken)
	set(&p.principal, found.principal)
	p.homes = append(p.homes, found.homes...)
	if found.hasCard {
		p.card, p.hasCard, p.cardTooLong = found.card, true, found.cardTooLong
	}
	p.isCollection = p.isCollection || found.isCollection
	p.isBook = p.isBook || found.isBook
	p.canSync = p.canSync || found.canSync
	p.unauthenticated = p.unauthenticated || found.unauthenticated
}

// statusOf returns the number in a status line such as "HTTP/1.1 404 Not Found". One that cannot be read is 500: it says that
// something is there, and that it is not good.
func statusOf(line string) int {
	for _, field := range strings.Fields(line) {
		if n, err := strconv.Atoi(field); err == nil && n >= 100 && n < 600 {
			return n
		}
	}
	return 500
}

// plainETag returns an entity tag without quotes and the mark of a weak one: servers write one tag in several ways.
func plainETag(tag string) string {
	tag = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), "w/")
	return strings.Trim(tag, `"`)
}
