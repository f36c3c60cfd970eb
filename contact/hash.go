package contact

import (
	"crypto/sha256"
	"encoding/binary"
)

// Hash returns a digest of everything the contact says, in order; equal contents have equal hashes, and it is not feasible to make two
// different contents with one. It is stable between processes and releases: directories keep it to leave unchanged
// contacts alone. Nil and empty lists are the same.
func (c *Contact) Hash() [16]byte {
	var space [1024]byte // on the stack; larger contacts grow out of it
	b := append(space[:0], hashVersion)
	for _, s := range [...]string{c.ID, c.Name, c.Title, c.Company, c.PhotoURL, c.Address, c.Twitter, c.URL} {
		b = appendSized(b, s)
	}
	for _, list := range [...][]string{c.Emails, c.Phones, c.Websites} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			b = appendSized(b, s)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(c.CustomFields)))
	for i := range c.CustomFields {
		b = appendSized(appendSized(b, c.CustomFields[i].Key), c.CustomFields[i].Value)
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// hashVersion changes with the layout of what is hashed.
const hashVersion = 1

// appendSized appends a length and the text, so that no two contacts run together into the same bytes.
func appendSized(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
