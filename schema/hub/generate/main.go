// Command generate writes the OpenAPI document of the hub's API.
package main

import (
	"fmt"
	"os"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/web/api"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate FILE")
		os.Exit(2)
	}
	document := api.New(api.Options{Hub: &hub.Hub{}}).Document()
	if err := os.WriteFile(os.Args[1], document, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
