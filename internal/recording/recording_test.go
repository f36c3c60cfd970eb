package recording

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/phone"
	"github.com/contactbridge/contactbridge/source"
)

// carrier answers requests.
type carrier func(r *http.Request) (status int, header http.Header, body []byte)

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	status, header, body := c(r)
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

// known is what a source says of itself.
func known() source.Recorded {
	return source.Recorded{
		Secrets: map[string]string{"api_key": "sk_live_9fWq27LmXz", "auth.token": "bearer-Zx81Qp"},
		Values:  map[string]string{"domain": "northwind", "mailbox": "users/jane.roe@northwind.example.net", "time_zone": "Europe/Paris"},
		Address: "https://northwind.vendor.example/api", Wrong: wrong, CredentialHeaders: []string{"Authorization", "X-Api-Key"}, CredentialQuery: []string{"api_key"},
		Tokens: []string{"https://login.vendor.example/token"}, Headers: []string{"Date", "Link", "X-Left"},
		Times: []string{"updated_at"}, Flags: []string{"active"}, IDs: []string{"id"}, Cursors: []string{"next"}, Countries: []string{"country"},
		Keys: []string{"data", "name", "kind"}, Literals: []string{"businessFax"}, Reactions: []string{"EXPIRED_SYNC_TOKEN"},
	}
}

// wrong makes a credential wrong, and leaves its beginning.
func wrong(credential string) string { return credential[:len(credential)-3] + "000" }

const configuration = `
kind: rest
language: 1
url: https://northwind.vendor.example/api
auth: [{by: header, name: X-Api-Key, value: "sk_live_9fWq27LmXz"}]
values: {domain: northwind, api_key: "${API_KEY}"}
changes: {path: /people, query: {owner: boss@northwind.example.net}}
`

// record sends requests to a service that gives one answer, and returns the folder of the recording and its text.
func record(t testing.TB, about source.Recorded, answer func(r *http.Request) (int, http.Header, []byte), requests ...*http.Request) (folder, text string) {
	t.Helper()
	r := NewRecorder(carrier(answer), time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	for _, request := range requests {
		response, err := r.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(response.Body); err != nil {
			t.Fatal(err)
		}
	}
	var node yaml.Node
	if err := yaml.Load([]byte(configuration), &node); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "recording")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	folder = filepath.Join(dir, "report")
	if err := r.Save(folder, About{Endpoint: "crm", Known: about, Source: node.Content[0], Region: "DE"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{trafficFile, ConfigurationFile} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		text += string(content)
	}
	return folder, text
}

// get is a request, with what an answer brought of it.
func get(address string, data source.Substituted) *http.Request {
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		panic(err)
	}
	return r.WithContext(source.WithSubstituted(r.Context(), data))
}

// post is a request with a body.
func post(address, kind, body string) *http.Request {
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", kind)
	return r
}

func packed(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

// Nothing that is somebody's gets into a recording, wherever it stands.
func TestNothingOfAnyoneIsRecorded(t *testing.T) {
	const people = "https://northwind.vendor.example/api/people"
	basic := get(people, source.Substituted{})
	basic.SetBasicAuth("jane.roe@northwind.example.net", "hunter2-Secret")
	keyed := get(people, source.Substituted{})
	keyed.Header.Set("X-Api-Key", "sk_live_9fWq27LmXz")
	keyed.Header.Set("X-Session", "for sk_live_9fWq27LmXz")
	cookie := get(people, source.Substituted{})
	cookie.Header.Set("Cookie", "session=k3Hd82hs8Hs72")
	cursor := base64.StdEncoding.EncodeToString([]byte(`{"email":"jane.roe@northwind.example.net"}`))
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		header  http.Header
		answer  string
		packed  bool
		hidden  []string
	}{
		"values of fields": {answer: `{"data": [{"id": 7, "name": "Jane Roe", "email": "jane.roe@northwind.example.net", "city": "Lüneburg"}]}`, hidden: []string{"Jane", "Roe", "northwind", "Lüneburg"}},
		"free text": {
			answer: `{"data": [{"id": 7, "notes": "Jane Roe (jane@private.example) called from 0171/5553344, wants 4711 by 2026-12-24; see https://files.example.net/jane?key=88aa99bb"}]}`,
			hidden: []string{"Jane", "Roe", "jane@", "5553344", "4711", "2026-12-24", "files.example.net", "88aa99bb", "called"},
		},
		"a credential in a header as base64":     {request: basic, answer: `{}`, hidden: []string{"hunter2", base64.StdEncoding.EncodeToString([]byte("jane.roe@northwind.example.net:hunter2-Secret"))}},
		"a key in headers":                       {request: keyed, answer: `{}`, hidden: []string{"sk_live_9fWq27LmXz"}},
		"a cookie":                               {request: cookie, header: http.Header{"Set-Cookie": {"session=k3Hd82hs8Hs72"}}, answer: `{}`, hidden: []string{"k3Hd82hs8Hs72"}},
		"a key in the query":                     {request: get(people+"?api_key=sk_live_9fWq27LmXz&page=2", source.Substituted{}), answer: `{}`, hidden: []string{"sk_live_9fWq27LmXz"}},
		"a key in a body":                        {request: post(people, "application/json", `{"params": ["sk_live_9fWq27LmXz", {"key": "Bearer sk_live_9fWq27LmXz"}]}`), answer: `{}`, hidden: []string{"sk_live_9fWq27LmXz"}},
		"a form":                                 {request: post(people, "application/x-www-form-urlencoded", "user=jane.roe&password=hunter2"), answer: `{}`, hidden: []string{"jane.roe", "hunter2"}},
		"a request for a token, and its answer":  {request: post("https://login.vendor.example/token", "application/x-www-form-urlencoded", "refresh_token=r3fr3sh"), answer: `{"access_token": "acc3ss", "refresh_token": "n3xt"}`, hidden: []string{"r3fr3sh", "acc3ss", "n3xt"}},
		"a token in an answer":                   {answer: `{"data": [], "session": {"jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl"}}`, hidden: []string{"eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJqYW5lIn0", "c2lnbmF0dXJl"}},
		"an id with an e-mail address in it":     {request: get(people+"?after=jane.roe%40northwind.example.net", source.Substituted{Values: []string{"jane.roe@northwind.example.net"}}), answer: `{"data": [{"id": "jane.roe@northwind.example.net", "updated_at": "2026-11-01T10:00:00Z"}]}`, hidden: []string{"jane.roe", "northwind"}},
		"an id in a query language":              {request: post(people, "application/json", `{"q": "select x where id > 'jane.roe@northwind.example.net' limit 5"}`).WithContext(source.WithSubstituted(t.Context(), source.Substituted{Values: []string{"jane.roe@northwind.example.net"}})), answer: `{"data": [{"id": "jane.roe@northwind.example.net"}]}`, hidden: []string{"jane.roe", "northwind"}},
		"keys that are data":                     {answer: `{"by_mail": {"jane.roe@northwind.example.net": {"+49 171 5553344": true}}, "17155533441": 1}`, hidden: []string{"jane.roe", "5553344", "17155533441"}},
		"names as keys":                          {answer: `{"shares": {"Jane Roe": 5, "jane": 1, "Özgür": 2}, "data": [{"id": 7, "name": "Jane Özgür"}]}`, hidden: []string{"Jane", "jane", "zgür"}},
		"a credential that a check made wrong":   {request: post(people, "application/json", `{"key": "`+wrong("sk_live_9fWq27LmXz")+`"}`), answer: `{}`, hidden: []string{"sk_live_9fW"}},
		"custom fields":                          {answer: `{"data": [{"id": 7, "custom_fields": {"cf_iban": "DE89370400440532013000", "cf_birthday": "1961-04-05", "cf_salary": 83450.75, "cf_tags": ["Jane", "VIP"]}}]}`, hidden: []string{"DE89370400440532013000", "1961-04-05", "83450", "Jane", "VIP"}},
		"numbers that are no texts":              {answer: `{"data": [{"id": 7, "phone": 491715553344, "ext": -4711, "size": 1.5553344e6}]}`, hidden: []string{"491715553344", "5553344", "4711"}},
		"escapes of JSON":                        {answer: `{"data": [{"id": 7, "name": "J\u0061ne R\u00f6sch\u200b", "email": "jane\u0040private.example", "note": "\u002b49 171\/5553344"}]}`, hidden: []string{"Jane", "J\\u0061ne", "Rösch", "private.example", "jane", "5553344"}},
		"JSON within JSON":                       {answer: `{"data": [{"id": 7, "raw": "{\"name\": \"Jane\", \"phone\": \"+491715553344\"}"}]}`, hidden: []string{"Jane", "5553344"}},
		"digits of another script":               {answer: `{"data": [{"id": 7, "phone": "+٤٩ ١٧١ ٥٥٥٣٣٤٤"}]}`, hidden: []string{"٥٥٥٣٣٤٤", "5553344"}},
		"an answer that is packed":               {header: http.Header{"Content-Encoding": {"gzip"}}, packed: true, answer: `{"data": [{"id": 7, "name": "Jane Roe"}]}`, hidden: []string{"Jane", "Roe"}},
		"a cursor that carries data":             {request: get(people+"?cursor="+url.QueryEscape(cursor), source.Substituted{Values: []string{cursor}}), answer: `{"data": [], "next": "` + cursor + `"}`, hidden: []string{cursor, cursor[:20], "jane"}},
		"a cursor that is an address":            {request: get(people+"?after=jane.roe%40northwind.example.net", source.Substituted{Link: true}), answer: `{"next": "https://northwind.vendor.example/api/people?after=jane.roe%40northwind.example.net"}`, hidden: []string{"jane.roe", "northwind"}},
		"a link in a header":                     {header: http.Header{"Link": {`<https://northwind.vendor.example/api/people?after=jane.roe%40x.example>; rel="next"`}}, answer: `[]`, hidden: []string{"jane.roe", "northwind"}},
		"headers of an answer":                   {header: http.Header{"X-User": {"jane.roe@northwind.example.net"}, "X-Left": {"7 for Jane"}}, answer: `{}`, hidden: []string{"jane", "Jane"}},
		"the tenant in the address and the path": {request: get("https://northwind.vendor.example/api/users/jane.roe@northwind.example.net/contacts", source.Substituted{}), answer: `{}`, hidden: []string{"northwind", "jane.roe"}},
		"an error":                               {status: http.StatusBadRequest, answer: `{"error": {"message": "EXPIRED_SYNC_TOKEN: of jane.roe@northwind.example.net"}}`, hidden: []string{"jane.roe", "northwind"}},
		"a page of HTML":                         {status: http.StatusBadGateway, answer: `<html><title>northwind</title><p class="jane">Sorry, Jane Roe</p></html>`, hidden: []string{"northwind", "jane", "Jane", "Roe"}},
		"text that is no JSON":                   {status: http.StatusInternalServerError, answer: `failed for Jane Roe, +49 171 5553344`, hidden: []string{"Jane", "Roe", "5553344"}},
		"a picture":                              {answer: `{"data": [{"id": 7, "image": "` + strings.Repeat("iVBORw0KGgoAAAANSUhEUg", 9) + `"}]}`, hidden: []string{"iVBORw0KGgo"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.request == nil {
				c.request = get(people, source.Substituted{})
			}
			_, text := record(t, known(), func(*http.Request) (int, http.Header, []byte) {
				if c.packed {
					return http.StatusOK, c.header, packed(c.answer)
				}
				return max(c.status, http.StatusOK), c.header, []byte(c.answer)
			}, c.request)
			for _, hidden := range c.hidden {
				if strings.Contains(text, hidden) {
					t.Errorf("it has %q:\n%s", hidden, text)
				}
			}
		})
	}
}

// The configuration of a recording has nothing of anyone's either, and is one.
func TestTheConfigurationOfARecordingHasNoCredential(t *testing.T) {
	folder, text := record(t, known(), func(*http.Request) (int, http.Header, []byte) { return http.StatusOK, nil, []byte(`{}`) },
		get("https://northwind.vendor.example/api/people?owner=boss%40northwind.example.net", source.Substituted{}))
	for _, hidden := range []string{"northwind", "sk_live", "API_KEY", "boss"} {
		if strings.Contains(text, hidden) {
			t.Errorf("it has %q:\n%s", hidden, text)
		}
	}
	content, err := os.ReadFile(filepath.Join(folder, ConfigurationFile))
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Endpoints map[string]struct{ Source map[string]any }
	}
	if err := yaml.Load(content, &read); err != nil || fmt.Sprint(read.Endpoints["crm"].Source["auth"]) != "[map[by:none]]" {
		t.Errorf("%v: %s", err, content)
	}
	owner := fmt.Sprint(read.Endpoints["crm"].Source["changes"].(map[string]any)["query"].(map[string]any)["owner"])
	if !strings.Contains(text, url.QueryEscape(owner)) {
		t.Errorf("%s is asked for by another name:\n%s", owner, text)
	}
}

// What is the same stays the same, wherever it stands, and what differs differs.
func TestReplacementsAreConsistent(t *testing.T) {
	const answer = `{"data": [
		{"id": "ann@x.example", "first": "Ann", "name": "Ann Lee", "email": "ann@x.example", "mobile": "+49 171 5553344", "phone": "0171-5553344", "note": "call 0049 (171) 555 33 44"},
		{"id": "bob@x.example", "first": "Bob", "name": "BOB LEE", "email": "Bob@x.example", "mobile": "+49 30 7654321", "phone": "(030) 765 43 21", "note": "", "country": "Germany", "updated_at": "2026-11-02T10:00:00Z", "born": "1990-01-02", "active": true, "kind": "businessFax"}
	], "next": "bob@x.example"}`
	folder, _ := record(t, known(), func(*http.Request) (int, http.Header, []byte) { return http.StatusOK, nil, []byte(answer) },
		get("https://northwind.vendor.example/api/people", source.Substituted{}),
		get("https://northwind.vendor.example/api/people?after=bob%40x.example", source.Substituted{Values: []string{"bob@x.example"}}))
	text, err := os.ReadFile(filepath.Join(folder, trafficFile))
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Exchanges []struct {
			Request struct{ URL string }
			Answer  struct {
				Body struct {
					Data []map[string]any
					Next string
				}
			}
		}
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	ann, bob := read.Exchanges[0].Answer.Body.Data[0], read.Exchanges[0].Answer.Body.Data[1]
	if name := fmt.Sprint(ann["name"]); !strings.HasPrefix(name, fmt.Sprint(ann["first"])+" ") {
		t.Errorf("first %v, name %v", ann["first"], name)
	}
	if last := strings.Fields(fmt.Sprint(ann["name"]))[1]; !strings.HasSuffix(fmt.Sprint(bob["name"]), " "+strings.ToUpper(last)) {
		t.Errorf("the same last name became %v and %v", ann["name"], bob["name"])
	}
	address, err := url.Parse(read.Exchanges[1].Request.URL)
	if err != nil || address.Query().Get("after") != bob["id"] || read.Exchanges[0].Answer.Body.Next != bob["id"] || fmt.Sprint(ann["id"]) >= fmt.Sprint(bob["id"]) {
		t.Errorf("ids became %v and %v, and were asked for as %s", ann["id"], bob["id"], read.Exchanges[1].Request.URL)
	}
	for _, contact := range []map[string]any{ann, bob} {
		mobile, other := phone.Parse(fmt.Sprint(contact["mobile"]), "DE"), phone.Parse(fmt.Sprint(contact["phone"]), "DE")
		if !mobile.Valid || mobile.E164 != other.E164 || mobile.Region != "DE" {
			t.Errorf("%v and %v are not one number", contact["mobile"], contact["phone"])
		}
	}
	if before, after := phone.Parse("+491715553344", ""), phone.Parse(fmt.Sprint(ann["mobile"]), ""); kindOf(before) != kindOf(after) || after.E164[:6] != "+49171" {
		t.Errorf("a mobile number became %v", ann["mobile"])
	}
	if !strings.HasPrefix(fmt.Sprint(bob["mobile"]), "+49 30 ") {
		t.Errorf("a number of Berlin became %v", bob["mobile"])
	}
	if note := onlyDigits(fmt.Sprint(ann["note"])); !strings.HasSuffix(note, onlyDigits(fmt.Sprint(ann["mobile"]))[6:]) {
		t.Errorf("the number in the note became %v, beside %v", ann["note"], ann["mobile"])
	}
	if bob["country"] != "Germany" || bob["updated_at"] != "2026-11-02T10:00:00Z" || bob["active"] != true || bob["kind"] != "businessFax" || bob["born"] == "1990-01-02" {
		t.Errorf("what decides was changed, or what does not was not: %v", bob)
	}
}

// The order of ids stays, whatever they look like: services and runs go by it.
func TestTheOrderOfIDsStays(t *testing.T) {
	for name, ids := range map[string][]any{
		"numbers":             {7, 12, 99, 1234, 1235, 123456, 9876543210},
		"numbers as texts":    {"500001", "500002", "500010", "600000"},
		"texts":               {"003A0000a", "003A0000b", "003B", "jane@x.example"},
		"with one beginning":  {"people/c1", "people/c2", "people/c9"},
		"addresses of things": {"gid://shop/Customer/11", "gid://shop/Customer/12", "gid://shop/Customer/300"},
		"UUIDs":               {"0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScrubber(known(), "", [32]byte{1})
			s.seenIDs = map[string]bool{}
			for _, id := range ids {
				s.seenIDs[fmt.Sprint(id)] = true
			}
			s.nameIDs()
			s.learning = false
			last := ""
			for i, id := range ids {
				to := s.ids[fmt.Sprint(id)]
				_, isNumber := id.(int)
				if greater := len(to) > len(last) || len(to) == len(last) && to > last; i > 0 && !greater {
					t.Errorf("%v became %s, after %s", id, to, last)
				}
				if isNumber && len(to) != len(fmt.Sprint(id)) || to == fmt.Sprint(id) && len(to) > 4 {
					t.Errorf("%v became %s", id, to)
				}
				last = to
			}
		})
	}
}

// A recording that has a credential is not written.
func TestARecordingWithACredentialIsNotWritten(t *testing.T) {
	s := newScrubber(known(), "", [32]byte{})
	if what := s.leak([]byte(`{"x": "sk_live_9fWq27LmXz"}`)); what != "api_key" {
		t.Errorf("found %q", what)
	}
}

// A folder that has a recording is not written to.
func TestARecordingIsNotOverwritten(t *testing.T) {
	folder, _ := record(t, known(), func(*http.Request) (int, http.Header, []byte) { return http.StatusOK, nil, []byte(`{}`) })
	err := write(folder, map[string][]byte{trafficFile: []byte("{}")})
	if failure.Of(err).Hint == "" || !strings.Contains(err.Error(), "already") {
		t.Errorf("%v", err)
	}
}

// What was not recorded is named.
func TestAReplaySaysWhatWasNotRecorded(t *testing.T) {
	folder, _ := record(t, known(), func(*http.Request) (int, http.Header, []byte) { return http.StatusOK, nil, []byte(`{"data": []}`) },
		get("https://northwind.vendor.example/api/people?page=1", source.Substituted{}))
	p, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := p.RoundTrip(get("https://another.example/api/people?page=1", source.Substituted{})); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%v", err)
	}
	if _, err := p.RoundTrip(get("https://another.example/api/people?page=2", source.Substituted{})); err == nil {
		t.Error("an answer came")
	}
	if missing := p.Missing(); len(missing) != 1 || missing[0] != "GET /api/people?page=2" {
		t.Errorf("missing: %q", missing)
	}
	for name, content := range map[string]string{"none": "", "broken": "{", "newer": `{"version": 99}`} {
		folder := t.TempDir()
		if content != "" {
			if err := os.WriteFile(filepath.Join(folder, trafficFile), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(folder); failure.Of(err).Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever an answer has, no text and no number of it is in the recording.
func TestNoValueOfAnAnswerIsRecorded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var originals []string
		text := rapid.Custom(func(t *rapid.T) string {
			word := rapid.StringMatching(`[A-ZÄÖ][a-zäöüß]{4,9}`)
			piece := rapid.OneOf(
				word, rapid.StringMatching(`\+49 1[567][0-9] [0-9]{7}`), rapid.StringMatching(`0[1-9][0-9]{2}/[0-9]{6,7}`), rapid.StringMatching(`[a-z]{5,8}\.[a-z]{5,8}@[a-z]{5,9}\.example`),
				rapid.StringMatching(`https://[a-z]{6,9}\.example/[a-z]{6,8}\?x=[a-z0-9]{8}`), rapid.StringMatching(`[0-9a-zA-Z]{24}`), rapid.StringMatching(`19[0-9]{2}-0[1-9]-1[0-9]`),
			)
			pieces := rapid.SliceOfN(piece, 1, 4).Draw(t, "pieces")
			originals = append(originals, pieces...)
			return strings.Join(pieces, rapid.SampledFrom([]string{" ", ", ", "; ", "\n", " / ", "\t"}).Draw(t, "between"))
		})
		var records []any
		for range rapid.IntRange(1, 5).Draw(t, "records") {
			record := map[string]any{"id": text.Draw(t, "id"), "tags": []any{text.Draw(t, "tag")}, "custom": map[string]any{"cf": map[string]any{"note": text.Draw(t, "note")}}}
			for _, key := range []string{"name", "email", "phone", "active", "country", "updated_at", "kind"} {
				record[key] = text.Draw(t, key)
			}
			records = append(records, record)
		}
		body, err := json.Marshal(map[string]any{"data": records, "next": text.Draw(t, "next")})
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint(records[0].(map[string]any)["id"])
		r := NewRecorder(carrier(func(*http.Request) (int, http.Header, []byte) { return http.StatusOK, nil, body }), time.Unix(0, 0))
		for _, request := range []*http.Request{
			get("https://northwind.vendor.example/api/people", source.Substituted{}),
			get("https://northwind.vendor.example/api/people?after="+url.QueryEscape(id), source.Substituted{Values: []string{id}}),
		} {
			if _, err := r.RoundTrip(request); err != nil {
				t.Fatal(err)
			}
		}
		folder, err := os.MkdirTemp("", "recording")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(folder)
		var node yaml.Node
		if err := yaml.Load([]byte(configuration), &node); err != nil {
			t.Fatal(err)
		}
		if err := r.Save(filepath.Join(folder, "r"), About{Endpoint: "crm", Known: known(), Source: node.Content[0]}); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(folder, "r", trafficFile))
		if err != nil {
			t.Fatal(err)
		}
		var any map[string]any
		if err := json.Unmarshal(content, &any); err != nil {
			t.Fatal(err)
		}
		for _, original := range originals {
			isTime := len(original) == 10 && original[:2] == "19" // at updated_at it stays
			if !isTime && (bytes.Contains(content, []byte(original)) || bytes.Contains(content, []byte(url.QueryEscape(original)))) {
				t.Fatalf("it has %q:\n%s", original, content)
			}
		}
	})
}
