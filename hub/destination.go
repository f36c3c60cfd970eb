package hub

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// NewDestination is where an integration's auth values would go after a change and do not go now, as host and port; empty where
// it has no values. Now and then are its values before and after. An actor that may change an integration may not read its values: they
// could have them sent to a place of their own otherwise, by its URL or by a value that stands in it.
func NewDestination(was registry.Integration, now map[string]string, is registry.Integration, then map[string]string) string {
	return newAmong(destinations(was, now, everywhere(was)), destinations(is, then, everywhere(is)))
}

// newAmong is the first of the places that is not known.
func newAmong(known, places []*url.URL) string {
	for _, to := range places {
		upgraded := *to
		upgraded.Scheme = "http"
		same := func(u *url.URL) bool { return *u == *to || to.Scheme == "https" && sameButPlain(u, &upgraded) }
		if !slices.ContainsFunc(known, same) {
			return to.Host
		}
	}
	return ""
}

// sameButPlain reports whether an address was asked by HTTP that will be asked by HTTPS, at the same or the usual port.
func sameButPlain(was, upgraded *url.URL) bool {
	return was.Scheme == "http" && was.Hostname() == upgraded.Hostname() && (was.Port() == upgraded.Port() || was.Port() == "80" && upgraded.Port() == "443")
}

// everywhere is every address that an integration sends something to.
func everywhere(i registry.Integration) []string {
	addresses := []string{i.Bridge, i.Validation, i.Agents}
	if i.OAuth != nil {
		addresses = append(addresses, i.OAuth.TokenURL)
	}
	return addresses
}

// addressesFor are those that an auth value is sent to.
func addressesFor(i registry.Integration, name string) []string {
	if i.OAuth != nil && slices.Contains(tokenOnly(i), name) {
		return []string{i.OAuth.TokenURL}
	}
	return []string{i.Bridge, i.Validation, i.Agents}
}

// destinations are scheme, host and port of addresses.
func destinations(i registry.Integration, given map[string]string, addresses []string) (all []*url.URL) {
	values, err := authValues(i, given)
	if err != nil {
		values = given
	}
	for _, address := range addresses {
		filled, err := fill(address, values)
		if err != nil {
			filled = address // nothing can be sent there
		}
		u, err := url.Parse(filled)
		if err != nil || u.Host == "" {
			continue
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		all = append(all, &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Hostname()) + ":" + port})
	}
	return all
}

// otherSource reports whether a change is to a source inside the hub, or of one: it decides where what it is given goes.
func otherSource(was registry.Integration, kept map[string]string, is registry.Integration, then map[string]string) bool {
	return is.Source != "" && (was.Source == "" || kept[registry.SourceValue] != then[registry.SourceValue])
}

// otherService reports whether tokens that a provider gave would go elsewhere after a change of a source: it is another source, unless
// people sign in at it and it still asks the same service.
func (h *Hub) otherService(was registry.Integration, kept map[string]string, is registry.Integration, then map[string]string) bool {
	if !otherSource(was, kept, is, then) {
		return false
	}
	before, after := insideSource(was, kept), insideSource(is, then)
	if was.Source == "" || !before.SignIn || !after.SignIn {
		return true
	}
	a, _, err := h.signInOf(before, was.OAuth.Client)
	if err != nil {
		return true
	}
	b, _, err := h.signInOf(after, is.OAuth.Client)
	return err != nil || !a.sameService(b)
}

// staysWithSource refuses to give values that are kept, and that a change does not give anew, to another source.
func staysWithSource(was registry.Integration, kept map[string]string, is registry.Integration, then, given map[string]string) error {
	if !otherSource(was, kept, is, then) {
		return nil
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		if _, anew := given[name]; !anew && name != registry.SourceValue {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &failure.Error{
		Code: failure.Invalid, Field: "source", Message: "what is kept of auth was not given for this source: " + strings.Join(names, ", "),
		Hint: "Give these values again with the source, or take them away.",
	}
}

// staysPut refuses to send values that are kept, and that a change does not give anew, to where they were not given for.
func staysPut(was registry.Integration, kept map[string]string, is registry.Integration, then, given map[string]string) error {
	host, names := "", []string{}
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		if _, anew := given[name]; anew {
			continue
		}
		if to := newAmong(destinations(was, kept, addressesFor(was, name)), destinations(is, then, addressesFor(is, name))); to != "" {
			host, names = to, append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &failure.Error{
		Code: failure.Invalid, Field: "bridge", Message: fmt.Sprintf("what is kept of auth was not given for %s: %s", host, strings.Join(names, ", ")),
		Hint: "Give these values again with the new address, or take them away.",
	}
}
