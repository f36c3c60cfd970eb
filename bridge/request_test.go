package bridge

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
)

func TestRequestIsReadLeniently(t *testing.T) {
	cases := []struct {
		name string
		in   string
		want request
	}{
		{"P5, initial", `{"auth":{"a":"b"},"meta":{"synchronization_checkpoint":null,"offset":null,"context":null}}`, request{auth: Auth{"a": "b"}}},
		{"empty is absent", `{"auth":{},"meta":{"synchronization_checkpoint":"","offset":""}}`, request{}},
		{"all is absent", `{}`, request{}},
		{"null is absent", `{"auth":null,"meta":null}`, request{}},
		{
			"P5, next page", `{"meta":{"synchronization_checkpoint":"c","offset":"2","supports_deletions":true}}`,
			request{checkpoint: "c", offset: "2", supportsDeletion: true},
		},
		{"numbers are tokens", `{"meta":{"synchronization_checkpoint":1354361260.50,"offset":2}}`, request{checkpoint: "1354361260.50", offset: "2"}},
		{
			"auth values become text", `{"auth":{"s":"x","n":1e3,"t":true,"f":false,"null":null,"empty":""}}`,
			request{auth: Auth{"s": "x", "n": "1e3", "t": "true", "f": "false", "empty": ""}},
		},
		{"unknown fields are ignored", `{"x":[{"auth":1}],"meta":{"later":{"offset":5},"context":{"a":[1,"2"]}},"y":null}`, request{}},
		{"duplicates: the last wins", `{"meta":{"offset":"1","offset":"2"},"auth":{"a":"1","a":"2"}}`, request{offset: "2", auth: Auth{"a": "2"}}},
		{"no deletions", `{"meta":{"supports_deletions":false}}`, request{}},
		{"a byte order mark", "\xef\xbb\xbf{\"meta\":{\"offset\":\"2\"}}", request{offset: "2"}},
		{"escapes and invalid UTF-8", "{\"\\u006deta\":{\"off\\u0073et\":\"\\u00e9\xff\"}}", request{offset: "é\uFFFD"}},
		{"white space", " \n{ } \t\n", request{}},
	}
	for _, c := range cases {
		got, err := decodeRequest([]byte(c.in))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

func TestRequestOfTheWrongShapeNamesTheField(t *testing.T) {
	for in, want := range map[string]string{
		``:                                  "it is empty",
		`   `:                               "it is empty",
		`{`:                                 "not valid JSON",
		`{"auth":`:                          "not valid JSON",
		`{"auth":{}}}`:                      "not valid JSON",
		`username=agent&password=secret-99`: "not valid JSON",
		`{} {}`:                             "something follows",
		`null`:                              "the request is null, not an object",
		`[]`:                                "the request is an array, not an object",
		`"x"`:                               "the request is a string",
		`{"auth":"secret-99"}`:              "auth is a string, not an object",
		`{"auth":[]}`:                       "auth is an array, not an object",
		`{"auth":{"password":{"x":1}}}`:     "auth.password is an object, not a string",
		`{"auth":{"password":["x"]}}`:       "auth.password is an array, not a string",
		`{"meta":[]}`:                       "meta is an array, not an object",
		`{"meta":{"offset":true}}`:          "meta.offset is a boolean, not a string",
		`{"meta":{"offset":{}}}`:            "meta.offset is an object, not a string",
		`{"meta":{"synchronization_checkpoint":[1]}}`:              "meta.synchronization_checkpoint is an array",
		`{"meta":{"supports_deletions":"yes"}}`:                    "meta.supports_deletions is a string, not a boolean",
		`{"auth":{"` + strings.Repeat("k", 500) + "\\n" + `":[]}}`: "kkk… is an array",
		strings.Repeat(`{"meta":`, 20000):                          "not valid JSON",
		`{"x":` + strings.Repeat(`[`, 100000):                      "not valid JSON",
	} {
		_, err := decodeRequest([]byte(in))
		if CodeOf(err) != CodeBadRequest || err == nil {
			t.Errorf("%.60s: got %v", in, err)
			continue
		}
		e := err.(*Error) //nolint:errorlint // decodeRequest's own
		if !strings.Contains(e.Message, want) {
			t.Errorf("%.60s: got %q, want %q", in, e.Message, want)
		}
		if e.Hint == "" || strings.Contains(e.Message, "secret-99") || strings.Contains(e.Message, "\n") {
			t.Errorf("%.60s: got %q, hint %q", in, e.Message, e.Hint)
		}
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"auth":{"a":"b","n":1},"meta":{"synchronization_checkpoint":"c","offset":2,"context":[1],"supports_deletions":true}}`))
	f.Add([]byte("{\"auth\":{\"a\":\"\xff\"}}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := decodeRequest(in)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Code != CodeBadRequest || e.Message == "" || e.Hint == "" { //nolint:errorlint // as above
				t.Errorf("got %#v", err)
			}
			return
		}
		// What is read can be said in the strictest way and is read as the same.
		strict, err := json.Marshal(map[string]any{"auth": got.auth, "meta": map[string]any{
			"synchronization_checkpoint": got.checkpoint, "offset": got.offset, "supports_deletions": got.supportsDeletion,
		}})
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeRequest(strict)
		if err != nil || !maps.Equal(again.auth, got.auth) || again.offset != got.offset || again.checkpoint != got.checkpoint {
			t.Errorf("%s: got %+v, %v; first %+v", strict, again, err, got)
		}
	})
}
