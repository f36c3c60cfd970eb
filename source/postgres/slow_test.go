package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/internal/test/faults"
)

// A connection on which time ran out may be slow by itself. The next page goes over another one, however well that one ended.
func TestASlowConnectionIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	db := server.Database(t, customers)
	address := fmt.Sprintf("127.0.0.1:%d", server.Server(t).Port)
	proxy, err := faults.Start(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	through := strings.Replace(db.DSN, address, proxy.Addr(), 1)
	if through == db.DSN {
		t.Fatalf("%s does not name %s", db.DSN, address)
	}
	r := open(t, through, plain)

	// An answer takes less than a second, so that it comes yet when time has run out, and a run needs several.
	proxy.Set(faults.Fault{Drip: 20, Latency: 70 * time.Millisecond}, 1)
	read := func() (n int, err error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		run, err := r.Begin(ctx, "")
		if err != nil {
			return 0, err
		}
		for _, err := range r.Read(ctx, run, nil, 0) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	for attempt := 1; ; attempt++ {
		n, err := read()
		if err == nil && n == 5 {
			break
		}
		if _, broken := errors.AsType[*bridge.Error](err); !broken {
			t.Fatalf("attempt %d: %d contacts, %v", attempt, n, err)
		}
		if attempt == 10 {
			t.Fatalf("attempt %d: %v", attempt, err)
		}
		time.Sleep(2 * time.Second) // as a synchronizer does: a connection that was being made is ready then
	}
	if proxy.Hit() != 1 {
		t.Errorf("the slow connection was used %d times", proxy.Hit())
	}
}
