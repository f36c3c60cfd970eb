package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/internal/registration"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
)

// Registration is what the contact centre's platform is told of an endpoint besides its addresses.
type Registration struct {
	Name           string      `yaml:"name" jsonschema_description:"System name of the integration, unique on the platform. Default: the endpoint's name."`
	DisplayName    string      `yaml:"display_name" jsonschema_description:"Name for people. Default: the endpoint's name."`
	Description    string      `yaml:"description" jsonschema_description:"The external service in a sentence, for people."`
	LogoURL        string      `yaml:"logo_url" jsonschema_description:"URL of its logo, where the integration is set up."`
	IconURL        string      `yaml:"icon_url" jsonschema_description:"URL of its icon, where something of a contact is shown."`
	Authentication string      `yaml:"authentication_type" jsonschema:"enum=none,enum=custom,enum=oauth2,enum=oauth2_password,enum=oauth2_client_credentials" jsonschema_description:"How the platform gets what stands in auth: none, custom (a person fills fields in), or an access token by OAuth 2.0: oauth2 is the authorization code grant, the others are named after theirs. Default: none with auth: none, otherwise custom."`
	Fields         []AuthField `yaml:"fields" jsonschema_description:"The fields that a person fills in, described, in this order; for custom. Those that are not described follow by name."`
}

// AuthField describes one field of auth, as the platform's documents do.
type AuthField struct {
	Name      string `yaml:"name" jsonschema:"required" jsonschema_description:"Which key of auth it is." hint:"Name a key that callers must send in auth."`
	Display   string `yaml:"display" jsonschema_description:"Label. Default: the name, with a capital letter and without underscores."`
	Help      string `yaml:"help" jsonschema_description:"A hint beside the field, such as where the value is found."`
	Format    string `yaml:"format" jsonschema_description:"Template of the value, such as https://{{account}}.example.com: only the part between the braces is typed."`
	Source    string `yaml:"source" jsonschema:"default=input,enum=input,enum=default" jsonschema_description:"input: a person types it. default: it has the value of default for everybody."`
	Default   string `yaml:"default" jsonschema_description:"The value, with source: default. It stands in what describe writes, so it must not be a secret."`
	Mandatory bool   `yaml:"mandatory" jsonschema:"default=true" jsonschema_description:"Whether the integration can be set up without it."`
	Type      string `yaml:"type" jsonschema:"default=input,enum=input,enum=oauth" jsonschema_description:"oauth: the provider of OAuth 2.0 gives it."`
}

// registration checks what is said for the platform.
func (c *checker) registration(path string, e Endpoint) {
	r := e.Registration
	for key, address := range map[string]string{"logo_url": r.LogoURL, "icon_url": r.IconURL} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
			c.problem(path+"."+key, key+" is not an address that begins with https://", "Write the address of an image that the platform can fetch.")
		}
	}
	if c.failed(path+".fields") || c.failed(strings.TrimSuffix(path, ".registration")+".auth") {
		return
	}
	if len(r.Fields) > 0 && e.AuthenticationType() != registration.Custom {
		c.problem(path+".fields", "fields are for authentication_type custom: nothing is filled in otherwise", "Remove fields, or authentication_type.")
		return
	}
	if e.AuthenticationType() == registration.None && e.Auth.Mode != AuthNone {
		c.problem(path+".authentication_type", "authentication_type none sends no credentials, but auth demands some", "Leave authentication_type out, or write  auth: none.")
	}
	known, seen := e.AuthNames(), map[string]bool{}
	for n, f := range r.Fields {
		at := fmt.Sprintf("%s.fields.%d", path, n)
		hint := "Callers send: " + strings.Join(known, ", ") + "."
		if near := strictyaml.Nearest(f.Name, known); near != "" {
			hint = fmt.Sprintf("Did you mean %q? ", near) + hint
		}
		switch {
		case !slices.Contains(known, f.Name):
			c.problem(at+".name", fmt.Sprintf("%q is not a key of auth", f.Name), hint)
		case seen[f.Name]:
			c.problem(at+".name", fmt.Sprintf("%s is described twice", f.Name), "Remove one of the two.")
		case (f.Source == registration.Default) != (f.Default != ""):
			c.problem(at, "source: default and a value in default belong together", "Write both, or neither.")
		}
		seen[f.Name] = true
	}
}

// AuthNames are the fields of auth that callers must send, sorted.
func (e Endpoint) AuthNames() []string {
	names := append(slices.Collect(maps.Keys(e.Auth.Fields)), e.SourceAuth...)
	slices.Sort(names)
	return slices.Compact(names)
}

// AuthenticationType is how the platform gets what stands in auth.
func (e Endpoint) AuthenticationType() string {
	switch {
	case e.Registration.Authentication != "":
		return e.Registration.Authentication
	case e.Auth.Mode == AuthNone:
		return registration.None
	}
	return registration.Custom
}

// Registered returns what the platform asks for when the endpoint is registered as an integration. base is the address under which
// the platform reaches the bridge, such as https://bridge.example.com.
func (e Endpoint) Registered(base string) registration.Integration {
	r := e.Registration
	at := func(path string) string { return strings.TrimRight(base, "/") + "/" + e.Name + "/" + path }
	i := registration.Integration{
		Name: cmp.Or(r.Name, e.Name), DisplayName: cmp.Or(r.DisplayName, e.Name), Description: r.Description,
		LogoURL: r.LogoURL, IconURL: r.IconURL, AuthenticationType: e.AuthenticationType(), ContactSync: at("contact_sync"),
	}
	if i.AuthenticationType != registration.None {
		i.AuthValidation = at("auth_validation")
	}
	if e.NewAgents != nil {
		i.AgentSync = at("agent_sync")
	}
	if i.AuthenticationType == registration.Custom {
		i.Fields = e.described()
	}
	return i
}

// described are the fields of auth, those that the configuration describes first.
func (e Endpoint) described() []registration.Field {
	var fields []registration.Field
	rest := e.AuthNames()
	for _, f := range e.Registration.Fields {
		fields = append(fields, registration.Field{
			Name: f.Name, Source: f.Source, Display: cmp.Or(f.Display, labelOf(f.Name)), Mandatory: f.Mandatory, Type: f.Type, Store: true,
			Help: f.Help, Format: f.Format, Default: f.Default,
		})
		rest = slices.DeleteFunc(rest, func(name string) bool { return name == f.Name })
	}
	for _, name := range rest {
		fields = append(fields, registration.Field{Name: name, Source: registration.Input, Display: labelOf(name), Mandatory: true, Type: "input", Store: true})
	}
	return fields
}

// labelOf returns the name of a field as people write it: "user_name" is "User name".
func labelOf(name string) string {
	words := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' {
			return ' '
		}
		return r
	}, name)
	return strings.ToUpper(words[:1]) + words[1:]
}
