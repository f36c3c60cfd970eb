// Command pocketbase is a PocketBase server, a real system for the tests of source/rest. It is a module of its own, so that the project
// does not depend on PocketBase.
package main

import (
	"log"

	"github.com/pocketbase/pocketbase"
)

func main() {
	if err := pocketbase.New().Start(); err != nil {
		log.Fatal(err)
	}
}
