package hub

import (
	"slices"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/proposal"
)

// A Catalogue describes the kinds of source that people may choose from, and turns what they fill in into the text of a source. What
// implements [Inside] may implement it as well. Texts may hold credentials; what a Catalogue returns to be shown holds none.
type Catalogue interface {
	// Offers lists the kinds that may be chosen, in the order of their documentation.
	Offers() []Offer
	// Form returns the fields of a source, with their values but for credentials.
	Form(text string) ([]SourceField, error)
	// Fill returns a source with other values, by the fields' paths; what is not named stays. A field that holds a credential stays
	// where its value is empty. moved says that something was changed that decides where the source's credentials go, or what is done with
	// them. The error holds everything that is wrong with the values, joined: the text has those that are not.
	Fill(text string, values map[string][]string) (filled string, moved bool, err error)
	// WithoutCredentials returns a source without its credentials, and the paths of the fields that held them.
	WithoutCredentials(text string) (string, []string, error)
	// Adopt puts a proposal into a source, in place of one before. things are the names of those that were chosen, if any were; problem is why
	// nothing could be proposed of them. An error comes with what was found.
	Adopt(text string, l Listing, things []string, problem error) (string, Found, error)
}

// An Offer is a kind of source as people choose one.
type Offer struct {
	Kind    string
	Title   string   // what people call it
	Icon    string   // what is drawn for it
	Group   string   // what it stands among: "Databases"
	Summary string   // a sentence
	Needs   []string // what must be given, each in a few words
	Fresh   string   // how soon a change is seen: sentences
	Looks   bool     // what is there is looked at once it is connected
	Client  string   // by which people sign in at it ([Hub.SignInFor]); empty: they cannot
	File    string   // path of the field that names an uploaded file; empty: it reads none
}

// The groups of a source's fields.
const (
	GroupConnection = "connection" // where it is, and who reads it
	GroupMapping    = "mapping"    // which values make a contact
	GroupPhones     = "phones"     // how phone numbers are read and written
	GroupMore       = "more"       // everything else
)

// A SourceField is one field of a source's form.
type SourceField struct {
	Path     string // dotted: source.dsn, phones.region
	Group    string
	Title    string
	Help     string // sentences; may be empty
	Example  string
	Default  string // what holds without a value
	Value    string // of a list one a line; of a mapping one a line, as "key: value". Without the credential in it
	Choices  []string
	Many     bool // it has lines
	Pairs    bool // each line is a key and a value
	Secret   bool // all of the value is a credential
	Set      bool // there is a value, of which something is not shown
	Required bool
	Why      string // why it has this value, where it was proposed: a clause
}

// Found is what was found where a source is.
type Found struct {
	Noun     string  `json:"noun"` // what one thing is called: "table"
	Many     bool    `json:"many"` // several are read at once
	Things   []Thing `json:"things"`
	Chosen   []string
	Why      string            // why these were proposed: a clause
	Whys     map[string]string // by the path of a field: why it has its value
	Columns  []string          // of what was chosen, as expressions of the source
	National bool              // phone numbers without a country code were seen, and nothing that tells their country
	Notes    []proposal.Problem
}

// A Thing could hold contacts: a table, a sheet, an address book.
type Thing struct {
	Name  string
	Title string // for people
	Sort  string // "table", "view"
	Rows  int64  // -1: unknown
	Why   string // why it was not proposed: a clause; may be empty
}

// catalogue returns the catalogue, or an error that says that there is none.
func (h *Hub) catalogue() (Catalogue, error) {
	if c, ok := h.Inside.(Catalogue); ok {
		return c, nil
	}
	return nil, &failure.Error{Code: failure.NotFound, Message: "this process has no sources inside the hub", Hint: "Give the integration a bridge."}
}

// Offers lists what can be connected without a bridge.
func (h *Hub) Offers() []Offer {
	c, err := h.catalogue()
	if err != nil {
		return nil
	}
	return c.Offers()
}

// Offer returns one.
func (h *Hub) Offer(kind string) (Offer, error) {
	offers := h.Offers()
	i := slices.IndexFunc(offers, func(o Offer) bool { return o.Kind == kind })
	if i < 0 {
		return Offer{}, missing("kind of source", kind)
	}
	return offers[i], nil
}
