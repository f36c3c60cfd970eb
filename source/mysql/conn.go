package mysql

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/contactbridge/contactbridge/source"
)

// A bufferedConn is a connection that is read in large pieces: the driver asks for 4 KiB at a time, a sixtieth of a page.
type bufferedConn struct {
	net.Conn
	reader *bufio.Reader
	greet  *greeting
}

// A greeting counts what a server sends until a session is open: the driver joins the packets of a message without a bound, so that an
// endless one would fill the memory. What a session reads afterwards has the bounds of its page.
type greeting struct {
	left atomic.Int64 // bytes
	over atomic.Bool
}

// maxGreeting is the most, in bytes, that a server may send before a session is open: certificates take some KiB.
const maxGreeting = 1 << 20

var errGreeting = errors.New("the server sent too much before a session was open")

type greetingKey struct{}

// greeted returns a context in which [dial] bounds what a server sends, until over is called.
func greeted(ctx context.Context) (_ context.Context, over func()) {
	g := &greeting{}
	g.left.Store(maxGreeting)
	return context.WithValue(ctx, greetingKey{}, g), func() { g.over.Store(true) }
}

// readSize is that of a piece, in bytes. A server sends 16 KiB at a time; several of them may wait.
const readSize = 64 << 10

// dial opens a connection.
func dial(ctx context.Context, deps source.Deps, network, address string) (net.Conn, error) {
	conn, err := deps.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	greet, _ := ctx.Value(greetingKey{}).(*greeting) // the driver gives the context of Connect on
	buffered := bufferedConn{conn, bufio.NewReaderSize(conn, readSize), greet}
	if checked, ok := conn.(syscall.Conn); ok {
		return checkedConn{buffered, checked}, nil
	}
	return buffered, nil
}

// Read implements [net.Conn].
func (c bufferedConn) Read(p []byte) (int, error) {
	if c.greet == nil || c.greet.over.Load() {
		return c.reader.Read(p)
	}
	n, err := c.reader.Read(p[:min(len(p), readSize)])
	if c.greet.left.Add(-int64(n)) < 0 {
		return 0, errGreeting
	}
	return n, err
}

// A checkedConn is a connection of which the driver sees before it uses it again that the server has closed it.
type checkedConn struct {
	bufferedConn
	inner syscall.Conn
}

// SyscallConn implements [syscall.Conn]. A server that has sent what nobody asked for is about to close the connection.
func (c checkedConn) SyscallConn() (syscall.RawConn, error) {
	if c.reader.Buffered() > 0 {
		return nil, errors.New("the server sent something that nobody asked for")
	}
	return c.inner.SyscallConn()
}
