package hub

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/hub/registry"
)

// NewDestination is where an integration's auth values would go after a change and do not go now, as host and port; empty where
// there is none. Now and then are its values before and after. Whoever may change an integration may not read its values: they
// could have them sent to a place of their own otherwise, by its URL or by a value that stands in it.
func NewDestination(was registry.Integration, now map[string]string, is registry.Integration, then map[string]string) string {
	known := destinations(was, now)
	for _, to := range destinations(is, then) {
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

// destinations are scheme, host and port of everything that an integration sends its values to.
func destinations(i registry.Integration, given map[string]string) (all []*url.URL) {
	addresses := []string{i.Bridge, i.Validation}
	if i.OAuth != nil {
		addresses = append(addresses, i.OAuth.TokenURL)
	}
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

// keptFrom are the values among those that are kept that a change does not give anew.
func keptFrom(kept, given map[string]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(kept)), func(name string) bool { _, ok := given[name]; return ok })
}

// staysPut refuses to send values that are kept to where they were not given for.
func staysPut(host string, names []string) error {
	if host == "" || len(names) == 0 {
		return nil
	}
	return &Error{
		Kind: Invalid, Field: "bridge", Message: fmt.Sprintf("what is kept of auth was not given for %s: %s", host, strings.Join(names, ", ")),
		Hint: "Give these values again with the new address, or take them away.",
	}
}
