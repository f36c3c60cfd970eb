// Package outbound sends requests to addresses that people typed, and refuses those that lead to machines which they have no
// business with: private networks, this machine, the cloud's metadata service. What is judged is the address that is dialled, so
// that neither a name's second answer nor a redirect leads around it.
package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"github.com/contactbridge/contactbridge/failure"
)

// A Policy says what may be asked besides the public internet.
type Policy struct {
	AllowPrivate bool           // private networks, link-local addresses and this machine
	Allow        []netip.Prefix // these networks
	Dialer       *net.Dialer    // nil: one of its own; its Control and ControlContext are not used
}

// CodeRefused is the code of a [Refused] address.
const CodeRefused failure.Code = "refused_address"

// A Refused address is one that the hub does not ask.
type Refused struct {
	Address string // host:port
	Err     error
}

func (e *Refused) Error() string {
	return fmt.Sprintf("the hub does not ask %s: it is not on the public internet", e.Address)
}

// Explain says how to allow it.
func (e *Refused) Explain() failure.Error {
	return failure.Error{
		Code: CodeRefused, Message: e.Error(), Err: failure.Hidden(e.Err),
		Hint: "If it may be asked, allow it in the hub's configuration: network: {allow: [" + networkOf(e.Address) + "]}, or allow_private: true; or start the hub with --allow-private.",
	}
}

// Unwrap returns the cause.
func (e *Refused) Unwrap() error { return e.Err }

// Dialer dials only what may be asked.
func Dialer(o Policy) *net.Dialer {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	if o.Dialer != nil {
		own := *o.Dialer
		dialer = &own
	}
	dialer.Control, dialer.ControlContext = guard(o), nil // the latter would go before
	return dialer
}

// New makes a transport that asks only what it may. It follows no redirects (a client may, and is judged again), and uses no
// proxy of the environment: a proxy would dial for it.
func New(o Policy) *http.Transport {
	return &http.Transport{
		DialContext: Dialer(o).DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConns: 512, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
}

// guard judges an address before it is dialled.
func guard(o Policy) func(network, address string, c syscall.RawConn) error {
	if o.AllowPrivate {
		return nil
	}
	var v4, v6 []netip.Prefix
	for _, prefix := range o.Allow {
		if prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	judge := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	return func(network, address string, c syscall.RawConn) error {
		err := judge.Safe(network, address, c)
		if err == nil {
			return nil
		}
		return &Refused{Address: address, Err: err}
	}
}

// networkOf is an address as a network of one machine.
func networkOf(address string) string {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return "10.0.0.0/8"
	}
	return netip.PrefixFrom(at.Addr().Unmap(), at.Addr().Unmap().BitLen()).String()
}

// IsRefused reports whether an address was refused.
func IsRefused(err error) bool {
	_, ok := errors.AsType[*Refused](err)
	return ok
}
