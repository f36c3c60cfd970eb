package ldapbook

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/phonebook"
)

// A conn is a telephone's connection. One goroutine reads, so that a request can be abandoned; requests run one after another in
// another one, which alone writes.
type conn struct {
	server  *Server
	address netip.Prefix
	cancel  context.CancelFunc
	net     atomic.Pointer[net.Conn]
	in      *bufio.Reader
	out     *bufio.Writer
	secure  bool
	book    *book            // that it has signed in for; nil: none
	visit   *phonebook.Visit // by a key; nil: it has signed in with what is declared, or not
	unwatch func() bool
	bound   atomic.Bool

	queue   chan message
	resumed chan bool // after a request that the reader waits for; false: the connection ends

	mu        sync.Mutex
	running   map[int]context.CancelFunc
	abandoned map[int]bool // of requests that have not begun
}

func (c *conn) raw() net.Conn { return *c.net.Load() }

// take uses a connection from now on.
func (c *conn) take(n net.Conn) {
	c.net.Store(&n)
	c.in, c.out = bufio.NewReaderSize(n, 4096), bufio.NewWriterSize(&patient{c}, 16<<10)
}

// patient gives each part of an answer its time.
type patient struct{ c *conn }

func (p *patient) Write(b []byte) (int, error) {
	n := p.c.raw()
	_ = n.SetWriteDeadline(time.Now().Add(p.c.server.options.Times.Write))
	return n.Write(b)
}

// signIn makes the connection one of who signed in: nobody where b is nil. Where that was by a key, the connection ends with the key.
func (c *conn) signIn(b *book, visit *phonebook.Visit) {
	c.leave()
	c.book, c.visit = b, visit
	if visit != nil {
		c.unwatch = context.AfterFunc(visit.Context(), func() {
			if visit.Revoked() {
				c.end()
				_ = c.raw().Close() // what is being written goes no further
			}
		})
	}
}

// leave ends the visit by a key.
func (c *conn) leave() {
	if c.visit != nil {
		c.unwatch()
		c.visit.Leave()
		c.visit = nil
	}
}

// end makes the connection end: reading fails, and what runs is given up.
func (c *conn) end() {
	c.cancel()
	_ = c.raw().SetReadDeadline(time.Unix(1, 0))
}

func (c *conn) startTLS(ctx context.Context) error {
	t := tls.Server(c.raw(), c.server.options.TLS)
	within, cancel := context.WithTimeout(ctx, c.server.options.Times.Message)
	defer cancel()
	if err := t.HandshakeContext(within); err != nil {
		return err
	}
	c.take(t)
	c.secure = true
	return nil
}

// run reads and answers until either side ends.
func (c *conn) run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.answer(ctx)
		c.end() // the reader may be waiting
	}()
	err := c.read(ctx)
	close(c.queue)
	<-done
	if errors.Is(err, errBER) || errors.Is(err, errSize) {
		_, _ = c.out.Write(appendResult(nil, 0, opExtendedAnswer, result{code: protocolError, message: err.Error(), name: oidDisconnection}))
		_ = c.out.Flush()
	}
}

// read reads requests.
func (c *conn) read(ctx context.Context) error {
	times := c.server.options.Times
	for {
		idle := times.Unbound
		if c.bound.Load() {
			idle = times.Idle
		}
		n := c.raw()
		_ = n.SetReadDeadline(time.Now().Add(idle))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		body, err := readMessage(c.in, mostMessage, func() { _ = n.SetReadDeadline(time.Now().Add(times.Message)) })
		if err != nil {
			return err
		}
		m, known, err := parseMessage(body)
		if err != nil && !known {
			return err
		}
		switch {
		case err != nil:
			m.op.tag = 0 // answered with an error
		case m.op.tag == opUnbindRequest:
			return nil
		case m.op.tag == opAbandonRequest:
			if id, err := (element{body: m.op.body}).integer(); err == nil {
				c.abandon(id)
			}
			continue
		}
		c.begun(m.id)
		select {
		case c.queue <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
		// What follows may be of another user, or encrypted.
		if m.op.tag == opBindRequest || m.op.tag == opExtended {
			select {
			case more := <-c.resumed:
				if !more {
					return nil
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// begun notes a request, so that it can be abandoned before its turn.
func (c *conn) begun(id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[id] = nil
}

func (c *conn) abandon(id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stop, there := c.running[id]
	switch {
	case stop != nil:
		stop()
	case there:
		if c.abandoned == nil {
			c.abandoned = map[int]bool{}
		}
		c.abandoned[id] = true
	}
}

// turn gives a request a context that ends when it is abandoned; ok is false where it was already.
func (c *conn) turn(ctx context.Context, id int) (_ context.Context, stop func(), ok bool) {
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	stop = func() {
		cancel()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.running, id)
	}
	if c.abandoned[id] {
		delete(c.abandoned, id)
		return ctx, stop, false
	}
	c.running[id] = cancel
	return ctx, stop, true
}

// answer answers requests, one after another.
func (c *conn) answer(ctx context.Context) {
	for m := range c.queue {
		if err := c.one(ctx, m); err != nil {
			c.cancel()
			for range c.queue { // the reader is to find room, and then the end
			}
			return
		}
	}
}

// one answers a request. Its error ends the connection.
func (c *conn) one(ctx context.Context, m message) (err error) {
	within, stop, ok := c.turn(ctx, m.id)
	defer stop()
	waits := m.op.tag == opBindRequest || m.op.tag == opExtended
	more := true
	if ok {
		more, err = c.safely(within, m)
	}
	if err == nil {
		err = c.out.Flush()
	}
	if err == nil && ok && m.op.tag == opExtended && more {
		more, err = c.upgrade(ctx, m)
	}
	if waits {
		select {
		case c.resumed <- more && err == nil:
		case <-ctx.Done():
		}
	}
	return err
}

// upgrade begins TLS where that is what was asked for, after the answer has been sent.
func (c *conn) upgrade(ctx context.Context, m message) (more bool, err error) {
	if !c.begins(m) {
		return true, nil
	}
	if c.in.Buffered() > 0 {
		return false, errBER // sent before it was encrypted, and by anyone
	}
	if err := c.startTLS(ctx); err != nil {
		return false, err
	}
	c.signIn(nil, nil)
	c.bound.Store(false)
	return true, nil
}

// safely keeps one request's fault from the others.
func (c *conn) safely(ctx context.Context, m message) (more bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.server.options.Logger.ErrorContext(ctx, "a request of LDAP failed", "error", fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			more, err = true, c.send(m.id, m.op.tag, result{code: other, message: "the hub failed"})
		}
	}()
	return true, c.handle(ctx, m)
}

// answerTag is the tag of the answer to a request.
func answerTag(request byte) byte {
	switch request {
	case opBindRequest:
		return opBindResponse
	case opSearchRequest:
		return opSearchDone
	case opModifyRequest:
		return 0x67
	case opAddRequest:
		return 0x69
	case opDeleteRequest:
		return 0x6b
	case opRenameRequest:
		return 0x6d
	case opCompareRequest:
		return opCompareResponse
	}
	return opExtendedAnswer
}

func (c *conn) send(id int, request byte, r result, controls ...[]byte) error {
	_, err := c.out.Write(appendResult(nil, id, answerTag(request), r, controls...))
	return err
}
