package ldap

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// text returns a value of an attribute as people read it; false where it is data, such as a photo.
func text(attribute string, value []byte, isBinary bool) ([]byte, bool) {
	switch {
	case len(value) == 16 && strings.HasSuffix(attribute, "guid"):
		return []byte(guidText(value)), true
	case attribute == "objectsid":
		sid, ok := sidText(value)
		return []byte(sid), ok
	case isData(attribute), !utf8.Valid(value), isBinary && bytes.IndexByte(value, 0) >= 0:
		return nil, false
	}
	return value, true
}

// isData reports whether an attribute holds pictures, sounds or certificates, whatever its bytes are. The name is in lower case.
func isData(attribute string) bool {
	switch attribute {
	case "jpegphoto", "thumbnailphoto", "thumbnaillogo", "photo", "audio", "usercertificate", "usersmimecertificate", "userpkcs12", "userpassword", "unicodepwd":
		return true
	}
	return false
}

// guidText writes a GUID of Active Directory: its first three groups have their bytes in reverse order.
func guidText(b []byte) string {
	if len(b) != 16 {
		return hex.EncodeToString(b)
	}
	var ordered [16]byte
	binary.BigEndian.PutUint32(ordered[0:], binary.LittleEndian.Uint32(b[0:]))
	binary.BigEndian.PutUint16(ordered[4:], binary.LittleEndian.Uint16(b[4:]))
	binary.BigEndian.PutUint16(ordered[6:], binary.LittleEndian.Uint16(b[6:]))
	copy(ordered[8:], b[8:])
	return uuidText(ordered[:])
}

// uuidText writes 16 bytes in the form of RFC 4122.
func uuidText(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// uniqueIDText writes 16 bytes as 389 Directory Server writes nsUniqueId.
func uniqueIDText(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:16] + "-" + h[16:24] + "-" + h[24:]
}

// sidText writes a security identifier: S-1-5-21-….
func sidText(b []byte) (string, bool) {
	if len(b) < 8 || len(b) != 8+4*int(b[1]) {
		return "", false
	}
	authority := uint64(0)
	for _, c := range b[2:8] {
		authority = authority<<8 | uint64(c)
	}
	sid := "S-" + strconv.Itoa(int(b[0])) + "-" + strconv.FormatUint(authority, 10)
	for at := 8; at < len(b); at += 4 {
		sid += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b[at:])), 10)
	}
	return sid, true
}

// parseTime reads a Generalized Time: 20261130023615Z, 20261130023615.0Z, 202611300236+0100.
func parseTime(value string) (time.Time, bool) {
	value = strings.Replace(value, ",", ".", 1)
	for _, layout := range []string{"20060102150405Z0700", "200601021504Z0700", "2006010215Z0700", "20060102150405Z07", "200601021504Z07"} {
		if t, err := time.Parse(layout, value); err == nil && t.Year() > 0 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// formatTime writes a time for a filter, cut to the second.
func formatTime(t time.Time) string { return t.UTC().Format("20060102150405") + "Z" }

// column puts the values of an attribute into one: several are a list in JSON. A text that could be taken for a list is put into one.
func column(values [][]byte) []byte {
	switch {
	case len(values) == 0:
		return nil
	case len(values) == 1 && (len(values[0]) == 0 || values[0][0] != '[' && values[0][0] != '{'):
		return values[0]
	}
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	list, err := json.Marshal(texts)
	if err != nil { // never: texts can be written
		return values[0]
	}
	return list
}

// filterBytes writes bytes for a filter.
func filterBytes(b []byte) string {
	var out strings.Builder
	for _, c := range b {
		out.WriteByte('\\')
		out.WriteString(hex.EncodeToString([]byte{c}))
	}
	return out.String()
}

// parseID returns the bytes of an id in one of the forms that the servers' own ids have.
func parseID(id string) ([]byte, bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	return b, err == nil && len(b) == 16
}
