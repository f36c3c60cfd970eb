// Package support collects what a report of a fault needs: versions, the configuration without secrets, recent runs and errors,
// metrics.
package support

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// What is shown of a configuration is listed here, and nothing else: a key that is new is left out until somebody has thought
// about it.
var (
	shown = set(`listen cert key_file http domains email directory roots level format proxies per_address access
		data role workers per_account per_host answers pages page_bytes bytes time timeout run runs audit limits region time_zone every cron off paused
		full share min account scopes events agents allow_private allow metrics kind table sheet id updated updated_as deleted on_delete unknown_checkpoint overlap
		clock_skew header delimiter encoding poll path contacts grant issuer key_env mandatory type bridge validation url token_url authorize_url
		public_url database dsn storage auth phones keep stale repeat server tls`)
	addresses = set(`bridge validation agents url token_url authorize_url public_url issuer directory database dsn storage`)
	mappings  = set(`fields`)                                     // expressions over columns: shown whole
	hidden    = set(`auth params headers contacts query secrets`) // mappings and lists in which nothing is shown but keys
	reference = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*\}$|^\$\{file:[^}]*\}$`)
)

func set(words string) map[string]bool {
	s := map[string]bool{}
	for _, word := range strings.Fields(words) {
		s[word] = true
	}
	return s
}

// Redact returns a configuration's text without its comments, and with only those values that can hold no secret. It is
// not [strictyaml]: a file that is broken must be shown as well, as far as it is YAML.
func Redact(text []byte) ([]byte, error) {
	var top yaml.Node
	if err := yaml.Load(text, &top); err != nil {
		return nil, fmt.Errorf("the file is not YAML, and its errors may show a secret")
	}
	redact(&top, "", showKnown)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&top); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return out.Bytes(), encoder.Close()
}

// How much of a part is shown.
type measure int

const (
	showKnown measure = iota
	showAll
	showNothing
)

// redact changes a node in place. Anchors are kept: what they stand for is redacted where it is written.
func redact(n *yaml.Node, key string, m measure) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", "" // people comment passwords out
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name, value := n.Content[i], n.Content[i+1]
			redact(name, "", showAll)
			redact(value, name.Value, below(name.Value, value, m))
		}
	case yaml.ScalarNode:
		n.Value = scalar(n.Value, key, m)
		if n.Value != "" {
			n.Tag, n.Style = "", 0
		}
	case yaml.AliasNode:
	default:
		for _, item := range n.Content {
			redact(item, key, m)
		}
	}
}

// below is how much is shown below a key.
func below(key string, value *yaml.Node, m measure) measure {
	switch {
	case m == showNothing || hidden[key] && value.Kind != yaml.ScalarNode:
		return showNothing
	case m == showAll || mappings[key] && value.Kind == yaml.MappingNode:
		return showAll
	}
	return showKnown
}

// scalar is what is shown of a value.
func scalar(text, key string, m measure) string {
	switch {
	case text == "" || reference.MatchString(text):
		return text
	case m == showAll:
		return text
	case m == showNothing || !shown[key]:
		return leftOut
	case addresses[key]:
		return address(text)
	}
	return text
}

const leftOut = "(left out)"

// address is a URL's scheme, host and port: user, password, path and query may hold secrets.
func address(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return leftOut
	}
	return u.Scheme + "://" + u.Host + "/" + leftOut
}
