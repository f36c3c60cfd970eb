package bridgetest_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/bridge/bridgetest/faultybridge"
)

// Check judges a bridge from outside. This one sends numbers as ids.
func ExampleCheck() {
	server := httptest.NewServer(faultybridge.New(95, 10, faultybridge.NumberIDs))
	defer server.Close()
	report, err := bridgetest.Check(context.Background(), bridgetest.Target{
		URL:  server.URL + "/contact_sync",
		Auth: faultybridge.Auth(),
	}, bridgetest.Options{Pause: 10 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ok:", report.OK)
	for _, failed := range report.Failed(bridgetest.Must) {
		fmt.Printf("%s: %s\n", failed.ID, failed.Findings[0].Message)
		fmt.Println("to do:", failed.Advice)
	}
	// Output:
	// ok: false
	// contact-id: contacts[0].id is a number: 1000
	// to do: Convert numbers to strings, and leave out what has no id.
}
