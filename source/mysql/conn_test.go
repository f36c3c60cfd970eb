package mysql

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"

	"github.com/contactbridge/contactbridge/source"
)

// A server whose greeting does not end is left.
func TestAGreetingIsBounded(t *testing.T) {
	sent := make(chan int, 1)
	deps := source.Deps{Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			total, packet := 0, bytes.Repeat([]byte{0xff}, 4+1<<24-1)
			for n := range byte(20) {
				packet[3] = n // the sequence
				wrote, err := theirs.Write(packet)
				if total += wrote; err != nil {
					break
				}
			}
			sent <- total
		}()
		return ours, nil
	}}.Defaults()
	a, err := parse("mysql://u:p@db.example.com/x", deps.Path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := open(a, deps)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Session(t.Context()); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if n := <-sent; n > 2*maxGreeting {
		t.Errorf("%d bytes were read", n)
	}
}
