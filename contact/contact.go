// Package contact defines a contact as it is sent: its fields, its validation, its JSON.
// It does no I/O.
package contact

// A Contact is one person or company of an external service (P10).
//
// Only ID and Name are mandatory on the wire. An empty string or slice means that there is no value; it is
// written as an absent field, never as null or "" (D1).
type Contact struct {
	ID      string // unique id in the external service
	Name    string // full name
	Title   string // job title
	Company string

	Emails   []string
	Phones   []string // as the external service writes them, or E.164 where the bridge formats them
	Websites []string

	PhotoURL string
	Address  string // one line
	Twitter  string // handle without @
	URL      string // the contact's page in the external service

	CustomFields []CustomField

	// Country is the country that the contact's national numbers belong to, in words or as a code, where the source knows it.
	// The bridge reads Phones with it. It is not part of the protocol: it is neither sent nor received.
	Country string
}

// A CustomField is one key and value that the protocol has no field for (P10).
type CustomField struct {
	Key   string
	Value string
}
