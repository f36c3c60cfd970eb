// Package ports finds ports for the servers of tests that must know theirs before they listen.
//
// A port that the system gave to a listener, and that the listener gave back, belongs to nobody: until the server listens there, and
// whenever it is started anew, the system may give it to another listener or to a connection. By default it gives away none of those that
// Free returns.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// Below those that the system gives away by itself: from 32768 on Linux, from 49152 by RFC 6335.
const first, end = 12000, 32000

var (
	mu     sync.Mutex
	claims = map[int]net.Listener{}
)

// Free returns a TCP and UDP port of loopback at which nothing listens, and that no other test is given while this process runs.
func Free() (int, error) {
	mu.Lock()
	defer mu.Unlock()
	for range 1000 {
		port := first + rand.IntN(end-first)
		if _, mine := claims[port]; mine {
			continue
		}
		if c, ok := claim(port); ok {
			claims[port] = c
			return port, nil
		}
	}
	return 0, errors.New("no free port of loopback was found")
}

// Address returns the address of a port from Free, such as 127.0.0.1:12345.
func Address() (string, error) {
	port, err := Free()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), err
}

// ForTest is like [Free], but fails the test if no port is free.
func ForTest(t testing.TB) int {
	t.Helper()
	port, err := Free()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// AddressForTest is like [Address], but fails the test if no port is free.
func AddressForTest(t testing.TB) string {
	t.Helper()
	address, err := Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// claim claims a port if it is free. The claim is an abstract socket, which other processes cannot open until this one ends. Only Linux has
// those: elsewhere two processes may choose the same port.
func claim(port int) (c net.Listener, ok bool) {
	if runtime.GOOS == "linux" {
		var err error
		if c, err = net.Listen("unix", fmt.Sprintf("@contactbridge-test-port-%d", port)); err != nil {
			return nil, false
		}
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	stream, err1 := net.Listen("tcp", address)
	if err1 == nil {
		_ = stream.Close()
	}
	packets, err2 := net.ListenPacket("udp", address)
	if err2 == nil {
		_ = packets.Close()
	}
	if (err1 != nil || err2 != nil) && c != nil {
		_ = c.Close()
	}
	return c, err1 == nil && err2 == nil
}
