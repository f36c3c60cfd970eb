package contact_test

import (
	"fmt"

	"github.com/contactbridge/contactbridge/contact"
)

func ExampleContact_AppendJSON() {
	c := contact.Contact{ID: "17", Company: "Example Corp.", Phones: []string{"+15555555555"}}
	c.FillName()
	fmt.Printf("%s\n", c.AppendJSON(nil))
	// Output: {"id":"17","name":"Example Corp.","company":"Example Corp.","phones":["+15555555555"]}
}
