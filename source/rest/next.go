package rest

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// An answer that says wrongly that it is the last one ends a run too early, and whoever was not read counts as gone. So what stands
// where it says how it goes on is a cursor or an address, or one of the ways to say that there is no more; anything else is an error.

// goesOn fills in what an answer says of the pages after it.
func (c *client) goesOn(a *answer, made *page, r *Reading) (err error) {
	isNamed := r.Page.isNamed()
	switch {
	case isNamed:
		if made.next, err = c.next(a, r); err != nil {
			return err
		}
		made.more = made.next != ""
	case r.Page.By != "none":
		made.more = made.count >= r.Page.Size || r.Page.ToEmpty && made.count > 0
	}
	if r.Page.More != "" {
		if made.more, err = c.more(a, r); err != nil {
			return err
		}
	}
	if r.Done != "" && a.text(r.Done) == "true" {
		made.more = false
	}
	if r.Token != "" {
		made.token = a.text(r.Token)
		if c.factory.language.Changes.Path.written == tokenPath {
			made.token = a.follow(made.token)
		}
		if r.Done == "" {
			made.more = made.token == "" && made.more
		}
	}
	if made.more && isNamed && made.next == "" {
		return c.endless(a, r)
	}
	return nil
}

// next returns the cursor or address of the page after an answer; empty if there is what services write where they have none: nothing,
// null, false, the number 0, which leads to no next page, or a list or an object that is empty. An address is whole, or led to from the
// address that was asked.
func (c *client) next(a *answer, r *Reading) (string, error) {
	const key = "page.next"
	path := r.Page.Next
	if isLinkHeader(path) {
		address, err := c.linked(a, key)
		return a.follow(address), err
	}
	wants := "a text or a number"
	if r.Page.By == "link" {
		wants = "an address"
	}
	text := ""
	if name, isHeader := strings.CutPrefix(path, headerPrefix); isHeader {
		text = a.header.Get(name)
	} else if raw, ok := a.find(path); ok && !isNothing(raw) {
		if raw[0] != '"' && (raw[0] == 't' || isNested(raw) || r.Page.By == "link") {
			return "", c.unclear(a, key, path, raw, wants)
		}
		text = unquote(raw)
	}
	if r.Page.By == "link" {
		return a.follow(text), nil
	}
	return text, nil
}

// more returns whether an answer says that there is more.
func (c *client) more(a *answer, r *Reading) (bool, error) {
	if isLinkHeader(r.Page.More) {
		next, err := c.linked(a, "page.more")
		return next != "", err
	}
	raw, ok := a.find(r.Page.More)
	if ok && isNested(raw) && !isNothing(raw) {
		return false, c.unclear(a, "page.more", r.Page.More, raw, "a value that says yes or no")
	}
	return source.IsGone(a.text(r.Page.More)), nil // any text that does not say no
}

// endless returns the error of an answer that says that there is more, and not where.
func (c *client) endless(a *answer, r *Reading) error {
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Status: a.status, Message: fmt.Sprintf("an answer of %s says that there is more, at %s, and has no next page at %s", c.factory.title(), r.Page.More, r.Page.Next),
		Hint: "Correct page.more or page.next.",
	}
}

// linked returns the address with the relation type next of the header Link.
func (c *client) linked(a *answer, key string) (string, error) {
	address, readable := nextLink(a.header.Values("Link"))
	if !readable {
		return "", &bridge.Error{
			Code: bridge.CodeSourceBroken, Status: a.status, Message: fmt.Sprintf("the header Link of an answer of %s cannot be read, which says how it goes on (%s)", c.factory.title(), key),
			Hint: "It must have the form of RFC 8288:  <https://…>; rel=\"next\"",
		}
	}
	return address, nil
}

// unclear returns the error of an answer in which something else stands than what can say how it goes on.
func (c *client) unclear(a *answer, key, path string, raw []byte, wants string) error {
	kind := string(raw[:min(len(raw), 20)]) // true, or a number
	switch raw[0] {
	case '{':
		kind = "an object"
	case '[':
		kind = "a list"
	}
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Status: a.status, Message: fmt.Sprintf("an answer of %s has %s at %s, which %s names, and not %s", c.factory.title(), kind, path, key, wants),
		Hint: "Whether there are more records is not known. Write in " + key + " the path of the value itself.",
	}
}

// follow returns where a link in an answer leads to. One that is whole stays as it is.
func (a *answer) follow(link string) string {
	to, err := url.Parse(link)
	if link == "" || err != nil || to.IsAbs() {
		return link // what is no address is told when it is asked for
	}
	asked := *a.url
	asked.RawQuery = "" // a credential may stand in it, and a link that keeps it would lead nowhere else
	return asked.ResolveReference(to).String()
}

// isNamed reports whether an answer names the page after it, by a cursor or an address.
func (p Paging) isNamed() bool { return p.By == "cursor" || p.By == "link" }

// headerPrefix begins a path that names a header.
const headerPrefix = "header:"

func isLinkHeader(path string) bool { return strings.EqualFold(path, headerPrefix+"Link") }

// isNested reports whether a JSON value is an object or a list.
func isNested(raw []byte) bool { return len(raw) > 0 && (raw[0] == '{' || raw[0] == '[') }

// isNothing reports whether a JSON value stands for nothing: false, the number 0, or an object or a list that is empty.
func isNothing(raw []byte) bool {
	if isNested(raw) {
		return len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
	}
	number, err := strconv.ParseFloat(string(raw), 64)
	return string(raw) == "false" || err == nil && number == 0
}
