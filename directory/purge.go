package directory

import (
	"crypto/hmac"
	"crypto/sha256"
)

// SuppressedDigest returns the stored form of the id of a contact that must not come back: its HMAC-SHA-256.
func SuppressedDigest(salt []byte, id string) []byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(id))
	return mac.Sum(nil)
}
