package listener

import (
	"net"
	"net/netip"
	"sync"
)

// DefaultPerAddress is how many connections one address may have open.
const DefaultPerAddress = 256

// Limit closes connections at once that are more than an address may have open, so that no client can hold all of them. One IPv4
// address counts, or one customer's network of IPv6. The proxies, and Unix sockets, stand for many callers and may have
// as many as they like. Whatever perAddress is, no address gets more than a quarter of the files that the process may open.
func Limit(l net.Listener, perAddress int, proxies Proxies) net.Listener {
	if perAddress <= 0 {
		perAddress = DefaultPerAddress
	}
	if files := openFiles(); files > 0 {
		perAddress = max(1, min(perAddress, files/4))
	}
	return &limited{Listener: l, most: perAddress, proxies: proxies, open: map[netip.Prefix]int{}}
}

// limited is a listener that counts what is open.
type limited struct {
	net.Listener
	most    int
	proxies Proxies

	mu   sync.Mutex
	open map[netip.Prefix]int
}

// Accept waits for the next connection that may be open.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		address, ok := remote(conn.RemoteAddr().String())
		if !ok || l.proxies.contain(address) {
			return conn, nil
		}
		who := customer(address)
		if !l.enter(who) {
			_ = conn.Close() // it was not counted yet
			continue
		}
		return &counted{Conn: conn, leave: sync.OnceFunc(func() { l.exit(who) })}, nil
	}
}

func (l *limited) enter(who netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[who] >= l.most {
		return false
	}
	l.open[who]++
	return true
}

func (l *limited) exit(who netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[who]--; l.open[who] == 0 {
		delete(l.open, who)
	}
}

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	leave func()
}

// Close closes the connection.
func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite ends what is written, so that a last answer arrives although the caller still writes.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
