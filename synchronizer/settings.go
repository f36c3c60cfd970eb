package synchronizer

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Settings returns a digest of what the contacts of a run depend on besides the external service (D8, D10), for
// [Options.Settings]: the bridge's URL, the country in which numbers are read, and the values that say whose contacts they are. No secret
// may be among the values: the digest is kept in the directory. A changed password is no changed setting.
func Settings(url, region string, identity map[string]string) string {
	hash := sha256.New()
	write := func(s string) {
		hash.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	write("1") // of this digest
	write(url)
	write(strings.ToUpper(region))
	for _, name := range slices.Sorted(maps.Keys(identity)) {
		write(name)
		write(identity[name])
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// identifying are the parts of an auth field's name by which it says whose contacts a bridge shows, and is no secret.
var identifying = []string{
	"account", "company", "customer", "database", "domain", "email", "env", "host", "instance", "login", "organisation", "organization", "port", "project",
	"region", "schema", "server", "site", "subdomain", "tenant", "url", "user", "workspace",
}

// secretive are the parts of an auth field's name that make it a secret whatever else it says.
var secretive = []string{"pass", "secret", "token", "key", "credential", "private", "pin", "code", "hash", "signature", "session", "cookie", "bearer", "jwt"}

// looksSecret reports whether an auth field's name says that its value is a secret.
func looksSecret(field string) bool {
	return slices.ContainsFunc(secretive, func(part string) bool { return strings.Contains(strings.ToLower(field), part) })
}

// Identifies reports whether an auth field says whose contacts a bridge shows, as far as its name tells, and is no secret.
func Identifies(field string) bool {
	return !looksSecret(field) && slices.ContainsFunc(identifying, func(part string) bool { return strings.Contains(strings.ToLower(field), part) })
}
