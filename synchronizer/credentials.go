package synchronizer

import (
	"regexp"
	"slices"
	"strings"
)

// Names of auth fields are all that tells a tenant from a credential, and they can only be guessed from. Each of the two questions
// is answered so that a wrong guess does no harm to the one who asks it: see [IsCredential] and [Identifies].

// credentialName matches the names of credentials, word by word. Words of one name are separated by signs: see [wordsMeet].
var credentialName = regexp.MustCompile(`(?i)(^|[_.-])(pass|passwd|password|passphrase|pwd|pin|secret|token|key|apikey|jwt|bearer|signature|credential|credentials|authorization|auth|session|cookie|csrf|nonce|otp|totp)([_.-]|$)`)

// wordsMeet matches where two words of a name meet without a sign between them, as in apiKey.
var wordsMeet = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// IsCredential reports whether one of the words of an auth field's name is a word for a credential: apiKey, api_key, API-KEY. It is
// for those who take every other field for a part of the settings, and says no where it is in doubt: a run too many reads everything,
// a run too few mixes two tenants.
func IsCredential(field string) bool {
	return credentialName.MatchString(wordsMeet.ReplaceAllString(field, "${1}_${2}"))
}

// identifying are the parts of an auth field's name that tell which tenant's contacts a bridge shows.
var identifying = []string{
	"account", "company", "customer", "database", "domain", "email", "env", "host", "instance", "login", "organisation", "organization", "port", "project",
	"region", "schema", "server", "site", "subdomain", "tenant", "url", "user", "workspace",
}

// secretive are the parts of an auth field's name that may make it a secret, whatever else the name says.
var secretive = []string{"pass", "secret", "token", "key", "credential", "private", "pin", "code", "hash", "signature", "session", "cookie", "bearer", "jwt"}

// Identifies reports whether an auth field tells which tenant's contacts a bridge shows, and is certainly no secret. It is for those who keep a
// digest of the value without a key ([SettingsDigest]), and says no where it is in doubt: a short secret can be found from its digest.
func Identifies(field string) bool {
	name := strings.ToLower(field)
	has := func(part string) bool { return strings.Contains(name, part) }
	return slices.ContainsFunc(identifying, has) && !slices.ContainsFunc(secretive, has) && !IsCredential(field)
}
