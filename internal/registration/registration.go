// Package registration holds what a contact centre's platform asks for when an integration is registered there: names, who signs in
// and how, and endpoints, in the JSON form that its documents have, and as tables for a request that people read.
package registration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/failure"
)

// An Integration is one integration as it is registered. Empty texts are left out; the feature of a missing endpoint does not exist.
type Integration struct {
	Name               string // system name, unique on the platform
	DisplayName        string
	Description        string
	LogoURL            string
	IconURL            string
	AuthenticationType string  // one of the types below
	Fields             []Field // in the order in which they are asked for; only for Custom

	AuthValidation   string // URLs
	ContactSync      string
	Interactions     string
	AgentSync        string
	InteractionTypes []string
}

// The types of authentication.
const (
	None              = "none"
	Custom            = "custom"
	OAuth2            = "oauth2" // authorization code
	OAuth2Password    = "oauth2_password"
	OAuth2Credentials = "oauth2_client_credentials"
)

// Types are all types of authentication.
var Types = []string{None, Custom, OAuth2, OAuth2Password, OAuth2Credentials}

// A Field is one key of the auth object that requests hold.
type Field struct {
	Name      string
	Source    string // one of the sources below
	Display   string
	Mandatory bool
	Type      string // input, or oauth
	Store     bool
	Help      string
	Format    string // template of the value: https://{{account}}.example.com
	Default   string // value where the source is the configuration
}

// The sources of a field's value.
const (
	Input      = "input"           // a person types it
	Default    = "default"         // it is part of the registration
	Validation = "auth_validation" // the authorization validation answers it
)

// Sources are all sources of a field's value.
var Sources = []string{Input, Default, Validation}

// wire is the documented form.
type wire struct {
	Name               string                 `json:"name"`
	DisplayName        string                 `json:"display_name,omitempty"`
	Description        string                 `json:"description,omitempty"`
	LogoURL            string                 `json:"logo_url,omitempty"`
	IconURL            string                 `json:"icon_url,omitempty"`
	AuthenticationType string                 `json:"authentication_type"`
	Fields             []map[string]wireField `json:"authentication_configuration,omitempty"`
	AuthValidation     string                 `json:"auth_validation_endpoint,omitempty"`
	ContactSync        string                 `json:"contact_synchronization_endpoint,omitempty"`
	Interactions       string                 `json:"interaction_retrieval_endpoint,omitempty"`
	AgentSync          string                 `json:"agent_synchronization_endpoint,omitempty"`
	InteractionTypes   []string               `json:"interaction_types,omitempty"`
}

type wireField struct {
	Source    string `json:"source"`
	Display   string `json:"display"`
	Mandatory bool   `json:"mandatory"`
	Type      string `json:"type"`
	Store     bool   `json:"store"`
	Help      string `json:"help,omitempty"`
	Format    string `json:"format,omitempty"`
	Default   string `json:"default,omitempty"`
}

// JSON returns the integration in the documented form, indented, with a line end.
func (i Integration) JSON() []byte {
	w := wire{
		Name: i.Name, DisplayName: i.DisplayName, Description: i.Description, LogoURL: i.LogoURL, IconURL: i.IconURL,
		AuthenticationType: i.AuthenticationType, AuthValidation: i.AuthValidation, ContactSync: i.ContactSync,
		Interactions: i.Interactions, AgentSync: i.AgentSync, InteractionTypes: i.InteractionTypes,
	}
	for _, f := range i.Fields {
		w.Fields = append(w.Fields, map[string]wireField{f.Name: {
			Source: f.Source, Display: f.Display, Mandatory: f.Mandatory, Type: f.Type, Store: f.Store, Help: f.Help, Format: f.Format, Default: f.Default,
		}})
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(w) // texts, booleans and lists of them cannot fail
	return out.Bytes()
}

// Parse reads the documented form leniently: unknown keys are ignored, the fields may be a list of objects with one key each, a list
// of objects with a name, or one object, and the spellings of older documents are known as well.
func Parse(text []byte) (Integration, error) {
	var r struct {
		wire

		Fields   json.RawMessage `json:"authentication_configuration"`
		Older    json.RawMessage `json:"authentication_fields"`
		Contacts string          `json:"contact_synchronization_url"`
		Asked    string          `json:"interaction_retrieval_url"`
	}
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), &r); err != nil {
		return Integration{}, invalid("", "the registration is not the JSON of one integration: "+err.Error())
	}
	i := Integration{
		Name: r.Name, DisplayName: r.DisplayName, Description: r.Description, LogoURL: r.LogoURL, IconURL: r.IconURL,
		AuthenticationType: r.AuthenticationType, AuthValidation: r.AuthValidation, ContactSync: first(r.ContactSync, r.Contacts),
		Interactions: first(r.Interactions, r.Asked), AgentSync: r.AgentSync, InteractionTypes: r.InteractionTypes,
	}
	fields := r.Fields
	if isEmpty(fields) {
		fields = r.Older
	}
	if i.AuthenticationType == "" {
		i.AuthenticationType = None
		if !isEmpty(fields) {
			i.AuthenticationType = Custom
		}
	}
	if !slices.Contains(Types, i.AuthenticationType) {
		return i, invalid("authentication_type", fmt.Sprintf("unknown authentication_type %q", i.AuthenticationType))
	}
	var err error
	i.Fields, err = parseFields(fields)
	return i, err
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func isEmpty(value json.RawMessage) bool { return len(value) == 0 || string(value) == "null" }

func invalid(field, message string) error {
	return &failure.Error{
		Code: failure.Invalid, Field: field, Message: message,
		Hint: "contactbridge describe writes the form; docs/talkdesk.md shows it.",
	}
}

// parseFields reads the fields in any of their forms.
func parseFields(text json.RawMessage) (fields []Field, err error) {
	if isEmpty(text) {
		return nil, nil
	}
	var list []map[string]json.RawMessage
	if text[0] == '{' {
		one := map[string]json.RawMessage{}
		err = json.Unmarshal(text, &one)
		for _, name := range slices.Sorted(maps.Keys(one)) { // an object has no order
			list = append(list, map[string]json.RawMessage{name: one[name]})
		}
	} else {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		return nil, invalid("authentication_configuration", "authentication_configuration is not a list of objects, one for each field")
	}
	seen := map[string]bool{}
	for n, object := range list {
		f, err := parseField(object)
		if err == nil && seen[f.Name] {
			err = invalid("", fmt.Sprintf("there are two fields %q", f.Name))
		}
		if err != nil {
			e := failure.Of(err)
			e.Field = fmt.Sprintf("authentication_configuration[%d]", n)
			return nil, &e
		}
		seen[f.Name] = true
		fields = append(fields, f)
	}
	return fields, nil
}

// parseField reads {"NAME": {…}}, or {"name": "NAME", …}.
func parseField(object map[string]json.RawMessage) (Field, error) {
	name, body := "", json.RawMessage(nil)
	var err error
	if inner, flat := object["name"]; flat && inner[0] == '"' {
		err = json.Unmarshal(inner, &name)
		body, _ = json.Marshal(object) // it was JSON
	} else if len(object) == 1 {
		for name, body = range object { // the only one
		}
	}
	w := struct {
		wireField

		Store     *bool `json:"store"`
		Mandatory *bool `json:"mandatory"`
	}{}
	if err == nil && body != nil {
		err = json.Unmarshal(body, &w)
	}
	if err != nil || name == "" || body == nil {
		return Field{}, invalid("", `a field is not an object as in {"username": {"source": "input", …}}`)
	}
	f := Field{
		Name: name, Source: first(w.Source, Input), Display: first(w.Display, name), Type: first(w.Type, "input"),
		Store: w.Store == nil || *w.Store, Mandatory: w.Mandatory != nil && *w.Mandatory, Help: w.Help, Format: w.Format, Default: w.Default,
	}
	switch {
	case !slices.Contains(Sources, f.Source):
		return f, invalid("", fmt.Sprintf("the field %s has the unknown source %q", name, f.Source))
	case f.Type != "input" && f.Type != "oauth":
		return f, invalid("", fmt.Sprintf("the field %s has the unknown type %q", name, f.Type))
	}
	return f, nil
}

// Missing names the keys that the platform's documents call mandatory and that are empty.
func (i Integration) Missing() []string {
	var missing []string
	for _, key := range []struct{ name, value string }{
		{"name", i.Name}, {"display_name", i.DisplayName}, {"description", i.Description}, {"logo_url", i.LogoURL}, {"icon_url", i.IconURL},
	} {
		if strings.TrimSpace(key.value) == "" {
			missing = append(missing, key.name)
		}
	}
	return missing
}

// Markdown returns the tables of a request.
func (i Integration) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Registration of the integration %s\n\n## The integration\n\n| | |\n|---|---|\n", cell(first(i.DisplayName, i.Name)))
	row := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	for _, key := range []struct{ name, value string }{
		{"name", i.Name}, {"display_name", i.DisplayName}, {"description", i.Description}, {"logo_url", i.LogoURL}, {"icon_url", i.IconURL},
		{"authentication_type", i.AuthenticationType},
	} {
		row("`"+key.name+"`", orMissing(key.value))
	}
	if len(i.Fields) > 0 {
		b.WriteString("\n## Authentication fields\n\n| name | source | display | mandatory | type | store | help | format | value |\n|---|---|---|---|---|---|---|---|---|\n")
		for _, f := range i.Fields {
			row("`"+cell(f.Name)+"`", f.Source, cell(f.Display), yes(f.Mandatory), f.Type, yes(f.Store), cell(f.Help), cell(f.Format), cell(f.Default))
		}
	}
	b.WriteString("\n## Endpoints\n\nEach is asked by POST, with JSON, over HTTPS.\n\n| | |\n|---|---|\n")
	for _, e := range []struct{ name, url string }{
		{"auth_validation_endpoint", i.AuthValidation}, {"contact_synchronization_endpoint", i.ContactSync},
		{"agent_synchronization_endpoint", i.AgentSync}, {"interaction_retrieval_endpoint", i.Interactions},
	} {
		url := cell(e.url)
		if url == "" {
			url = "none"
		}
		row("`"+e.name+"`", url)
	}
	types := "none"
	if len(i.InteractionTypes) > 0 {
		types = cell(strings.Join(i.InteractionTypes, ", "))
	}
	row("`interaction_types`", types)
	return b.Bytes()
}

// cell keeps a text inside one cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

func orMissing(text string) string {
	if text = cell(text); text != "" {
		return text
	}
	return "**to be filled in**"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
