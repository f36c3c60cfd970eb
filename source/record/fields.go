// Package record turns a record of an external service into a contact: which of its values goes into which field, how the
// fields are configured, the usual names of columns, and the contact that is being filled.
package record

// Fields maps a contact's fields to what the external service calls them: SQL expressions for the SQL kinds, column names
// for CSV. All empty means: take the columns with the usual names ([Usual]).
type Fields struct {
	Name         string       `yaml:"name" jsonschema_description:"Full name."`
	Title        string       `yaml:"title" jsonschema_description:"Job title."`
	Company      string       `yaml:"company"`
	Emails       Expressions  `yaml:"emails"`
	Phones       Expressions  `yaml:"phones"`
	Websites     Expressions  `yaml:"websites"`
	PhotoURL     string       `yaml:"photo_url"`
	Address      string       `yaml:"address" jsonschema_description:"Postal address in one line."`
	Twitter      string       `yaml:"twitter" jsonschema_description:"Handle, with or without @."`
	URL          string       `yaml:"url" jsonschema_description:"The contact's page in the external service."`
	Country      string       `yaml:"country" jsonschema_description:"The country that the contact's national phone numbers belong to: a code of two or three letters, or its name in English, German, French, Spanish, Italian, Portuguese or Dutch. It is not sent. Where it is empty or unknown, phones.region counts."`
	CustomFields CustomFields `yaml:"custom_fields"`
}

// Empty reports whether no field is mapped, so that the usual names are to be taken.
func (f Fields) Empty() bool {
	return f.Name == "" && f.Title == "" && f.Company == "" && len(f.Emails) == 0 && len(f.Phones) == 0 &&
		len(f.Websites) == 0 && f.PhotoURL == "" && f.Address == "" && f.Twitter == "" && f.URL == "" && f.Country == "" &&
		len(f.CustomFields) == 0
}

// Mapped lists the configured fields in the order of bridge documents; a list field is there once for each expression.
func (f Fields) Mapped() []Mapped {
	var list []Mapped
	add := func(field string, from ...string) {
		for _, expr := range from {
			if expr != "" {
				list = append(list, Mapped{Field: field, From: expr})
			}
		}
	}
	add(FieldName, f.Name)
	add(FieldTitle, f.Title)
	add(FieldCompany, f.Company)
	add(FieldEmails, f.Emails...)
	add(FieldPhones, f.Phones...)
	add(FieldWebsites, f.Websites...)
	add(FieldPhotoURL, f.PhotoURL)
	add(FieldAddress, f.Address)
	add(FieldTwitter, f.Twitter)
	add(FieldURL, f.URL)
	add(FieldCountry, f.Country)
	for _, c := range f.CustomFields {
		add(FieldCustom+"."+c.Key, c.Expression)
	}
	return list
}

// The names of a contact's fields, as in the protocol (P10) but for the country.
const (
	FieldName     = "name"
	FieldTitle    = "title"
	FieldCompany  = "company"
	FieldEmails   = "emails"
	FieldPhones   = "phones"
	FieldWebsites = "websites"
	FieldPhotoURL = "photo_url"
	FieldAddress  = "address"
	FieldTwitter  = "twitter"
	FieldURL      = "url"
	FieldCountry  = "country"       // read, but not sent
	FieldCustom   = "custom_fields" // followed by a dot and the key
)

// Expressions are one or more expressions. Their values make a list; a single one may be written without brackets.
type Expressions []string

// CustomFields are the custom fields in the order in which they are written.
type CustomFields []CustomField

// A CustomField is a custom field's key and the expression of its value.
type CustomField struct {
	Key        string
	Expression string
}

// Mapped says where a contact's field comes from.
type Mapped struct {
	Field string `json:"field"` // as in the protocol: "name", "phones", "custom_fields.Plan"
	From  string `json:"from"`  // the expression or column
	Auto  bool   `json:"auto"`  // found by its usual name, not configured
}
