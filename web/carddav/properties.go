package carddav

import (
	"encoding/xml"
	"slices"
	"strconv"
)

// A property is one of a resource: its value as XML. ok is false where the resource does not have it.
type property struct {
	name  xml.Name
	all   bool // allprop shows it
	value func(r *request, at place, i *item) (value string, ok bool)
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

func fixed(text string, places ...place) func(*request, place, *item) (string, bool) {
	return func(_ *request, at place, _ *item) (string, bool) {
		return text, len(places) == 0 || slices.Contains(places, at)
	}
}

func ofItem(f func(i *item) string) func(*request, place, *item) (string, bool) {
	return func(_ *request, at place, i *item) (string, bool) {
		if at != object || i == nil {
			return "", false
		}
		return f(i), true
	}
}

func properties() []property {
	principal := func(r *request, _ place, _ *item) (string, bool) { return href(r.home()), true }
	onBook := func(f func(r *request) string) func(*request, place, *item) (string, bool) {
		return func(r *request, at place, _ *item) (string, bool) {
			if at != book {
				return "", false
			}
			return f(r), true
		}
	}
	reports := "<D:supported-report><D:report><C:addressbook-query/></D:report></D:supported-report>" +
		"<D:supported-report><D:report><C:addressbook-multiget/></D:report></D:supported-report>" +
		"<D:supported-report><D:report><D:sync-collection/></D:report></D:supported-report>"
	return []property{
		{xml.Name{Space: dav, Local: "resourcetype"}, true, func(_ *request, at place, _ *item) (string, bool) {
			return map[place]string{root: "<D:collection/>", home: "<D:principal/><D:collection/>", book: "<D:collection/><C:addressbook/>"}[at], true
		}},
		{xml.Name{Space: dav, Local: "displayname"}, true, func(r *request, at place, i *item) (string, bool) {
			if at == object {
				return escape(i.entry.Name), true
			}
			return escape(r.title()), true
		}},
		{xml.Name{Space: dav, Local: "current-user-principal"}, false, principal},
		{xml.Name{Space: dav, Local: "principal-URL"}, false, principal},
		{xml.Name{Space: dav, Local: "owner"}, false, principal},
		{xml.Name{Space: dav, Local: "principal-collection-set"}, false, fixed(href(Prefix))},
		{xml.Name{Space: card, Local: "addressbook-home-set"}, false, func(r *request, at place, _ *item) (string, bool) { return href(r.home()), at <= home }},
		{xml.Name{Space: dav, Local: "current-user-privilege-set"}, false, fixed("<D:privilege><D:read/></D:privilege><D:privilege><D:read-current-user-privilege-set/></D:privilege>")},
		{xml.Name{Space: dav, Local: "supported-report-set"}, false, fixed(reports, book)},
		{xml.Name{Space: card, Local: "supported-address-data"}, false, fixed(`<C:address-data-type content-type="text/vcard" version="3.0"/>`, book)},
		{xml.Name{Space: card, Local: "max-resource-size"}, false, fixed("1048576", book)},
		{xml.Name{Space: card, Local: "addressbook-description"}, false, onBook(func(r *request) string { return escape(r.title()) })},
		{xml.Name{Space: server, Local: "getctag"}, false, onBook(func(r *request) string { return escape(r.token(r.view.State.Seq)) })},
		{xml.Name{Space: dav, Local: "sync-token"}, false, onBook(func(r *request) string { return escape(r.token(r.view.State.Seq)) })},
		{xml.Name{Space: dav, Local: "getetag"}, true, ofItem(func(i *item) string { return escape(i.etag) })},
		{xml.Name{Space: dav, Local: "getcontenttype"}, true, ofItem(func(*item) string { return cardType })},
		{xml.Name{Space: dav, Local: "getcontentlength"}, true, ofItem(func(i *item) string { return strconv.Itoa(len(i.text())) })},
		{xml.Name{Space: card, Local: "address-data"}, false, ofItem(func(i *item) string { return escape(string(i.text())) })},
	}
}

var known = properties()

// A wish says which properties a client wants.
type wish struct {
	names     []xml.Name
	all       bool // allprop
	namesOnly bool // propname
}

// tagsOnly reports whether no property is wanted that depends on the contact.
func (w wish) tagsOnly() bool {
	return !slices.ContainsFunc(w.names, func(name xml.Name) bool {
		return name == xml.Name{Space: dav, Local: "displayname"} || name == xml.Name{Space: dav, Local: "getcontentlength"} || name == xml.Name{Space: card, Local: "address-data"}
	})
}

func wishOf(n *node) wish {
	switch {
	case n == nil || n.child(dav, "allprop") != nil:
		w := wish{all: true}
		for _, p := range known {
			if p.all {
				w.names = append(w.names, p.name)
			}
		}
		return w
	case n.child(dav, "propname") != nil:
		w := wish{all: true, namesOnly: true}
		for _, p := range known {
			w.names = append(w.names, p.name)
		}
		return w
	}
	var w wish
	if prop := n.child(dav, "prop"); prop != nil {
		for _, c := range prop.children {
			w.names = append(w.names, c.name)
		}
	}
	return w
}

// response writes the properties of a resource: those that it has, and those that it has not.
func (m *multistatus) response(r *request, path string, at place, i *item, w wish) {
	m.write("<D:response><D:href>", escape(path), "</D:href>")
	var missing []xml.Name
	found := false
	for _, name := range w.names {
		value, ok := valueOf(r, at, i, name)
		if !ok {
			missing = append(missing, name)
			continue
		}
		if !found {
			m.write("<D:propstat><D:prop>")
			found = true
		}
		open, end := tags(name)
		if w.namesOnly {
			value = ""
		}
		m.write(open, value, end)
	}
	if found {
		m.write("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>")
	}
	if len(missing) > 0 && !w.all || !found {
		m.write("<D:propstat><D:prop>")
		for _, name := range missing {
			open, end := tags(name)
			m.write(open, end)
		}
		m.write("</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>")
	}
	m.write("</D:response>\n")
}

func valueOf(r *request, at place, i *item, name xml.Name) (string, bool) {
	for _, p := range known {
		if p.name == name {
			return p.value(r, at, i)
		}
	}
	return "", false
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
	var one *item
	if r.at == object {
		e, err := r.view.ByCard(r.Context(), r.card)
		if err != nil {
			return err
		}
		if e == nil {
			return errNotFound
		}
		one = r.item(e)
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
		m.response(r, r.href(one.entry.Card), object, one, w)
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
