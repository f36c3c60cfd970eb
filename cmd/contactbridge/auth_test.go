package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
)

func TestAuthFieldsComeFromThreePlaces(t *testing.T) {
	t.Setenv("TEST_PASSWORD", "from the environment=")
	file := filepath.Join(t.TempDir(), "auth.txt")
	if err := os.WriteFile(file, []byte("# fields\r\nusername=file\r\npassword=file\r\n\r\ntoken= a=b \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := authFlags{file: file, variables: []string{"password=TEST_PASSWORD"}, pairs: []string{"username=@literal=x", "empty="}}
	got, err := f.auth(nil)
	want := bridge.Auth{"username": "@literal=x", "password": "from the environment=", "token": " a=b ", "empty": ""}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%q, %v\nwant %q", got, err, want)
	}
}

func TestAuthFileMayBeJSON(t *testing.T) {
	f := authFlags{file: "-"}
	got, err := f.auth(strings.NewReader("\n{\"username\": \"agent\", \"password\": \"a\\nb\"}"))
	if want := (bridge.Auth{"username": "agent", "password": "a\nb"}); err != nil || !maps.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	for _, bad := range []string{`{"username": 1}`, `{"username": "agent"`, `{"a": {"b": "c"}}`} {
		if got, err := f.auth(strings.NewReader(bad)); err == nil {
			t.Errorf("%s: %q, want an error", bad, got)
		}
	}
}

// What is given wrongly may be the secret itself.
func TestAuthErrorsDoNotRepeatValues(t *testing.T) {
	for _, f := range []authFlags{{pairs: []string{"s3cret"}}, {pairs: []string{"=s3cret"}}, {file: "-"}} {
		_, err := f.auth(strings.NewReader("s3cret"))
		if err == nil || strings.Contains(err.Error()+failure.Of(err).Hint, "s3cret") {
			t.Errorf("error %v", err)
		}
	}
}
