package bridge_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/contactbridge/contactbridge/bridge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// credentials are what the tests' endpoints ask for.
var credentials = bridge.Auth{"username": "agent", "password": "pass-word-7"}

const goodAuth = `{"username":"agent","password":"pass-word-7"}`

// handlerOf is a handler over a memory source, with its credentials.
func handlerOf(m *memory, limits bridge.Limits) *bridge.Handler {
	return &bridge.Handler{
		Name: "crm", Open: m.open, Authenticate: bridge.RequireAuth(credentials), CheckpointSalt: "memory", Limits: limits,
	}
}

// An answer is what came back, read strictly.
type answer struct {
	status int
	header http.Header
	body   string

	Contacts []struct {
		ID     string   `json:"id"`
		Name   string   `json:"name"`
		Phones []string `json:"phones"`
	} `json:"contacts"`
	NextOffset *string  `json:"next_offset"`
	Checkpoint *string  `json:"synchronization_checkpoint"`
	Deleted    []string `json:"deleted_contacts"`
	Error      *struct {
		Code      bridge.Code `json:"code"`
		Message   string      `json:"message"`
		Hint      string      `json:"hint"`
		RequestID string      `json:"request_id"`
	} `json:"error"`
}

// ask sends one request straight to a handler.
func ask(t testing.TB, h http.Handler, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return readAnswer(t, w.Result())
}

func readAnswer(t testing.TB, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(body)}
	if len(body) > 0 {
		dec := json.NewDecoder(strings.NewReader(a.body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&a); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
	}
	return a
}

func post(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

// page asks for one page; checkpoint and offset are JSON.
func page(t testing.TB, h http.Handler, checkpoint, offset string) answer {
	t.Helper()
	return ask(t, h, post("/crm/contact_sync",
		`{"auth":`+goodAuth+`,"meta":{"synchronization_checkpoint":`+checkpoint+`,"offset":`+offset+`}}`))
}

func TestSmoke(t *testing.T) {
	h := handlerOf(numbered(5), bridge.Limits{Contacts: 2})
	a := page(t, h, "null", "null")
	t.Log(a.body)
	for a.NextOffset != nil {
		a = page(t, h, "null", `"`+*a.NextOffset+`"`)
		t.Log(a.body)
	}
	a = page(t, h, `"`+*a.Checkpoint+`"`, "null")
	t.Log(a.body)
	t.Log(ask(t, h, post("/x", `{}`)).body)
	t.Log(ask(t, h, post("/auth_validation", `{"auth":`+goodAuth+`}`)))
}
