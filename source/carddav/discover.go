package carddav

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
)

// The requests of the discovery.
var (
	askWho = []byte(`<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:carddav"><d:prop>` +
		`<d:resourcetype/><d:displayname/><d:current-user-principal/><c:addressbook-home-set/></d:prop></d:propfind>`)
	askBooks = []byte(`<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:"><d:prop>` +
		`<d:resourcetype/><d:displayname/><d:sync-token/><d:supported-report-set/></d:prop></d:propfind>`)
)

const wellKnown = "/.well-known/carddav"

// A place is where a user's address books are.
type place struct {
	homes []string // collections of address books, as the server writes them
	book  string   // the address book itself, where url names one
}

// A book is an address book.
type book struct {
	path    string // canonical, with a slash at its end
	raw     string // as the server writes it
	name    string // for people
	canSync bool   // the server says that it can name what changed
}

// place returns where the address books are; it is looked for once.
func (a *account) place(ctx context.Context) (place, error) {
	a.mu.Lock()
	known := a.found
	a.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	found, err := a.discover(ctx)
	if err != nil {
		return place{}, err
	}
	a.mu.Lock()
	a.found = &found
	a.mu.Unlock()
	return found, nil
}

// forget has the place looked for again.
func (a *account) forget() {
	a.mu.Lock()
	a.found = nil
	a.mu.Unlock()
}

// discover finds the address books of the user from any address of the server (RFC 6764).
func (a *account) discover(ctx context.Context) (place, error) {
	candidates := []string{a.path, wellKnown}
	if strings.Trim(a.path, "/") == "" {
		candidates = []string{wellKnown, "/"}
	}
	var failed error
	for _, path := range candidates {
		found, err := a.look(ctx, path)
		if err == nil && (found.book != "" || len(found.homes) > 0) {
			return found, nil
		}
		if known, ok := errors.AsType[*bridge.Error](err); ok {
			return place{}, known // who asks, or the way there, is wrong: no other address helps
		}
		if ctx.Err() != nil {
			return place{}, ctx.Err()
		}
		failed = cmp.Or(failed, err)
	}
	said := "it names no address books of the user"
	var status *statusError
	switch {
	case errors.As(failed, &status):
		said = fmt.Sprintf("it answers PROPFIND with status %d", status.status)
	case failed != nil:
		said = "its answer is not WebDAV"
	}
	return place{}, &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("no CardDAV server is found at %s: %s", a.where(), said),
		Hint: "Set url to the server's CardDAV address, as it stands in its documentation, or to that of an address book.", Err: failed,
	}
}

// look asks one address for the user's address books. Nothing is found where it does not know.
func (a *account) look(ctx context.Context, path string) (place, error) {
	here, at, err := a.properties(ctx, path)
	if err != nil {
		return place{}, err
	}
	switch {
	case here.isBook:
		return place{book: at.EscapedPath()}, nil
	case len(here.homes) > 0:
		return a.homes(here.homes, at)
	case here.principal != "":
		if err := a.mustBeHere(at, here.principal); err != nil {
			return place{}, err
		}
		who, _, err := a.properties(ctx, canonicalRequest(at, here.principal))
		if err != nil {
			return place{}, explained(err, at.Host)
		}
		if len(who.homes) > 0 {
			return a.homes(who.homes, at)
		}
	case here.unauthenticated:
		return place{}, a.client.refused(at)
	}
	if !here.isCollection {
		return place{}, nil
	}
	// A server that knows no principals: the address may be that of the books' collection.
	books, err := a.booksIn(ctx, at.EscapedPath())
	if err != nil || len(books) == 0 {
		return place{}, err
	}
	return place{homes: []string{at.EscapedPath()}}, nil
}

// homes returns the place of home sets.
func (a *account) homes(hrefs []string, at *url.URL) (place, error) {
	var p place
	for _, href := range hrefs {
		if err := a.mustBeHere(at, href); err != nil {
			return place{}, err
		}
		p.homes = append(p.homes, withSlash(canonicalRequest(at, href)))
	}
	return p, nil
}

// mustBeHere refuses an address on another host.
func (a *account) mustBeHere(at *url.URL, href string) error {
	to, err := at.Parse(href)
	if err != nil || to.Host == "" || strings.EqualFold(to.Hostname(), at.Hostname()) {
		return nil
	}
	return otherHost(at.Host, to)
}

// canonicalRequest returns the path of an address that a resource names.
func canonicalRequest(at *url.URL, href string) string {
	path := rawPath(href)
	if strings.HasPrefix(path, "/") {
		return path
	}
	if to, err := at.Parse(href); err == nil {
		return to.EscapedPath()
	}
	return path
}

// properties asks one resource what it is. A server may have answered the first question of all before it knew who asks.
func (a *account) properties(ctx context.Context, path string) (props, *url.URL, error) {
	found, at, err := a.propertiesOnce(ctx, path)
	if err == nil && found.unauthenticated && a.client.user != "" {
		return a.propertiesOnce(ctx, path)
	}
	return found, at, err
}

func (a *account) propertiesOnce(ctx context.Context, path string) (props, *url.URL, error) {
	var found props
	n := 0
	_, at, err := a.client.multistatus(ctx, call{method: "PROPFIND", path: path, depth: "0", body: askWho}, func(r *response) error {
		if n++; n == 1 {
			found = r.props
		}
		return nil
	})
	return found, at, err
}

// booksIn lists the address books of a collection.
func (a *account) booksIn(ctx context.Context, home string) ([]book, error) {
	var list []book
	_, at, err := a.client.multistatus(ctx, call{method: "PROPFIND", path: home, depth: "1", body: askBooks}, func(r *response) error {
		if r.status == http.StatusInsufficientStorage {
			return a.truncated()
		}
		if !r.props.isBook || r.status != 0 && r.status/100 != 2 {
			return nil
		}
		raw := withSlash(rawPath(r.href))
		b := book{path: canonical(canonical("", home), raw), raw: raw, canSync: r.props.canSync || r.props.syncToken != ""}
		b.name = cmp.Or(r.props.displayName, lastPart(b.path))
		list = append(list, b)
		return nil
	})
	if err != nil {
		return nil, explainedAt(err, at, a)
	}
	return list, nil
}

func explainedAt(err error, at *url.URL, a *account) error {
	if at == nil {
		return explained(err, a.where())
	}
	return explained(err, at.Host)
}

func (a *account) truncated() error {
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("%s gives only a part of a list (status 507)", a.where()),
		Hint: "Raise the server's limit for the number of results, or divide the address book.",
	}
}

// books lists the address books that are read, by their paths.
func (a *account) books(ctx context.Context) ([]book, error) {
	all, err := a.allBooks(ctx)
	if err != nil {
		return nil, err
	}
	if len(a.wanted) == 0 {
		return all, nil
	}
	var list []book
	for _, name := range a.wanted {
		chosen, err := a.choose(all, name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(list, func(b book) bool { return b.path == chosen.path }) {
			list = append(list, chosen)
		}
	}
	slices.SortFunc(list, func(x, y book) int { return strings.Compare(x.path, y.path) })
	return list, nil
}

// allBooks lists the address books of the user by their paths. There is at least one.
func (a *account) allBooks(ctx context.Context) ([]book, error) {
	at, err := a.place(ctx)
	if err != nil {
		return nil, err
	}
	if at.book != "" {
		at.homes = []string{at.book}
	}
	var list []book
	for _, home := range at.homes {
		some, err := a.booksIn(ctx, home)
		if err != nil {
			a.forget() // it may have moved
			return nil, err
		}
		list = append(list, some...)
	}
	if at.book != "" { // nothing below it
		only := canonical("", withSlash(at.book))
		list = slices.DeleteFunc(list, func(b book) bool { return b.path != only })
	}
	slices.SortFunc(list, func(x, y book) int { return strings.Compare(x.path, y.path) })
	list = slices.CompactFunc(list, func(x, y book) bool { return x.path == y.path })
	if len(list) == 0 {
		a.forget()
		return nil, &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("the user has no address book at %s", a.where()),
			Hint: "Make one, or set url to that of an address book which the user may read.",
		}
	}
	return list, nil
}

// choose returns the book of a name or path.
func (a *account) choose(all []book, name string) (book, error) {
	path := canonical("", withSlash(name))
	var found []book
	for _, b := range all {
		if b.path == path {
			return b, nil
		}
		if b.name == name || lastPart(b.path) == name {
			found = append(found, b)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	var there []string
	for _, b := range all {
		there = append(there, fmt.Sprintf("%s (%s)", b.path, b.name))
	}
	message := fmt.Sprintf("there is no address book %q", name)
	if len(found) > 1 {
		message = fmt.Sprintf("%d address books are called %q", len(found), name)
	}
	return book{}, &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: message, Hint: "Name in books one of these by its path: " + strings.Join(there, ", ") + ".",
	}
}
