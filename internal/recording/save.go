package recording

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/source"
)

// The files of a recording.
const (
	trafficFile = "recording.json"
	// ConfigurationFile is the configuration with which a recording is replayed.
	ConfigurationFile = "bridge.yaml"
	version           = 1
)

// About is what is recorded besides requests and answers.
type About struct {
	Endpoint string
	Known    source.Recorded
	Source   *yaml.Node // the endpoint's source, as it is written
	Phones   *yaml.Node // and its phones; nil without
	Region   string     // where phone numbers without a country code are read
}

// traffic is the file of requests and answers.
type traffic struct {
	Version   int        `json:"version"`
	Began     time.Time  `json:"began"`
	Exchanges []exchange `json:"exchanges"`
}

// An exchange is a request and its answer, with what is somebody's replaced.
type exchange struct {
	Request request `json:"request"`
	Answer  reply   `json:"answer"`
}

type request struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// A reply is an answer; status 0 means that none came.
type reply struct {
	Status  int                 `json:"status"`
	Headers map[string][]string `json:"headers,omitempty"`
	Body    json.RawMessage     `json:"body,omitempty"`
	Text    string              `json:"text,omitempty"` // of an answer that is not JSON
}

// Save replaces what is somebody's and writes the recording to a folder, which is made. A folder that has a recording is refused.
func (r *Recorder) Save(folder string, about About) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if err := r.errLeft(); err != nil {
		return err
	}
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // it never fails
	s := newScrubber(about.Known, about.Region, seed)
	s.ownWords(about.Source)
	slices.SortStableFunc(s.values, func(a, b replacement) int { return len(b.from) - len(a.from) })
	exchanges := slices.DeleteFunc(slices.Clone(r.exchanges), func(one heard) bool { return isToken(about.Known, one.url) })
	for _, learning := range []bool{true, false} {
		if s.learning = learning; !learning {
			s.nameIDs()
		}
		for _, one := range exchanges {
			s.answer(one.answer)
		}
	}
	written := traffic{Version: version, Began: r.began.UTC(), Exchanges: make([]exchange, 0, len(exchanges))}
	for _, one := range exchanges {
		written.Exchanges = append(written.Exchanges, s.exchange(one))
	}
	text, err := json.MarshalIndent(written, "", "\t")
	if err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	configuration, err := s.configuration(about)
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	if what := s.leak(text, configuration); what != "" {
		return &failure.Error{
			Code: failure.Invalid, Message: "the recording was not written: " + what + " could not be replaced everywhere",
			Hint: "This is a defect of contactbridge. Report it without the recording: say which kind of source it is.",
		}
	}
	return write(folder, map[string][]byte{trafficFile: append(text, '\n'), ConfigurationFile: configuration})
}

// write writes files to a folder that has none of them.
func write(folder string, files map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the folder of the recording: %w", err)
	}
	for name := range files {
		if _, err := os.Lstat(filepath.Join(folder, name)); err == nil {
			return &failure.Error{Code: failure.Invalid, Message: folder + " has a recording already", Hint: "Name another folder, or remove that one."}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			return fmt.Errorf("write the recording: %w", err)
		}
	}
	return nil
}

// leak looks for a credential in what is to be written: it is the last of the defences.
func (s *scrubber) leak(texts ...[]byte) string {
	for name, secret := range s.known.Secrets {
		if len(secret) < 6 {
			continue
		}
		for _, text := range texts {
			if bytes.Contains(text, []byte(secret)) {
				return name
			}
		}
	}
	return ""
}

// transport are headers that say nothing of a request.
var transport = set([]string{"Accept", "User-Agent", "Content-Type", "Content-Length", "Accept-Encoding", "Cookie", "Traceparent", "Tracestate", "Baggage"})

// exchange replaces what is somebody's in a request and its answer.
func (s *scrubber) exchange(one heard) exchange {
	asked := request{Method: one.method, URL: s.address(one), Headers: map[string]string{}}
	credentials := set(nil)
	for _, name := range s.known.CredentialHeaders {
		credentials[http.CanonicalHeaderKey(name)] = true
	}
	for name, values := range one.header {
		if !transport[name] && !credentials[name] {
			asked.Headers[name] = s.asked(strings.Join(values, ", "), one.data)
		}
	}
	if len(one.body) > 0 {
		asked.Body = s.requestBody(one)
	}
	got := reply{Status: one.status, Headers: map[string][]string{}}
	for _, name := range s.known.Headers {
		for _, value := range one.got.Values(name) {
			got.Headers[http.CanonicalHeaderKey(name)] = append(got.Headers[http.CanonicalHeaderKey(name)], s.answerHeader(name, value))
		}
	}
	if len(one.answer) > 0 {
		if body := s.answer(one.answer); json.Valid(body) {
			got.Body = body
		} else {
			got.Text = string(body)
		}
	}
	return exchange{Request: asked, Answer: got}
}

// inBrackets fits the addresses of the header Link.
var inBrackets = regexp.MustCompile(`<[^>]*>`)

// answerHeader replaces what is somebody's in a header of an answer.
func (s *scrubber) answerHeader(name, value string) string {
	switch http.CanonicalHeaderKey(name) {
	case "Date", "Content-Type", "Retry-After":
		return value
	case "Link":
		return inBrackets.ReplaceAllStringFunc(value, func(link string) string { return "<" + s.url(link[1:len(link)-1]) + ">" })
	}
	if isNumber(value) || isTime(value) {
		return value // of limits
	}
	text, _ := s.leaf("", "", value).(string)
	return text
}

// address returns the address of a request. One that an answer brought is replaced as it was in that answer.
func (s *scrubber) address(one heard) string {
	address, err := url.Parse(one.url)
	if err != nil {
		return ""
	}
	query := address.Query()
	for _, name := range s.known.CredentialQuery {
		query.Del(name)
	}
	address.RawQuery = query.Encode()
	if one.data.Link {
		return s.url(address.String())
	}
	address.Host = s.connected(address.Host)
	segments := strings.Split(address.Path, "/")
	path := s.connected(address.Path) // a value may have slashes in it
	if path == address.Path {
		for i, segment := range segments {
			segments[i] = s.asked(segment, one.data)
		}
		path = strings.Join(segments, "/")
	}
	address.Path, address.RawPath = path, ""
	for name, values := range query {
		for i, value := range values {
			values[i] = s.asked(value, one.data)
		}
		query[name] = values
	}
	address.RawQuery = query.Encode()
	return address.String()
}

// asked replaces what of a request is not the configuration's own: what answers brought, and the connection's values.
func (s *scrubber) asked(text string, data source.Substituted) string {
	values := slices.Clone(data.Values)
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	for _, value := range values {
		if value == text {
			return s.given(value)
		}
		if len(value) >= 3 {
			text = replaceWhole(text, value, s.given(value))
		}
	}
	return s.connected(text)
}

// given replaces a value that an answer brought.
func (s *scrubber) given(value string) string {
	if s.literals[value] {
		return value
	}
	return s.cursor(value)
}

// requestBody replaces what is somebody's in a request's body. A form is replaced as a whole.
func (s *scrubber) requestBody(one heard) json.RawMessage {
	value, err := parse(one.body)
	if err != nil {
		return json.RawMessage(`"(replaced)"`)
	}
	text, err := json.Marshal(s.askedValue(value, one.data))
	if err != nil {
		return nil
	}
	return text
}

func (s *scrubber) askedValue(value any, data source.Substituted) any {
	switch value := value.(type) {
	case object:
		made := make(object, len(value))
		for i, m := range value {
			made[i] = member{m.key, s.askedValue(m.value, data)}
		}
		return made
	case []any:
		made := make([]any, len(value))
		for i, element := range value {
			made[i] = s.askedValue(element, data)
		}
		return made
	case string:
		return s.asked(value, data)
	case json.Number:
		if slices.Contains(data.Values, value.String()) {
			return json.Number(s.given(value.String()))
		}
	}
	return value
}

// secretLike fits what a user may have written into a configuration as it is, and nobody else should see.
var secretLike = regexp.MustCompile(`[\p{L}\p{N}._%+'-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+|[A-Za-z0-9+/=_-]{20,}|\+?\d[\d ().-]{7,}\d`)

// ownWords finds what is somebody's in the configuration's own texts, which requests have too.
func (s *scrubber) ownWords(node *yaml.Node) {
	if node == nil {
		return
	}
	s.learning = false
	defer func() { s.learning = true }()
	if node.Kind == yaml.ScalarNode && !strings.Contains(node.Value, "{{") {
		for _, found := range secretLike.FindAllString(node.Value, -1) {
			isData := strings.ContainsAny(found, "0123456789@") && !isHex.MatchString(found) && !isAnnotation.MatchString(found)
			if isData && !slices.ContainsFunc(s.values, func(v replacement) bool { return v.from == found }) {
				s.values = append(s.values, replacement{"", found, s.text(found)})
			}
		}
	}
	for i, inner := range node.Content {
		if node.Kind == yaml.MappingNode && i > 0 && i%2 == 1 && slices.Contains(ofRecords, node.Content[i-1].Value) {
			continue // these are names of the service
		}
		s.ownWords(inner)
	}
}

// ofRecords are the keys of a source below which the names of a record's values stand.
var ofRecords = []string{"fields", "id", "updated", "deleted", "keep", "merged", "columns", "records"}

// reference fits what a configuration takes from its environment, and callers' credentials.
var reference = regexp.MustCompile(`\$\{[^}]*\}`)

var ofCaller = regexp.MustCompile(`\{\{\s*(auth\.[^}|\s]+)[^}]*\}\}`)

// configuration returns one with which the recording is replayed: the user's, without credentials.
func (s *scrubber) configuration(about About) ([]byte, error) {
	src := s.sourceNode(about.Source)
	endpoint := mapping("auth", scalar("none"), "source", src)
	if about.Phones != nil {
		endpoint.Content = append(endpoint.Content, scalar("phones"), s.configured(about.Phones))
	}
	top := mapping("endpoints", mapping(cmp.Or(about.Endpoint, "recorded"), endpoint))
	top.HeadComment = "What was recorded, without credentials. Try:  contactbridge preview --replay FOLDER"
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(top); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}

func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func mapping(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range pairs {
		if text, ok := p.(string); ok {
			p = scalar(text)
		}
		n.Content = append(n.Content, p.(*yaml.Node))
	}
	return n
}

// sourceNode returns a source with other values of its connection, and without its ways to authenticate.
func (s *scrubber) sourceNode(node *yaml.Node) *yaml.Node {
	made := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		switch key.Value {
		case "auth":
			continue
		case "values":
			value = s.sourceNode(value)
			value.Content = slices.DeleteFunc(value.Content, func(n *yaml.Node) bool { return n.Kind == yaml.SequenceNode })
		default:
			if to, ok := s.connectionOf(key.Value); ok && value.Kind == yaml.ScalarNode {
				value = scalar(to)
			} else {
				value = s.configured(value)
			}
		}
		made.Content = append(made.Content, scalar(key.Value), value)
	}
	if kindOfNode(node) {
		none := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{mapping("by", "none")}}
		made.Content = append(made.Content, scalar("auth"), none)
	}
	return made
}

// kindOfNode reports whether a mapping is a source.
func kindOfNode(node *yaml.Node) bool {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == "kind" {
			return true
		}
	}
	return false
}

// connectionOf returns what comes instead of a field of the connection.
func (s *scrubber) connectionOf(name string) (string, bool) {
	for _, v := range s.values {
		if v.name == name && name != "" {
			return v.to, true
		}
	}
	if value, ok := s.known.Values[name]; ok {
		return value, true // one that names nobody
	}
	if _, ok := s.known.Secrets[name]; ok {
		return "replaced", true
	}
	return "", false
}

// configured returns a part of a configuration with credentials and personal data replaced.
func (s *scrubber) configured(node *yaml.Node) *yaml.Node {
	made := &yaml.Node{Kind: node.Kind, Tag: node.Tag, Style: node.Style, Value: node.Value}
	if node.Kind == yaml.AliasNode && node.Alias != nil {
		return s.configured(node.Alias)
	}
	if node.Kind == yaml.ScalarNode {
		text := ofCaller.ReplaceAllStringFunc(node.Value, func(found string) string {
			to, _ := s.connectionOf(ofCaller.FindStringSubmatch(found)[1])
			return to
		})
		made.Value = s.connected(reference.ReplaceAllString(text, "replaced"))
	}
	for _, inner := range node.Content {
		made.Content = append(made.Content, s.configured(inner))
	}
	return made
}
