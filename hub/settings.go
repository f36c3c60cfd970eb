package hub

import (
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// settingsOf is a digest of what an integration's contacts depend on besides its external service (D8): its bridge, whose contacts
// it asks for, and where numbers are read. given are its auth values; no secret among them is part of it.
func settingsOf(i registry.Integration, given map[string]string, region string) string {
	identity := map[string]string{}
	for name, value := range given {
		if synchronizer.Identifies(name) {
			identity[name] = value
		}
	}
	for _, f := range i.Fields {
		value := given[f.Name]
		if value == "" {
			value = f.Default
		}
		// What is described as text or as a URI is no secret, unless its name says so.
		plain := (f.Type == "text" || f.Type == "uri") && !synchronizer.LooksSecret(f.Name)
		delete(identity, f.Name)
		if value != "" && f.Type != "password" && (plain || synchronizer.Identifies(f.Name)) {
			identity[f.Name] = formatted(f, value)
		}
	}
	if o := i.OAuth; o != nil {
		identity["oauth "+o.TokenURL] = o.ClientID
	}
	return synchronizer.Settings(i.Bridge, region, identity)
}
