package bridge_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// An endpoint named "crm", for callers with one set of credentials.
func ExampleHandler() {
	crm := numbered(3) // any Source
	mux := http.NewServeMux()
	mux.Handle("/crm/", &bridge.Handler{
		Name: "crm",
		Open: func(context.Context, bridge.Auth) (bridge.Source, error) {
			return crm, nil
		},
		Authenticate: bridge.RequireAuth(bridge.Auth{"username": "agent", "password": "example"}),
		Digest:       "memory",
		Limits:       bridge.Limits{Contacts: 500, Time: 5 * time.Second},
		Prepare: func(c *contact.Contact) {
			for i, number := range c.Phones {
				c.Phones[i] = "tel:" + number
			}
		},
	})

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, post("/crm/contact_sync", `{"auth": {"username": "agent", "password": "example"}}`))
	fmt.Println(w.Code, len(w.Body.Bytes()) > 0)
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, post("/crm/auth_validation", `{"auth": {"username": "agent", "password": "guess"}}`))
	fmt.Println(w.Code)
	// Output:
	// 200 true
	// 401
}

// A whole run against a bridge, and what to do about errors.
func ExampleClient_Page() {
	server := httptest.NewServer(handlerOf(numbered(3), bridge.Limits{Contacts: 2}))
	defer server.Close()

	client := &bridge.Client{URL: server.URL + "/contact_sync", Auth: bridge.Auth{"username": "agent", "password": "pass-word-7"}}
	defer client.CloseIdleConnections()
	q := bridge.PageRequest{Checkpoint: ""} // empty: an initial run
	for {
		page, err := client.Page(context.Background(), q)
		if bridge.Retryable(err) {
			time.Sleep(max(bridge.RetryAfter(err), time.Second))
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		for _, c := range page.Contacts {
			fmt.Println(c.ID, c.Name, c.Phones)
		}
		if page.NextOffset == "" {
			break
		}
		q.Offset, q.Context = page.NextOffset, page.Context
	}
	// Output:
	// 1 Contact 1 [+15551000001]
	// 2 Contact 2 [+15551000002]
	// 3 Contact 3 [+15551000003]
}
