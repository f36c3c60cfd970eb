package carddav

import (
	"strings"
	"unicode/utf8"
)

// canonical returns the path of an address in one form, however a server writes it: without host, and with its percent-encoding
// removed from everything but what would mean something else then. base is the path of the collection that a relative address is
// relative to. It is empty where there is no path.
func canonical(base, href string) string {
	path := rawPath(href)
	if path == "" {
		return ""
	}
	if path[0] != '/' {
		path = strings.TrimSuffix(base, "/") + "/" + path
	}
	var b strings.Builder
	b.Grow(len(path))
	for i, segment := range strings.Split(path, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(canonicalSegment(segment))
	}
	return b.String()
}

// rawPath returns an address without its host: "https://dav.example.com:443/a%20b" is "/a%20b".
func rawPath(href string) string {
	href = strings.TrimSpace(href)
	if at := strings.Index(href, "://"); at > 0 && !strings.Contains(href[:at], "/") {
		href = href[at+3:]
		slash := strings.IndexByte(href, '/')
		if slash < 0 {
			return "/"
		}
		return href[slash:]
	}
	return href
}

const upperHex = "0123456789ABCDEF"

// canonicalSegment decodes a part of a path. What would be read otherwise without its encoding keeps it.
func canonicalSegment(segment string) string {
	if !strings.Contains(segment, "%") && isPlain(segment) {
		return segment
	}
	raw := make([]byte, 0, len(segment))
	kept := make([]bool, 0, len(segment)) // bytes that stay encoded
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		encoded := false
		if c == '%' && i+2 < len(segment) && unhex(segment[i+1]) >= 0 && unhex(segment[i+2]) >= 0 {
			c = byte(unhex(segment[i+1])<<4 | unhex(segment[i+2]))
			encoded = true
			i += 2
		}
		raw = append(raw, c)
		kept = append(kept, c < ' ' || c == 0x7f || c == '%' || c == '?' || c == '#' || encoded && c == '/') // as requestPath asks for it
	}
	valid := utf8.Valid(raw)
	var b strings.Builder
	for i, c := range raw {
		if kept[i] || c >= utf8.RuneSelf && !valid {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// isPlain reports whether a text without percent signs is its own canonical form.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f || text[i] == '?' || text[i] == '#' {
			return false
		}
	}
	return utf8.ValidString(text)
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// requestPath returns a path that a server or a configuration wrote, with everything encoded that no request line may hold.
func requestPath(raw string) string {
	var b strings.Builder
	for i := range len(raw) {
		c := raw[i]
		if c == '%' && (i+2 >= len(raw) || unhex(raw[i+1]) < 0 || unhex(raw[i+2]) < 0) {
			b.WriteString("%25")
			continue
		}
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}#?", c) >= 0 {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// withSlash returns a collection's path with the slash at its end.
func withSlash(path string) string {
	if strings.HasSuffix(path, "/") {
		return path
	}
	return path + "/"
}

// lastPart returns the last part of a collection's path: "/alice/book/" gives "book".
func lastPart(path string) string {
	path = strings.TrimSuffix(path, "/")
	return path[strings.LastIndexByte(path, '/')+1:]
}

// hostOf returns the host of an address, with its port.
func hostOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host[strings.LastIndexByte(host, '@')+1:]
}
