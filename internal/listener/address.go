package listener

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the reverse proxies in front of a server: their word is taken for where a request comes from.
type Proxies []netip.Prefix

// ParseProxies returns the networks that texts name. A text that is not a network is left out.
func ParseProxies(texts []string) (p Proxies) {
	for _, text := range texts {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			p = append(p, prefix)
		}
	}
	return p
}

// contain reports whether an address is in one of the networks.
func (p Proxies) contain(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(a) })
}

// Client returns the address for which requests are counted together: one IPv4 address, or one customer's network of IPv6. Where the
// other end of the connection is one of the proxies, it is the last address in X-Forwarded-For that is not a proxy's: what
// stands before it was written by the caller. Requests over a Unix socket have the zero Prefix.
func (p Proxies) Client(r *http.Request) netip.Prefix {
	client, ok := remote(r.RemoteAddr)
	if !ok {
		return netip.Prefix{}
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !p.contain(client) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		client = before.Unmap().WithZone("")
	}
	return customer(client)
}

// customer returns an IPv4 address, or the network of IPv6 that one customer usually has.
func customer(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	prefix, _ := a.Prefix(bits) // the bits fit
	return prefix
}

// remote returns the address in host:port.
func remote(hostPort string) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(host)
	return address.Unmap().WithZone(""), err == nil
}

// FromThisMachine reports whether a request came from this machine to this machine by a loopback address, with no proxy between:
// a Unix socket is made for a proxy, which need not say whom it asks for. The host's name is looked at as well: a page of someone
// else, with a name that suddenly means this machine, is refused.
func FromThisMachine(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	from, ok := remote(r.RemoteAddr)
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	to, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return ok && from.IsLoopback() && (host == "localhost" || err == nil && to.IsLoopback())
}
