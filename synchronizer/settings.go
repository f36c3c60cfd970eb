package synchronizer

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// SettingsDigest returns a digest of what the contacts of a run depend on besides the external service (D8, D10), for
// [Options.Settings]: the bridge's URL, the country in which numbers are read, and the values that tell which tenant's contacts they are. No secret
// may be among the values: the digest is kept in the directory. A changed password does not count as a changed setting.
func SettingsDigest(url, region string, identity map[string]string) string {
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
