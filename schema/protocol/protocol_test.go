package protocol_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/bridge/bridgetest/faultybridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/schema/protocol"
	"github.com/contactbridge/contactbridge/source/memory"
)

const base = "https://github.com/contactbridge/contactbridge/schema/protocol/"

// schemas compiles every schema, by file name.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	names, err := fs.Glob(protocol.Files, "*.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	for _, name := range names {
		text, err := fs.ReadFile(protocol.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if id := document.(map[string]any)["$id"]; id != base+name {
			t.Errorf("%s calls itself %v", name, id)
		}
		if err := compiler.AddResource(base+name, document); err != nil {
			t.Fatal(err)
		}
	}
	compiled := map[string]*jsonschema.Schema{}
	for _, name := range names {
		if compiled[name], err = compiler.Compile(base + name); err != nil {
			t.Fatal(err)
		}
	}
	return compiled
}

func valid(schema *jsonschema.Schema, text string) error {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(document)
}

// An exchange is a request and its answer in a recording.
type exchange struct {
	Label    string
	Request  struct{ Method, URL, Body string }
	Response struct {
		Status int
		Body   string
	}
}

// record checks a bridge and returns the traffic.
func record(t *testing.T, handler http.Handler, endpoint string) []exchange {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	folder := filepath.Join(t.TempDir(), "traffic")
	report, err := bridgetest.Check(t.Context(),
		bridgetest.Target{URL: server.URL + endpoint, Auth: faultybridge.Auth()},
		bridgetest.Options{Record: folder, Pause: 10 * time.Millisecond})
	if err != nil || report.Run.Pages == 0 {
		t.Fatal(err, report.Run)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*-exchange.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []exchange
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var e exchange
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func ownBridge() http.Handler {
	store := memory.NewStore(nil)
	tx := store.Begin()
	for i := range 50 {
		tx.PutAt(full(i), time.Date(2024, 3, 1, 0, i, 0, 0, time.UTC))
	}
	tx.Commit()
	return &bridge.Handler{
		Open: store.Factory().Open, Agents: store.Factory().Open, Authenticate: bridge.RequireAuth(faultybridge.Auth()), Limits: bridge.Limits{Contacts: 10},
	}
}

// full returns a contact with every field.
func full(i int) contact.Contact {
	return contact.Contact{
		ID: strconv.Itoa(i), Name: "Zoë Müller", Title: "CTO", Company: "Example & Søns", Emails: []string{"zoe@example.com"},
		Phones: []string{"+14155550100"}, Websites: []string{"https://example.com"}, PhotoURL: "https://example.com/1.png",
		Address: "1, Main Street", Twitter: "zoe", URL: "https://crm.example.com/1",
		CustomFields: []contact.CustomField{{Key: "Plan", Value: "gold"}},
	}
}

func TestWhatCorrectBridgesSendIsValid(t *testing.T) {
	s := schemas(t)
	for name, traffic := range map[string][]exchange{
		"own":       record(t, ownBridge(), "/crm/contact_sync"),
		"reference": record(t, faultybridge.New(95, 10, faultybridge.None), "/contact_sync"),
	} {
		pages, agents, refusals := 0, 0, 0
		for _, e := range traffic {
			var schema string
			switch {
			case e.Label == "gzip": // its body is compressed
				continue
			case e.Response.Status == http.StatusOK && path.Base(e.Request.URL) == "contact_sync":
				schema = "page.schema.json"
				pages++
				if err := valid(s["request.schema.json"], e.Request.Body); err != nil && e.Label != "huge-body" {
					t.Errorf("%s: a request that was served: %v\n%.300s", name, err, e.Request.Body)
				}
			case e.Response.Status == http.StatusOK && path.Base(e.Request.URL) == "agent_sync":
				schema = "agents.schema.json"
				agents++
				if err := valid(s["agents-request.schema.json"], e.Request.Body); err != nil {
					t.Errorf("%s: a request that was served: %v\n%.300s", name, err, e.Request.Body)
				}
			case e.Response.Status >= 400:
				schema = "error.schema.json"
				refusals++
				if name != "own" {
					continue
				}
			default:
				continue
			}
			if err := valid(s[schema], e.Response.Body); err != nil {
				t.Errorf("%s: %s: %v\n%.300s", name, e.Label, err, e.Response.Body)
			}
		}
		if pages < 20 || refusals < 20 || agents < 3 {
			t.Errorf("%s: only %d pages, %d of agents and %d refusals", name, pages, agents, refusals)
		}
	}
}

func TestWhatTheCheckCallsAViolationIsInvalid(t *testing.T) {
	page := schemas(t)["page.schema.json"]
	for _, fault := range []faultybridge.Fault{
		faultybridge.NumberIDs, faultybridge.MissingIDs, faultybridge.NullNames, faultybridge.EmptyNames,
		faultybridge.NullInPhones, faultybridge.PhoneNotInArray, faultybridge.CustomFieldNotString, faultybridge.NullFields,
		faultybridge.OffsetIsNumber, faultybridge.CheckpointIsNumber, faultybridge.NoContactsArray,
		faultybridge.EmptyNextOffset, faultybridge.DeletionsAreObjects,
	} {
		found := slices.ContainsFunc(record(t, faultybridge.New(95, 10, fault), "/contact_sync"), func(e exchange) bool {
			return e.Response.Status == http.StatusOK && valid(page, e.Response.Body) != nil
		})
		if !found {
			t.Errorf("%s: every page is valid", fault)
		}
	}
}

func TestTheSchemaHasEveryFieldOfAContactAndNoOther(t *testing.T) {
	c := full(1)
	text, err := json.Marshal(&c)
	if err != nil {
		t.Fatal(err)
	}
	var written map[string]any
	if err := json.Unmarshal(text, &written); err != nil {
		t.Fatal(err)
	}
	const kept = 1 // Country is read, and never sent
	fields := reflect.TypeFor[contact.Contact]().NumField() - kept
	described := schemas(t)["contact.schema.json"].Properties
	have, want := slices.Sorted(maps.Keys(described)), slices.Sorted(maps.Keys(written))
	if !slices.Equal(have, want) || len(have) != fields {
		t.Errorf("the schema has %q, the code writes %q and has %d fields to send", have, want, fields)
	}
}

func TestTheSchemaHasEveryErrorCode(t *testing.T) {
	var described map[string]any
	text, err := fs.ReadFile(protocol.Files, "error.schema.json")
	if err == nil {
		err = json.Unmarshal(text, &described)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"properties", "error", "properties", "code"} {
		described = described[key].(map[string]any)
	}
	var statuses []int
	for _, code := range described["enum"].([]any) {
		statuses = append(statuses, bridge.HTTPStatus(bridge.Code(code.(string))))
	}
	slices.Sort(statuses)
	want := []int{400, 400, 400, 401, 404, 405, 413, 415, 429, 500, 502, 503, 504}
	if !slices.Equal(statuses, want) {
		t.Errorf("the codes stand for %v, want %v", statuses, want)
	}
	var paths struct {
		Paths map[string]struct {
			Post struct{ Responses map[string]any }
		}
	}
	readOpenAPI(t, &paths)
	for name, p := range paths.Paths {
		for _, status := range want {
			if p.Post.Responses[strconv.Itoa(status)] == nil {
				t.Errorf("%s does not describe %d", name, status)
			}
		}
	}
}

func readOpenAPI(t *testing.T, into any) {
	t.Helper()
	text, err := fs.ReadFile(protocol.Files, "openapi.yaml")
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestExamplesOfTheOpenAPIDocumentAreValid(t *testing.T) {
	var document any
	readOpenAPI(t, &document)
	s := schemas(t)
	examples, refs := 0, 0
	var walk func(where string, node any)
	walk = func(where string, node any) {
		switch node := node.(type) {
		case []any:
			for i, child := range node {
				walk(fmt.Sprintf("%s/%d", where, i), child)
			}
		case map[string]any:
			if ref, ok := node["$ref"].(string); ok && !strings.HasPrefix(ref, "#") {
				refs++
				if s[ref] == nil {
					t.Errorf("%s: there is no %s", where, ref)
				}
			}
			schema, _ := node["schema"].(map[string]any)
			given, _ := node["examples"].(map[string]any)
			for name, example := range given {
				examples++
				text, err := json.Marshal(example.(map[string]any)["value"])
				if err == nil {
					err = valid(s[schema["$ref"].(string)], string(text))
				}
				if err != nil {
					t.Errorf("%s/%s: %v", where, name, err)
				}
			}
			for key, child := range node {
				walk(where+"/"+key, child)
			}
		}
	}
	walk("", document)
	if examples < 6 || refs < 6 {
		t.Errorf("%d examples, %d references", examples, refs)
	}
}
