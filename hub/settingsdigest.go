package hub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// settings returns the settingsDigest of an integration with these auth values.
func (h *Hub) settings(ctx context.Context, i registry.Integration, given map[string]string, region string) (string, error) {
	key, err := h.Registry.SettingsKey(ctx)
	if err != nil {
		return "", err
	}
	return settingsDigest(key, i, given, region)
}

// settingsDigest returns a fingerprint of what decides which contacts an integration's bridge shows, and how they are kept: two runs
// with the same one may share a checkpoint, and the pages of one half-done run (D8, D10). It changes with
//
//   - the bridge's address as it is asked, its placeholders filled in,
//   - the auth values that may name a tenant: all that are sent, but for credentials (see [isCredential]) and the access token,
//   - where the access token comes from: grant, token endpoint, client, scopes and parameters,
//   - the country that numbers without a country code are read in.
//
// It does not change with a password, a key or a token: a rotation of credentials must not read a million contacts again. Nor does
// it change with schedule, limits and guard. A value that is a credential by its name but chooses the tenant as well, such as an
// API key of another tenant's, is not noticed here; the bridge's own checkpoints notice it (D10), and a full run reads everything.
//
// The key is [registry.DB.SettingsKey]: without it, values cannot be guessed from a kept fingerprint.
func settingsDigest(key []byte, i registry.Integration, given map[string]string, region string) (string, error) {
	sent, err := authValues(i, given)
	if err != nil {
		return "", err
	}
	if i.OAuth != nil {
		delete(sent, clientSecret)
		delete(sent, tokenField(i.OAuth))
	}
	address, err := fill(i.Bridge, sent)
	if err != nil {
		return "", err
	}
	identity := map[string]string{}
	for name, value := range sent {
		if !isCredential(i, name) {
			identity[name] = value
		}
	}
	settings := struct {
		Bridge string
		Auth   [][2]string
		OAuth  *registry.OAuth `json:",omitempty"`
		Region string
	}{Bridge: withoutCredentials(i, address, sent), Region: strings.ToUpper(region), OAuth: tokenSource(i.OAuth)}
	for _, name := range slices.Sorted(maps.Keys(identity)) {
		settings.Auth = append(settings.Auth, [2]string{name, identity[name]})
	}
	text, err := json.Marshal(settings) // keys of maps are sorted
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil)[:16]), nil
}

// tokenSource returns the OAuth settings that decide which tenant's contacts an access token shows. The order of scopes does not matter.
func tokenSource(o *registry.OAuth) *registry.OAuth {
	if o == nil {
		return nil
	}
	scopes := slices.Clone(o.Scopes)
	slices.Sort(scopes)
	return &registry.OAuth{Grant: o.Grant, Client: o.Client, TokenURL: o.TokenURL, ClientID: o.ClientID, Scopes: slices.Compact(scopes), Params: o.Params}
}

// otherTokens reports whether the tokens that a provider gave are of no use after a change: they were given to another client, or
// for what may be another tenant. The person who connects the integration decides about scopes and parameters, the next time.
func otherTokens(was, is *registry.OAuth) bool {
	if was == nil {
		return false
	}
	a, b := tokenSource(was), tokenSource(is)
	if b != nil && b.Grant == AuthorizationCode {
		a.Scopes, a.Params, b.Scopes, b.Params = nil, nil, nil, nil
	}
	return !reflect.DeepEqual(a, b)
}

// isCredential reports whether an auth value is a secret, which may be changed without another tenant being meant: it is described
// as a password, or its name is that of a credential ([synchronizer.IsCredential]). Anything else may name a tenant.
func isCredential(i registry.Integration, name string) bool {
	for _, f := range i.Fields {
		if f.Name == name && f.Type != "" {
			return f.Type == "password"
		}
	}
	return synchronizer.IsCredential(name)
}

// withoutCredentials returns an address with the credentials that stand in it replaced by their names.
func withoutCredentials(i registry.Integration, address string, sent map[string]string) string {
	plain := maps.Clone(sent)
	for name := range plain {
		if isCredential(i, name) {
			plain[name] = "{{" + name + "}}"
		}
	}
	if filled, err := fill(i.Bridge, plain); err == nil {
		return filled
	}
	return address
}
