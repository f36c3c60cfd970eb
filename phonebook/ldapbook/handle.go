package ldapbook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/phonebook"
)

func (c *conn) handle(ctx context.Context, m message) error {
	for _, control := range m.controls {
		known := control.oid == oidManageDSA || m.op.tag == opSearchRequest && (control.oid == oidPaging || control.oid == oidSort)
		if control.critical && !known {
			return c.send(m.id, m.op.tag, result{code: unavailableCritical, message: "the control " + printable(control.oid) + " is not known"})
		}
	}
	switch m.op.tag {
	case opBindRequest:
		return c.bind(ctx, m)
	case opSearchRequest:
		return c.search(ctx, m)
	case opCompareRequest:
		return c.compare(ctx, m)
	case opExtended:
		return c.extended(m)
	case opModifyRequest, opAddRequest, opDeleteRequest, opRenameRequest:
		return c.send(m.id, m.op.tag, result{code: unwillingToPerform, message: "a phonebook is only read"})
	}
	return c.send(m.id, m.op.tag, result{code: protocolError, message: "the request is not known, or not valid"})
}

// printable is a text of a stranger, for a message.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, text[:min(len(text), 100)])
}

// bind signs in.
func (c *conn) bind(ctx context.Context, m message) error {
	c.signIn(nil, nil)
	c.bound.Store(false)
	parts, err := all(m.op.body, 3)
	if err != nil || len(parts) != 3 || parts[0].tag != tagInteger || parts[1].tag != tagOctets {
		return c.send(m.id, m.op.tag, result{code: protocolError, message: "the bind is not valid"})
	}
	version, err := parts[0].integer()
	if err != nil || version != 2 && version != 3 {
		return c.send(m.id, m.op.tag, result{code: protocolError, message: "only versions 2 and 3 are spoken"})
	}
	if parts[2].tag != context0 {
		return c.send(m.id, m.op.tag, result{code: authMethodNotSupported, message: "only simple authentication is known"})
	}
	dn, password := phonebook.UTF8(string(parts[1].body)), string(parts[2].body)
	switch {
	case dn == "" && password == "":
		if !slices.ContainsFunc(c.server.books, func(b *book) bool { return b.LDAP.Anonymous }) {
			return c.send(m.id, m.op.tag, result{code: inappropriateAuth, message: "a name and a password are needed"})
		}
		c.bound.Store(true)
		return c.send(m.id, m.op.tag, result{code: success})
	case password == "":
		return c.send(m.id, m.op.tag, result{code: unwillingToPerform, message: "the password is empty"})
	}
	c.signIn(c.server.admit(context.WithoutCancel(ctx), c.address, dn, password)) // a visit lasts longer than this request
	if c.book == nil {
		return c.send(m.id, m.op.tag, result{code: invalidCredentials, message: "name or password is wrong, or there were too many wrong ones"})
	}
	c.bound.Store(true)
	return c.send(m.id, m.op.tag, result{code: success})
}

// begins reports whether a request is one that begins TLS, and may.
func (c *conn) begins(m message) bool {
	parts, err := all(m.op.body, 2)
	return err == nil && len(parts) > 0 && string(parts[0].body) == oidStartTLS && c.server.options.TLS != nil && !c.secure
}

func (c *conn) extended(m message) error {
	parts, err := all(m.op.body, 2)
	switch {
	case err != nil || len(parts) == 0 || parts[0].tag != context0:
		return c.send(m.id, m.op.tag, result{code: protocolError, message: "the request is not valid"})
	case string(parts[0].body) != oidStartTLS:
		return c.send(m.id, m.op.tag, result{code: protocolError, message: "the operation is not known"})
	case c.secure:
		return c.send(m.id, m.op.tag, result{code: operationsError, message: "TLS has begun already", name: oidStartTLS})
	case !c.begins(m):
		return c.send(m.id, m.op.tag, result{code: protocolError, message: "TLS is not set up", name: oidStartTLS})
	}
	return c.send(m.id, m.op.tag, result{code: success, name: oidStartTLS})
}

// reader returns the phonebook that the connection may read at a base; nil where it may read none.
func (c *conn) reader(base string) *book {
	if c.visit.Revoked() {
		return nil // the connection is about to end
	}
	if c.visit != nil { // its settings may have been changed
		if now := c.server.options.Set.Of(c.book.Account, c.book.Name); now != nil && now != c.book.Book && now.LDAP != nil {
			c.book = newBook(now)
		}
	}
	if c.book != nil {
		return c.book
	}
	return c.server.anonymous(base)
}

func (c *conn) search(ctx context.Context, m message) error {
	s, err := parseSearch(m.op)
	if err != nil {
		return c.send(m.id, m.op.tag, result{code: protocolError, message: "the search is not valid"})
	}
	base, ok := normalDN(s.base)
	switch {
	case !ok:
		return c.send(m.id, m.op.tag, result{code: invalidDNSyntax, message: "the base is not a DN"})
	case base == "" && s.scope == 0:
		return c.static(m, &s, c.rootDSE())
	case base == strings.ToLower(subschemaDN) && s.scope == 0:
		return c.static(m, &s, schema())
	}
	b := c.reader(base)
	if b == nil {
		return c.send(m.id, m.op.tag, result{code: insufficientAccess, message: "sign in first"})
	}
	view, err := b.Open(ctx)
	if err != nil {
		return c.failed(ctx, m, b, err)
	}
	card, isEntry := below(base, b.base)
	switch {
	case base == b.base && s.scope == 0:
		return c.static(m, &s, baseEntry(b))
	case base == b.base || base == "":
		return c.list(ctx, m, &s, b, view)
	case isEntry && strings.HasPrefix(card, "uid=") && !strings.Contains(card, ","):
		return c.byCard(ctx, m, &s, b, view, strings.TrimPrefix(card, "uid="))
	}
	return c.send(m.id, m.op.tag, result{code: noSuchObject, message: "the phonebook's base is " + b.LDAP.Base})
}

// failed answers with a fault of ours.
func (c *conn) failed(ctx context.Context, m message, b *book, err error) error {
	if ctx.Err() != nil {
		return nil // abandoned: it gets no answer
	}
	if failure.Of(err).Code == failure.Busy {
		return c.send(m.id, m.op.tag, result{code: busy, message: "the phonebook is being filled"})
	}
	c.server.options.Logger.ErrorContext(ctx, "a phonebook could not be read over LDAP", "phonebook", b.Name, "account", b.Account, "error", err)
	return c.send(m.id, m.op.tag, result{code: other, message: "the phonebook cannot be read"})
}

// byCard shows one entry by its DN.
func (c *conn) byCard(ctx context.Context, m message, s *search, b *book, view *phonebook.View, card string) error {
	e, err := view.ByCard(ctx, card)
	if err != nil {
		return c.failed(ctx, m, b, err)
	}
	if e == nil {
		return c.send(m.id, m.op.tag, result{code: noSuchObject, message: "the entry does not exist"})
	}
	subject := &subject{Entry: e, view: view}
	if s.scope != 1 && s.filter.eval(subject) == yes {
		if err := c.entry(m.id, b, subject, selectionOf(s.names), s.typesOnly); err != nil {
			return err
		}
	}
	return c.send(m.id, m.op.tag, result{code: success})
}

// entry sends one entry.
func (c *conn) entry(id int, b *book, e *subject, attributes selection, typesOnly bool) error {
	var list []byte
	for _, a := range attributes {
		values := a.values(e)
		if len(values) == 0 {
			continue
		}
		list = appendAttribute(list, a.name, values, typesOnly)
	}
	body := appendText(nil, tagOctets, "uid="+e.Card+","+b.LDAP.Base)
	body = appendElement(body, tagSequence, list)
	_, err := c.out.Write(appendMessage(nil, id, opSearchEntry, body))
	return err
}

func appendAttribute(dst []byte, name string, values []string, typesOnly bool) []byte {
	one := appendText(nil, tagOctets, name)
	var set []byte
	for _, v := range values {
		if !typesOnly {
			set = appendText(set, tagOctets, v)
		}
	}
	return appendElement(dst, tagSequence, appendElement(one, tagSet, set))
}

// list answers a search in the whole phonebook.
func (c *conn) list(ctx context.Context, m message, s *search, b *book, view *phonebook.View) error {
	o, r := c.listOptions(m, s, b)
	if r.code != success {
		return c.send(m.id, m.op.tag, r)
	}
	if o.paged && o.page == 0 { // the search is given up
		return c.send(m.id, m.op.tag, result{code: success}, appendControl(oidPaging, pageValue(nil)))
	}
	asked := askedFor(s.filter, view.Numbers)
	within := c.server.options.Times.Search
	if s.seconds > 0 {
		within = min(within, time.Duration(s.seconds)*time.Second)
	}
	run := searcher{view: view, filter: s.filter, asked: asked, paged: o.paged, limit: limit{entries: o.entries, clock: time.Now, until: time.Now().Add(within)}}
	found, sorted, err := run.sorted(ctx, o.cursor, o.less)
	if err != nil {
		return c.failed(ctx, m, b, err)
	}
	attributes := selectionOf(s.names)
	for i := range found.entries {
		if ctx.Err() != nil {
			return nil // abandoned
		}
		if err := c.entry(m.id, b, &subject{Entry: &found.entries[i], view: view, asked: asked}, attributes, s.typesOnly); err != nil {
			return err
		}
	}
	var controls [][]byte
	if o.sort != nil {
		if o.sorted == success && !sorted {
			o.sorted = unwillingToPerform
		}
		controls = append(controls, appendControl(oidSorted, appendElement(nil, tagSequence, appendInteger(nil, tagEnumerated, o.sorted))))
	}
	done := result{code: success}
	unfinished := found.more || found.late
	switch {
	case o.paged && unfinished:
		controls = append(controls, appendControl(oidPaging, pageValue(c.cookie(b, s, found.next))))
	case o.paged:
		controls = append(controls, appendControl(oidPaging, pageValue(nil)))
	case unfinished && b.LDAP.SizeLimitCode == 0:
	case found.more:
		done = result{code: sizeLimitExceeded, message: "there are more entries"}
	case found.late:
		done = result{code: timeLimitExceeded, message: "not the whole phonebook was looked through"}
	}
	c.note(b)
	return c.send(m.id, m.op.tag, done, controls...)
}

// note notes that a telephone has searched.
func (c *conn) note(b *book) {
	name := ""
	switch {
	case c.visit != nil:
		name = c.visit.Key.Name
	case c.book != nil:
		name = b.LDAP.BindDN
	}
	b.Was(phonebook.Reading{Way: phonebook.OverLDAP, Name: name, Address: c.address.Addr().String(), Began: c.server.options.Clock()})
}

func pageValue(cookie []byte) []byte {
	return appendElement(nil, tagSequence, appendElement(appendInteger(nil, tagInteger, 0), tagOctets, cookie))
}

// listOptions are what controls and limits say of a search.
type listOptions struct {
	entries int
	paged   bool
	page    int
	cursor  cursor
	sort    []sortKey
	sorted  int // the result of sorting
	less    func(a, b *phonebook.Entry) int
}

func (c *conn) listOptions(m message, s *search, b *book) (o listOptions, r result) {
	o.entries = b.LDAP.SizeLimit
	if s.size > 0 {
		o.entries = min(o.entries, s.size)
	}
	for _, control := range m.controls {
		switch control.oid {
		case oidPaging:
			size, cookie, err := parsePaging(control.value)
			if err != nil {
				return o, result{code: protocolError, message: "the control for pages is not valid"}
			}
			o.paged, o.page = true, size
			if len(cookie) > 0 {
				if o.cursor, err = c.uncookie(b, s, cookie); err != nil {
					return o, result{code: unwillingToPerform, message: "the cookie is not of this search"}
				}
			}
			o.entries = min(size, mostPage)
		case oidSort:
			keys, err := parseSort(control.value)
			if err != nil {
				return o, result{code: protocolError, message: "the control for sorting is not valid"}
			}
			o.sort = keys
			o.less, o.sorted = lessBy(keys)
			if o.sorted != success && control.critical {
				return o, result{code: unavailableCritical, message: "it cannot be sorted by this"}
			}
		}
	}
	return o, result{code: success}
}

// mostPage is how many entries a page has at most.
const mostPage = 1000

// lessBy returns how entries are sorted; nil is the order of their names, in which they come anyway.
func lessBy(keys []sortKey) (less func(a, b *phonebook.Entry) int, code int) {
	attributes := make([]*attribute, len(keys))
	for i, k := range keys {
		a, ok := attributeOf(k.attr)
		if !ok {
			return nil, noSuchAttribute
		}
		attributes[i] = a
	}
	if (attributes[0].name == "cn" || attributes[0].name == "displayName") && !keys[0].reverse {
		return nil, success
	}
	first := func(a *attribute, e *phonebook.Entry) string {
		if a.kind == kindNumber { // needs no view
			if len(e.AllNumbers()) == 0 {
				return ""
			}
			return e.Numbers[0].Dial
		}
		values := a.values(&subject{Entry: e})
		if len(values) == 0 {
			return ""
		}
		return folded(values[0])
	}
	return func(x, y *phonebook.Entry) int {
		for i, a := range attributes {
			n := strings.Compare(first(a, x), first(a, y))
			if keys[i].reverse {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return strings.Compare(x.Sort, y.Sort)
	}, success
}

// sealOf seals a cookie: it holds where the next page of a search begins, and is good for this search and this process.
func (c *conn) sealOf(b *book, s *search, text []byte) []byte {
	mac := hmac.New(sha256.New, c.server.key[:])
	filter, _ := json.Marshal(s.filter.forSeal())
	for _, part := range [][]byte{[]byte(b.Slug()), filter, text} {
		mac.Write(part)
		mac.Write([]byte{0})
	}
	return mac.Sum(nil)[:16]
}

func (c *conn) cookie(b *book, s *search, at cursor) []byte {
	text, _ := json.Marshal(at)
	return append(c.sealOf(b, s, text), text...)
}

var errCookie = errors.New("the cookie is not ours")

func (c *conn) uncookie(b *book, s *search, cookie []byte) (cursor, error) {
	if len(cookie) < 16 || !hmac.Equal(cookie[:16], c.sealOf(b, s, cookie[16:])) {
		return cursor{}, errCookie
	}
	var at cursor
	err := json.Unmarshal(cookie[16:], &at)
	return at, err
}

// forSeal is a filter as a value that can be written.
func (f *filter) forSeal() any {
	children := []any{}
	for _, c := range f.children {
		children = append(children, c.forSeal())
	}
	return []any{f.op, f.attr, f.value, f.initial, f.any, f.final, children}
}

// compare says whether an entry has a value.
func (c *conn) compare(ctx context.Context, m message) error {
	parts, err := all(m.op.body, 2)
	if err != nil || len(parts) != 2 || parts[1].tag != tagSequence {
		return c.send(m.id, m.op.tag, result{code: protocolError, message: "the comparison is not valid"})
	}
	f, err := compared(parts[1], opEqual)
	if err != nil {
		return c.send(m.id, m.op.tag, result{code: protocolError, message: "the comparison is not valid"})
	}
	dn, _ := normalDN(string(parts[0].body))
	b := c.reader(dn)
	if b == nil {
		return c.send(m.id, m.op.tag, result{code: insufficientAccess, message: "sign in first"})
	}
	view, err := b.Open(ctx)
	if err != nil {
		return c.failed(ctx, m, b, err)
	}
	card, _ := below(dn, b.base)
	e, err := view.ByCard(ctx, strings.TrimPrefix(card, "uid="))
	switch {
	case err != nil:
		return c.failed(ctx, m, b, err)
	case e == nil:
		return c.send(m.id, m.op.tag, result{code: noSuchObject, message: "the entry does not exist"})
	}
	code := compareFalse
	switch f.eval(&subject{Entry: e, view: view}) {
	case yes:
		code = compareTrue
	case undefined:
		code = noSuchAttribute
	case no:
	}
	return c.send(m.id, m.op.tag, result{code: code})
}
