package source

// Fields maps a contact's fields to what the external service calls them: SQL expressions for the SQL kinds, column names
// for CSV. All empty means: take the columns with the usual names.
type Fields struct {
	Name         string       `yaml:"name"`
	Title        string       `yaml:"title"`
	Company      string       `yaml:"company"`
	Emails       Expressions  `yaml:"emails"`
	Phones       Expressions  `yaml:"phones"`
	Websites     Expressions  `yaml:"websites"`
	PhotoURL     string       `yaml:"photo_url"`
	Address      string       `yaml:"address"`
	Twitter      string       `yaml:"twitter"`
	URL          string       `yaml:"url"`
	CustomFields CustomFields `yaml:"custom_fields"`
}

// Expressions are one or more expressions whose values make a list; a single one may be written without brackets.
type Expressions []string

// CustomFields are the custom fields in the order in which they are written.
type CustomFields []CustomField

// A CustomField is a custom field's key and the expression of its value.
type CustomField struct {
	Key        string
	Expression string
}
