package carddav

import (
	"encoding/xml"
	"slices"
	"strconv"

	"github.com/contactbridge/contactbridge/phonebook"
)

// A property is one of a resource. value appends its value as XML; ok is false where the resource does not have it. e is the entry of a
// card.
type property struct {
	name  xml.Name
	all   bool // allprop shows it
	value func(dst []byte, r *request, at place, e *phonebook.Entry) (value []byte, ok bool)
}

func href(path string) string { return "<D:href>" + escape(path) + "</D:href>" }

// title is what address books show.
func (r *request) title() string {
	if r.book.CardDAV.Title != "" {
		return r.book.CardDAV.Title
	}
	return r.book.Name
}

// token says in which state the phonebook is.
func (r *request) token(seq int64) string {
	return tokenPrefix + r.view.Epoch() + ":" + strconv.FormatInt(seq, 10)
}

const tokenPrefix = "urn:x-contactbridge:sync:"

// fixed is a value that all resources at some places have; without places, all resources.
func fixed(text string, places ...place) func([]byte, *request, place, *phonebook.Entry) ([]byte, bool) {
	return computed(func(*request) string { return text }, places...)
}

// computed is a value that depends on the phonebook.
func computed(f func(r *request) string, places ...place) func([]byte, *request, place, *phonebook.Entry) ([]byte, bool) {
	return func(dst []byte, r *request, at place, _ *phonebook.Entry) ([]byte, bool) {
		if len(places) > 0 && !slices.Contains(places, at) {
			return dst, false
		}
		return append(dst, f(r)...), true
	}
}

// ofCard is a value that depends on the entry of a card.
func ofCard(f func(dst []byte, r *request, e *phonebook.Entry) []byte) func([]byte, *request, place, *phonebook.Entry) ([]byte, bool) {
	return func(dst []byte, r *request, at place, e *phonebook.Entry) ([]byte, bool) {
		if at != object || e == nil {
			return dst, false
		}
		return f(dst, r, e), true
	}
}

func properties() []property {
	principal := computed(func(r *request) string { return href(r.home()) })
	state := computed(func(r *request) string { return escape(r.token(r.view.State.Seq)) }, book)
	reports := "<D:supported-report><D:report><C:addressbook-query/></D:report></D:supported-report>" +
		"<D:supported-report><D:report><C:addressbook-multiget/></D:report></D:supported-report>" +
		"<D:supported-report><D:report><D:sync-collection/></D:report></D:supported-report>"
	return []property{
		{xml.Name{Space: dav, Local: "resourcetype"}, true, func(dst []byte, _ *request, at place, _ *phonebook.Entry) ([]byte, bool) {
			return append(dst, map[place]string{root: "<D:collection/>", home: "<D:principal/><D:collection/>", book: "<D:collection/><C:addressbook/>"}[at]...), true
		}},
		{xml.Name{Space: dav, Local: "displayname"}, true, func(dst []byte, r *request, at place, e *phonebook.Entry) ([]byte, bool) {
			if at == object {
				return appendEscaped(dst, e.Name), true
			}
			return appendEscaped(dst, r.title()), true
		}},
		{xml.Name{Space: dav, Local: "current-user-principal"}, false, principal},
		{xml.Name{Space: dav, Local: "principal-URL"}, false, principal},
		{xml.Name{Space: dav, Local: "owner"}, false, principal},
		{xml.Name{Space: dav, Local: "principal-collection-set"}, false, fixed(href(Prefix))},
		{xml.Name{Space: card, Local: "addressbook-home-set"}, false, computed(func(r *request) string { return href(r.home()) }, nowhere, root, home)},
		{xml.Name{Space: dav, Local: "current-user-privilege-set"}, false, fixed("<D:privilege><D:read/></D:privilege><D:privilege><D:read-current-user-privilege-set/></D:privilege>")},
		{xml.Name{Space: dav, Local: "supported-report-set"}, false, fixed(reports, book)},
		{xml.Name{Space: card, Local: "supported-address-data"}, false, fixed(`<C:address-data-type content-type="text/vcard" version="3.0"/>`, book)},
		{xml.Name{Space: card, Local: "max-resource-size"}, false, fixed("1048576", book)},
		{xml.Name{Space: card, Local: "addressbook-description"}, false, computed(func(r *request) string { return escape(r.title()) }, book)},
		{xml.Name{Space: server, Local: "getctag"}, false, state},
		{xml.Name{Space: dav, Local: "sync-token"}, false, state},
		{xml.Name{Space: dav, Local: "getetag"}, true, ofCard(func(dst []byte, r *request, e *phonebook.Entry) []byte { return appendEscaped(dst, r.etag(e)) })},
		{xml.Name{Space: dav, Local: "getcontenttype"}, true, ofCard(func(dst []byte, _ *request, _ *phonebook.Entry) []byte { return append(dst, cardType...) })},
		{xml.Name{Space: dav, Local: "getcontentlength"}, true, ofCard(func(dst []byte, r *request, e *phonebook.Entry) []byte {
			return strconv.AppendInt(dst, int64(len(r.text(e))), 10)
		})},
		{xml.Name{Space: card, Local: "address-data"}, false, ofCard(func(dst []byte, r *request, e *phonebook.Entry) []byte { return appendEscaped(dst, r.text(e)) })},
	}
}

var known = properties()

// A wish says which properties a client wants.
type wish struct {
	properties []wanted
	all        bool // allprop
	namesOnly  bool // propname
}

// A wanted property is one with its tags.
type wanted struct {
	property  // without a value where it is unknown
	open, end string
}

func (w *wish) add(p property) {
	open, end := tags(p.name)
	w.properties = append(w.properties, wanted{property: p, open: open, end: end})
}

// tagsOnly reports whether no property is wanted that depends on the contact.
func (w wish) tagsOnly() bool {
	return !slices.ContainsFunc(w.properties, func(p wanted) bool {
		return p.name == xml.Name{Space: dav, Local: "displayname"} || p.name == xml.Name{Space: dav, Local: "getcontentlength"} || p.name == xml.Name{Space: card, Local: "address-data"}
	})
}

func wishOf(n *node) (w wish) {
	w.namesOnly = n.child(dav, "allprop") == nil && n.child(dav, "propname") != nil
	if w.all = n == nil || n.child(dav, "allprop") != nil || w.namesOnly; w.all {
		for _, p := range known {
			if p.all || w.namesOnly {
				w.add(p)
			}
		}
		return w
	}
	if prop := n.child(dav, "prop"); prop != nil {
		for _, c := range prop.children {
			at := slices.IndexFunc(known, func(p property) bool { return p.name == c.name })
			if at < 0 {
				w.add(property{name: c.name})
			} else {
				w.add(known[at])
			}
		}
	}
	return w
}

// response writes the properties of a resource: those that it has, and those that it has not. e is the entry of a card.
func (m *multistatus) response(r *request, path string, at place, e *phonebook.Entry, w wish) {
	b := append(m.one[:0], "<D:response><D:href>"...)
	b = append(appendEscaped(b, path), "</D:href>"...)
	const begin = "<D:propstat><D:prop>"
	var missing []wanted
	b = append(b, begin...)
	start := len(b)
	for _, p := range w.properties {
		before := len(b)
		ok := false
		if b = append(b, p.open...); p.value != nil {
			if value := len(b); w.namesOnly {
				b, ok = p.value(b, r, at, e)
				b = b[:value]
			} else {
				b, ok = p.value(b, r, at, e)
			}
		}
		if !ok {
			b, missing = b[:before], append(missing, p)
			continue
		}
		b = append(b, p.end...)
	}
	found := len(b) > start
	if found {
		b = append(b, "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"...)
	} else {
		b = b[:start-len(begin)]
	}
	if len(missing) > 0 && !w.all || !found {
		b = append(b, begin...)
		for _, p := range missing {
			b = append(append(b, p.open...), p.end...)
		}
		b = append(b, "</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"...)
	}
	m.one = append(b, "</D:response>\n"...)
	_, _ = m.w.Write(m.one) // the error stays in the writer
}

// propfind answers PROPFIND.
func (h *Handler) propfind(r *request) error {
	body, err := parse(r.Body)
	if err != nil {
		return err
	}
	if body != nil && (body.name != xml.Name{Space: dav, Local: "propfind"}) {
		return errXML
	}
	depth := r.Header.Get("Depth")
	if depth == "infinity" {
		r.refuse(403, "<D:propfind-finite-depth/>")
		return nil
	}
	deep, w := depth != "0", wishOf(body)
	var one *phonebook.Entry
	if r.at == object {
		e, err := r.view.ByCard(r.Context(), r.card)
		if err != nil {
			return err
		}
		if e == nil {
			return errNotFound
		}
		one = e
	}
	if r.at == book && deep && r.view.State.Members > manyEntries {
		h.options.Logger.WarnContext(r.Context(), "a phonebook is large for CardDAV: address books may be slow", "phonebook", r.book.Name, "entries", r.view.State.Members)
	}
	m := r.multistatus()
	switch r.at {
	case root:
		m.response(r, Prefix, root, nil, w)
		if deep {
			m.response(r, r.home(), home, nil, w)
		}
	case home:
		m.response(r, r.home(), home, nil, w)
		if deep {
			m.response(r, r.collection(), book, nil, w)
		}
	case object:
		m.response(r, r.href(one.Card), object, one, w)
	case book:
		m.response(r, r.collection(), book, nil, w)
		if deep {
			if err = r.list(m, w); err == nil {
				return h.end(r, m)
			}
		}
	}
	if err != nil {
		return err
	}
	return m.end()
}
