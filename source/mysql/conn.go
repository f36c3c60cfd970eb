package mysql

import (
	"bufio"
	"context"
	"errors"
	"net"
	"syscall"

	"github.com/contactbridge/contactbridge/source"
)

// A bufferedConn is a connection that is read in large pieces: the driver asks for 4 KiB at a time, a sixtieth of a page.
type bufferedConn struct {
	net.Conn
	reader *bufio.Reader
}

// readSize is that of a piece, in bytes. A server sends 16 KiB at a time; several of them may wait.
const readSize = 64 << 10

// dial opens a connection.
func dial(ctx context.Context, deps source.Deps, network, address string) (net.Conn, error) {
	conn, err := deps.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	buffered := bufferedConn{conn, bufio.NewReaderSize(conn, readSize)}
	if checked, ok := conn.(syscall.Conn); ok {
		return checkedConn{buffered, checked}, nil
	}
	return buffered, nil
}

// Read implements [net.Conn].
func (c bufferedConn) Read(p []byte) (int, error) { return c.reader.Read(p) }

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
