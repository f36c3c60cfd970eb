package bridgetest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A masker takes credentials out of everything that is shown or written, in each spelling in which a bridge may echo them.
type masker struct {
	replacer *strings.Replacer
	hidden   *strings.Replacer // nil: none
	words    [][2]string       // what is masked as a whole word only, and its mask
	secrets  []secret
}

// A secret is a credential that no answer may hold.
type secret struct {
	key       string
	spellings []string
	bounded   bool // too short to count inside a longer word
	word      bool // like a word of a language: it counts only as a value, not in a sentence
}

const (
	// maskable is the length from which a credential is masked wherever it stands; a shorter one only as a whole JSON string,
	// since it would tear other words apart.
	maskable = 4
	// unmistakable is the length from which a credential found inside a longer word is an echo and no coincidence.
	unmistakable = 12
)

// public matches the keys of credentials that say who someone is, not that he is who he says: they may stand in answers.
var public = regexp.MustCompile(`(?i)(user|login|e-?mail|account|domain|host|url|site|region|name|tenant|company|^(client_?)?id$)`)

// wordLike matches ordinary words: "the credentials are wrong" does not echo a password.
var wordLike = regexp.MustCompile(`^[A-Z]?[a-z]+$`)

func newMasker(auth map[string]string, rawURL string) *masker {
	m := &masker{}
	var pairs [][2]string
	add := func(key, value string) {
		if len(value) >= maskable && public.MatchString(key) && wordLike.MatchString(value) {
			m.words = append(m.words, [2]string{value, "[" + key + "]"}) // agent is no part of agents
			return
		}
		for _, s := range spellings(value) {
			mask := "[" + key + "]"
			if len(value) < maskable {
				s, mask = `"`+s+`"`, `"`+mask+`"`
			}
			pairs = append(pairs, [2]string{s, mask})
		}
	}
	for key, value := range auth {
		if value == "" || value == "["+key+"]" {
			continue
		}
		add(key, value)
		if !public.MatchString(key) && len(value) >= maskable {
			m.secrets = append(m.secrets, secret{
				key: key, spellings: spellings(value),
				bounded: len(value) < unmistakable, word: len(value) < unmistakable && wordLike.MatchString(value),
			})
		}
	}
	for key, value := range urlSecrets(rawURL) {
		add(key, value)
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { // longer ones first: one may be the beginning of another
		if d := len(b[0]) - len(a[0]); d != 0 {
			return d
		}
		return strings.Compare(a[0], b[0])
	})
	slices.SortFunc(m.words, func(a, b [2]string) int { return cmp.Or(len(b[0])-len(a[0]), strings.Compare(a[1], b[1])) })
	slices.SortFunc(m.secrets, func(a, b secret) int { return strings.Compare(a.key, b.key) })
	flat := make([]string, 0, 2*len(pairs))
	for _, p := range pairs {
		flat = append(flat, p[0], p[1])
	}
	m.replacer = strings.NewReplacer(flat...)
	return m
}

// urlSecrets returns the parts of a URL that may be credentials: its user information and its query's values.
func urlSecrets(rawURL string) map[string]string {
	secrets := map[string]string{}
	u, err := url.Parse(rawURL)
	if err != nil {
		return secrets
	}
	if password, ok := u.User.Password(); ok {
		secrets["URL password"] = password
	}
	for key, values := range u.Query() {
		for _, v := range values {
			if len(v) >= maskable {
				secrets[key] = v
			}
		}
	}
	return secrets
}

// spellings returns the ways in which a value may stand in a body, a header or a URL.
func spellings(value string) []string {
	escaped, _ := json.Marshal(value)
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	inside := func(quoted string) string { return quoted[1 : len(quoted)-1] }
	forHTML, forOthers := inside(string(escaped)), inside(strings.TrimSpace(plain.String()))
	all := []string{value, forHTML, forOthers, ascii(forHTML), ascii(forOthers), url.QueryEscape(value)}
	if len(value) >= 8 {
		all = append(all, base64.StdEncoding.EncodeToString([]byte(value)), base64.URLEncoding.EncodeToString([]byte(value)))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ascii spells the inside of a JSON string as encoders do that write nothing but ASCII.
func ascii(value string) string {
	var b strings.Builder
	for _, r := range value {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		unit := func(u rune) {
			const hex = "0123456789abcdef"
			b.WriteString(`\u`)
			for shift := 12; shift >= 0; shift -= 4 {
				b.WriteByte(hex[u>>shift&15])
			}
		}
		if r > 0xffff {
			r -= 0x10000
			unit(0xd800 + r>>10)
			unit(0xdc00 + r&0x3ff)
			continue
		}
		unit(r)
	}
	return b.String()
}

// hide masks more values, which answers may hold: those that the bridge itself gave. It is called while nothing else is asked.
func (m *masker) hide(values map[string]string) {
	var flat []string
	for key, value := range values {
		if len(value) < maskable {
			continue
		}
		for _, s := range spellings(value) {
			flat = append(flat, s, "["+key+"]")
		}
	}
	m.hidden = strings.NewReplacer(flat...)
}

func (m *masker) text(s string) string {
	s = m.replacer.Replace(s)
	for _, word := range m.words {
		s = replaceWord(s, word[0], word[1])
	}
	if m.hidden != nil {
		s = m.hidden.Replace(s)
	}
	return s
}

// replaceWord replaces a word where it stands alone.
func replaceWord(text, word, mask string) string {
	inWord := func(b byte) bool { return wordByte(b) || b == '_' || b == '-' }
	var out strings.Builder
	for rest := text; ; {
		i := strings.Index(rest, word)
		if i < 0 {
			out.WriteString(rest)
			return out.String()
		}
		end := i + len(word)
		at := len(text) - len(rest) + i
		out.WriteString(rest[:i])
		if at > 0 && inWord(text[at-1]) || end < len(rest) && inWord(rest[end]) {
			out.WriteString(word)
		} else {
			out.WriteString(mask)
		}
		rest = rest[end:]
	}
}

func (m *masker) bytes(b []byte) []byte { return []byte(m.text(string(b))) }

// echo returns the key of a secret that stands in an answer, or "".
func (m *masker) echo(answer []byte) string {
	for _, s := range m.secrets {
		for _, spelling := range s.spellings {
			if s.contained(answer, spelling) {
				return s.key
			}
		}
	}
	return ""
}

// contained finds a spelling of the secret in an answer.
func (s secret) contained(answer []byte, spelling string) bool {
	for from := 0; ; {
		i := bytes.Index(answer[from:], []byte(spelling))
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(spelling)
		free := (start == 0 || !wordByte(answer[start-1])) && (end == len(answer) || !wordByte(answer[end]))
		if (!s.bounded || free) && (!s.word || isValue(answer, start, end)) {
			return true
		}
		from = start + 1
	}
}

// isValue reports whether what stands between two places is a value, as in password=secret or "password": "secret", and no
// word of a sentence.
func isValue(text []byte, start, end int) bool {
	label := bytes.TrimRight(text[:start], " ")
	switch {
	case len(label) == 0:
		return false
	case len(label) == start && bytes.IndexByte([]byte("\"'`"), label[start-1]) >= 0:
		rest := bytes.TrimLeft(text[end:], `\`) // a quote inside of a JSON string
		return len(rest) > 0 && rest[0] == label[start-1]
	}
	return bytes.IndexByte([]byte("=:([{<"), label[len(label)-1]) >= 0
}

func wordByte(b byte) bool {
	return b >= utf8.RuneSelf || b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
}
