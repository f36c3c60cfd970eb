// Package faults breaks connections on purpose: a TCP proxy between two parties, for tests.
package faults

import (
	"errors"
	"net"
	"sync"
	"time"
)

// A Fault is a disturbance of a connection. The zero value disturbs nothing. Bytes are counted from the server to its client.
type Fault struct {
	Refuse  bool          // the connection is reset as soon as it is made
	Silent  bool          // it is accepted, and nothing ever comes
	Latency time.Duration // before each piece that arrives
	Reset   int           // bytes after which it is reset
	Cut     int           // bytes after which it is closed in order, as if that were all
	Drip    int           // bytes for each Latency
}

// A Proxy stands between a server and its clients.
type Proxy struct {
	listener net.Listener
	target   string
	done     sync.WaitGroup

	mu    sync.Mutex
	fault Fault
	left  int // connections that the fault is for
	hit   int // connections that had it
	open  map[net.Conn]bool
}

// Always is a number of connections that is never reached.
const Always = 1 << 30

// Start opens a proxy in front of an address. Until [Proxy.Set] it does no harm.
func Start(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target, open: map[net.Conn]bool{}}
	p.done.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set breaks what is open, and gives the next connections a fault. Later ones have no fault.
func (p *Proxy) Set(fault Fault, connections int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.left, p.hit = fault, connections, 0
	for conn := range p.open {
		conn.Close()
	}
}

// Hit is how many connections have had the fault.
func (p *Proxy) Hit() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hit
}

// Close ends all connections and the proxy.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.Set(Fault{}, 0)
	p.done.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.done.Go(func() { p.serve(conn.(*net.TCPConn)) })
	}
}

// next is the fault of the connection that has just been made.
func (p *Proxy) next(client net.Conn) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[client] = true
	if p.left == 0 {
		return Fault{}
	}
	p.left--
	p.hit++
	return p.fault
}

func (p *Proxy) forget(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
}

func (p *Proxy) serve(client *net.TCPConn) {
	fault := p.next(client)
	defer p.forget(client)
	defer client.Close()
	if fault.Refuse {
		reset(client)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	var asking sync.WaitGroup
	asking.Go(func() {
		defer server.Close()
		_ = pass(server, client, Fault{}) // it ends when either side does
	})
	if err := pass(client, server, fault); errors.Is(err, errReset) {
		reset(client)
	}
	client.Close()
	asking.Wait()
}

// reset ends a connection so that its other end sees it broken.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0) // at worst it is closed in order
	conn.Close()
}

var errReset = errors.New("reset")

// pass copies from one connection to another until the fault ends it.
func pass(to, from net.Conn, fault Fault) error {
	buffer := make([]byte, 16<<10)
	for sent := 0; ; {
		n, err := from.Read(buffer)
		if err != nil {
			return err
		}
		if fault.Silent {
			continue
		}
		piece, end := buffer[:n], error(nil)
		switch {
		case fault.Reset > 0 && sent+n >= fault.Reset:
			piece, end = buffer[:fault.Reset-sent], errReset
		case fault.Cut > 0 && sent+n >= fault.Cut:
			piece, end = buffer[:fault.Cut-sent], net.ErrClosed
		}
		if err := fault.write(to, piece); err != nil || end != nil {
			return errors.Join(end, err)
		}
		sent += n
	}
}

// write writes a piece as slowly as the fault wants.
func (f Fault) write(to net.Conn, piece []byte) error {
	size := len(piece)
	if f.Drip > 0 {
		size = f.Drip
	}
	for len(piece) > 0 {
		time.Sleep(f.Latency)
		now := piece[:min(size, len(piece))]
		if _, err := to.Write(now); err != nil {
			return err
		}
		piece = piece[len(now):]
	}
	return nil
}
