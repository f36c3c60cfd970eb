package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddress tells whose requests are counted together: one IPv4 address, or one customer's network of IPv6. Where the other
// end of the connection is one of the proxies, it is the last address in X-Forwarded-For that is none of them: what stands
// before was written by whoever asks.
func ClientAddress(proxies []netip.Prefix) func(*http.Request) netip.Prefix {
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return func(r *http.Request) netip.Prefix {
		client, ok := remote(r)
		if !ok {
			return netip.Prefix{}
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for _, hop := range slices.Backward(hops) {
			if !trusted(client) {
				break
			}
			before, err := netip.ParseAddr(strings.TrimSpace(hop))
			if err != nil {
				break
			}
			client = before.Unmap().WithZone("")
		}
		bits := 32
		if client.Is6() {
			bits = 64
		}
		prefix, _ := client.Prefix(bits) // the bits are right
		return prefix
	}
}

// remote is the other end of a connection.
func remote(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(host)
	return address.Unmap().WithZone(""), err == nil
}

// fromThisMachine reports whether a request came from this machine to this machine by a loopback address, with no proxy between:
// a Unix socket is made for a proxy, which need not say whom it asks for. The host's name is looked at as well: a page of somebody else whose name suddenly means this machine is refused.
func fromThisMachine(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	from, ok := remote(r)
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	to, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return ok && from.IsLoopback() && (host == "localhost" || err == nil && to.IsLoopback())
}
