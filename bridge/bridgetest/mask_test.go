package bridgetest

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

func TestCredentialsAreMaskedInEverySpelling(t *testing.T) {
	const password = `pä"ss<wo>rd\&🔑`
	m := newMasker(map[string]string{"username": "agent", "password": password, "pin": "12"},
		"https://bridge.example.com/contact_sync?token=abcdef123")
	plain, _ := json.Marshal(password)
	ascii := `p\u00e4\"ss<wo>rd\\&\ud83d\udd11`
	for _, text := range []string{
		password, string(plain), ascii, url.QueryEscape(password), base64.StdEncoding.EncodeToString([]byte(password)),
		`{"username":"agent"}`, `{"pin":"12"}`, "token=abcdef123",
	} {
		masked := m.text("before " + text + " after")
		for _, secret := range []string{password, "ss<wo>rd", "ss\\u003cwo", "agent", `"12"`, "abcdef123", "rd%5C"} {
			if strings.Contains(masked, secret) {
				t.Errorf("%s became %s", text, masked)
			}
		}
		if !strings.HasPrefix(masked, "before ") || !strings.HasSuffix(masked, " after") {
			t.Errorf("%s became %s", text, masked)
		}
	}
	if got := m.text(`{"phone":"+12125550100"}`); got != `{"phone":"+12125550100"}` {
		t.Errorf("a short credential tears other words apart: %s", got)
	}
}

// A user name that is a word is masked as one, and not as a part of others: agent is no part of agents.
func TestAWordIsMaskedAsAWord(t *testing.T) {
	m := newMasker(map[string]string{"username": "agent", "password": "hunters"}, "http://127.0.0.1/")
	for text, want := range map[string]string{
		`{"agents":[{"name":"agent","email":"agent@example.com"}]}`: `{"agents":[{"name":"[username]","email":"[username]@example.com"}]}`,
		"http://x/agent_sync?u=agent":                               "http://x/agent_sync?u=[username]",
		"agent":                                                     "[username]",
		"reagent agent":                                             "reagent [username]",
		"bountyhunters":                                             "bounty[password]",
	} {
		if got := m.text(text); got != want {
			t.Errorf("%s became %s", text, got)
		}
	}
}

func TestASecretInAnAnswerIsAnEcho(t *testing.T) {
	m := newMasker(map[string]string{"username": "agent", "password": "secret", "pass2": "s3cret!", "api_key": "0123456789abcdef"}, "http://127.0.0.1/")
	for answer, want := range map[string]string{
		`{"error":"wrong password 'secret'"}`:          "password",
		`{"error":"user=agent&password=secret"}`:       "password",
		`{"auth":{"password":"secret"}}`:               "password",
		`{"error":"wrong password: secret"}`:           "password",
		`{"error":"\"secret\" is wrong"}`:              "password",
		`{"error":"secret of yours"}`:                  "",
		`{"error":"your secret is wrong"}`:             "",
		`{"error":"secret"}`:                           "password",
		`{"error":"wrong password s3cret!"}`:           "pass2",
		`{"error":"x0123456789abcdefx"}`:               "api_key",
		`{"contacts":[{"title":"Secretary"}]}`:         "",
		`{"contacts":[{"title":"undersecretary"}]}`:    "",
		`{"contacts":[{"email":"agent@example.com"}]}`: "",
	} {
		if got := m.echo([]byte(answer)); got != want {
			t.Errorf("%s: %q, want %q", answer, got, want)
		}
	}
}

func TestMaskingTwiceChangesNothing(t *testing.T) {
	auth := map[string]string{"username": "agent", "password": "correct horse"}
	once := newMasker(auth, "http://127.0.0.1/").text(`{"auth":{"password":"correct horse","username":"agent"}}`)
	replayed := newMasker(map[string]string{"username": "[username]", "password": "[password]"}, "http://127.0.0.1/")
	if again := replayed.text(once); again != once {
		t.Errorf("%s became %s", once, again)
	}
}
