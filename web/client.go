package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/contactbridge/contactbridge/internal/listener"
)

// ClientAddress tells whose requests are counted together, as [listener.ClientAddress] does.
func ClientAddress(proxies []netip.Prefix) func(*http.Request) netip.Prefix {
	return listener.ClientAddress(proxies)
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
