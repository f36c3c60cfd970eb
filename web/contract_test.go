package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
	schema "github.com/contactbridge/contactbridge/schema/hub"
)

// A contract is the OpenAPI document, ready to judge answers.
type contract struct {
	compiler   *jsonschema.Compiler
	operations []*described
}

// described is the document's description of an operation.
type described struct {
	id, method, path string
	pattern          *regexp.Regexp
	scopes           []registry.Scope
	responses        map[string]map[string]bool // by status: content types; with a schema where true
	exercised        map[int]bool
}

var pathParameter = regexp.MustCompile(`\\\{[a-z_]+\\\}`)

func newContract(t testing.TB) *contract {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.OpenAPI))
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{compiler: jsonschema.NewCompiler()}
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("openapi.json", parsed); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string
			Security    []map[string][]registry.Scope
			Responses   map[string]struct {
				Content map[string]struct{ Schema any }
			}
		}
	}
	if err := json.Unmarshal(schema.OpenAPI, &document); err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for method, o := range document.Paths[path] {
			d := &described{
				id: o.OperationID, method: strings.ToUpper(method), path: path,
				pattern:   regexp.MustCompile("^" + pathParameter.ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`) + "$"),
				responses: map[string]map[string]bool{}, exercised: map[int]bool{},
			}
			for _, way := range o.Security {
				d.scopes = append(d.scopes, way["token"]...)
			}
			for status, r := range o.Responses {
				d.responses[status] = map[string]bool{}
				for contentType, media := range r.Content {
					d.responses[status][contentType] = media.Schema != nil
				}
			}
			c.operations = append(c.operations, d)
		}
	}
	return c
}

// of is the operation that serves a request. What has no parameter comes first.
func (c *contract) of(method, path string) *described {
	path, _, _ = strings.Cut(path, "?")
	var best *described
	for _, o := range c.operations {
		if o.method == method && o.pattern.MatchString(path) && (best == nil || strings.Count(o.path, "{") < strings.Count(best.path, "{")) {
			best = o
		}
	}
	return best
}

// judge says what is wrong with an answer.
func (c *contract) judge(t testing.TB, o *described, r reply) {
	t.Helper()
	o.exercised[r.status] = true
	status, pointer := strconv.Itoa(r.status), "/components/responses/Error"
	contents, documented := o.responses[status]
	if documented {
		escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(o.path)
		pointer = "/paths/" + url.PathEscape(escaped) + "/" + strings.ToLower(o.method) + "/responses/" + status
	} else {
		if _, general := o.responses["default"]; !general || r.status < 400 {
			t.Errorf("%s: the document has no answer %d", o.id, r.status)
			return
		}
		contents = map[string]bool{"application/json": true}
	}
	if r.body == "" {
		if len(contents) > 0 && o.id != "callerID" {
			t.Errorf("%s: %d has no body", o.id, r.status)
		}
		return
	}
	contentType, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err != nil || !contents[contentType] {
		t.Errorf("%s: %d is %q, which the document does not have", o.id, r.status, r.header.Get("Content-Type"))
		return
	}
	if contentType != "application/json" {
		return
	}
	compiled, err := c.compiler.Compile("openapi.json#" + pointer + "/content/application~1json/schema")
	if err != nil {
		t.Fatalf("%s: %v", o.id, err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(r.body))
	if err == nil {
		err = compiled.Validate(document)
	}
	if err != nil {
		t.Errorf("%s: %d: %v\n%s", o.id, r.status, err, r.body)
	}
}

// A step is a request of the contract test.
type step struct {
	method, path, body string
	status             int
	holds              []string // in the answer
}

// steps exercise every operation. Later ones live on what earlier ones did.
func steps(bridge string) []step {
	get := func(path string, holds ...string) step { return step{"GET", path, "", 200, holds} }
	draft := `"bridge":"` + bridge + `","auth":{"username":"agent","password":"s3cret"}`
	return []step{
		get("/api/v1/callers/%2B442079460958?account=acme", `"how":"exact"`, `"Jane Doe"`),
		get("/api/v1/callers/+442079460958?account=acme&region=gb&limit=3&all=true", `"Jane Doe"`),
		get("/api/v1/callers/020%207946%200958?account=acme", `"e164":"+442079460958"`),
		get("/api/v1/callers/00000000?account=acme", `"matches":[]`, `"reason":"dummy"`),
		get("/api/v1/callers/020%207946%200958?account=acme&explain=true", `"named":{"name":"Jane Doe"`, `"by":"only"`, `"rule":"the same number"`, `"chosen":true`, `"why":"One contact agrees best.`),
		get("/api/v1/callers/+442079460500?account=acme&explain=true", `"reason":"ambiguous"`, `"not":"nothing decides`),
		get("/api/v1/callers/+442079460958?account=acme&numbers=national", `"number":"020 7946 0958","e164":"+442079460958"`),
		get("/api/v1/callers/02079460958?account=acme&numbers=e164", `"number":"+442079460958"`),
		get("/api/v1/calls?account=acme&limit=1", `"calls":[`),
		get("/api/v1/recognition?account=acme&days=3", `"days":[`),
		get("/api/v1/callers/anonymous?account=acme", `"withheld":true`),
		get("/callerid?number=02079460958&account=acme", "Jane Doe (Example Ltd)"),
		get("/callerid?number=+442079460958&account=acme&format=json", `"name":"Jane Doe"`),
		get("/callerid?number=%2B14155550100&account=acme&format=xml", `Sam &lt;Slash&gt; &amp; `),
		get("/api/v1/attributions?account=acme&integration=crm&number=%2B442079460958", `"record":{`, `"url":"https://crm.example.com/7"`),
		get("/api/v1/attributions?account=acme&integration=crm&number=02079460500", `"candidates":[`, `"reason":"`),
		get("/api/v1/attributions?account=acme&integration=crm&email=jane@example.com", `"candidates":[`, `2 contacts of crm share this e-mail address.`),
		get("/api/v1/attributions?account=acme&integration=crm&email=nobody%40example.com", `No contact of crm has this e-mail address.`),
		get("/api/v1/attributions?account=acme&integration=crm&agent_email=ann%40example.com", `"agent":{"integration":"crm","id":"a1","name":"Ann Lee"`),
		get("/api/v1/attributions?account=acme&integration=crm&number=%2B442079460958&agent_email=nobody@example.com", `"record":{`, `"agent_reason":"No agent of crm`),
		get("/api/v1/integrations/crm/agents?account=acme&limit=1&after=a0", `"id":"a1"`, `"email":"Ann@example.com"`),
		{"POST", "/api/v1/purge?account=acme", `{"email":"bob@example.com","dry_run":true}`, 200, []string{`"purged":1`, `"id":"a2","agent":true,"name":"Bob"`}},
		{"POST", "/api/v1/purge?account=acme", `{"refs":[{"integration":"crm","id":"a2","agent":true},{"integration":"crm","id":"nobody","agent":true}]}`, 200, []string{`"purged":1`}},
		get("/api/v1/contacts?account=acme&q=jan+do&integration=crm&limit=5", `"Jane Doe"`),
		get("/api/v1/contacts/crm/7?account=acme", `"name":"Jane Doe"`),
		get("/api/v1/contacts/crm/a%2Fb%20c?account=acme", `"id":"a/b c"`),
		get("/api/v1/contacts/crm/a%2Fb%20c/person?account=acme", `"others":[]`),
		get("/api/v1/contacts/crm/7/person?account=acme", `"Jane Other"`, `"jane@example.com"`),
		{"POST", "/api/v1/purge?account=acme", `{"number":"+442079460111","dry_run":true}`, 200, []string{`"purged":1`, `"Jane Other"`}},
		{"POST", "/api/v1/purge?account=acme", `{"email":"Jane@Example.com","dry_run":true}`, 200, []string{`"purged":2`}},
		{"POST", "/api/v1/purge?account=acme", `{"refs":[{"integration":"crm","id":"11"},{"integration":"crm","id":"nobody"}]}`, 200, []string{`"purged":1`}},
		get("/api/v1/accounts", `"acme"`),
		{"PUT", "/api/v1/accounts/third", `{"region":"FR","time_zone":"Europe/Paris"}`, 200, []string{`"Europe/Paris"`}},
		get("/api/v1/accounts/third", `"FR"`),
		{"DELETE", "/api/v1/accounts/third", "", 204, nil},
		get("/api/v1/integrations?limit=1", `"crm"`),
		{"POST", "/api/v1/drafts/test?account=acme", `{` + draft + `}`, 200, []string{`"ok":true`, `"Jane Doe"`}},
		{"POST", "/api/v1/integrations?account=acme", `{"name":"shop","schedule":{"off":true},` + draft + `}`, 201, []string{`"auth_set":["password","username"]`}},
		get("/api/v1/integrations/shop?account=acme", `"off":true`),
		{"PATCH", "/api/v1/integrations/shop?account=acme", `{"schedule":{"cron":"1 2 * * *","full":"0s"},"guard":{"share":0.5,"min":3},"limits":{"pages":9,"timeout":"5s"},"auth":{"password":"wrong"}}`, 200, []string{`"cron":"1 2 * * *"`, `"full":"0s"`, `"share":0.5`}},
		{"POST", "/api/v1/integrations/shop/test?account=acme", "", 200, []string{`"ok":false`, `"unauthorized"`}},
		{"PATCH", "/api/v1/integrations/shop?account=acme", `{"schedule":null,"oauth":{"grant":"authorization_code","authorize_url":"` + bridge + `","token_url":"` + bridge + `","client_id":"me"},"auth":{"client_secret":"x"}}`, 200, []string{`"grant":"authorization_code"`}},
		{"POST", "/api/v1/integrations/shop/oauth?account=acme", "", 200, []string{`"url":"`, `callback`}},
		{"DELETE", "/api/v1/integrations/shop?account=acme", "", 204, nil},
		{"POST", "/api/v1/files/c.csv?account=acme", "id,name,phone\n1,Ann,020 7946 0001\n", 201, []string{`"kind":"csv"`, `"integrations":[]`}},
		{"POST", "/api/v1/files/d.csv?account=acme", "id,name\n1,Ann\n", 201, nil},
		{"DELETE", "/api/v1/files/d.csv?account=acme", "", 204, nil},
		{"POST", "/api/v1/drafts/preview?account=acme", `{"source":{"kind":"csv","path":"upload:c.csv"},"phones":{"region":"GB"}}`, 200, []string{`"ok":true`, `"name":"Ann"`, `"field":"phones"`}},
		{"POST", "/api/v1/drafts/look?account=acme", `{"source":{"kind":"csv","path":"upload:c.csv"}}`, 200, []string{`"noun":"file"`, `"things":[{`}},
		{"POST", "/api/v1/drafts/sign-in?account=acme", `{"source":{"kind":"hubspot"},"back":"/catalogue"}`, 200, []string{`"url":"https://app.hubspot.com/oauth/authorize?`, `"grant":"`}},
		{"POST", "/api/v1/integrations?account=acme", `{"name":"sheet","schedule":{"off":true},"source":{"kind":"csv","path":"upload:c.csv"}}`, 201, []string{`"source":{"kind":"csv"}`}},
		get("/api/v1/files?account=acme", `"integrations":["sheet"]`, `"single":67108864`),
		{"POST", "/api/v1/files/c.csv/replacement?account=acme", "id,name\n2,Bob\n", 201, []string{`"added":1`, `"removed":1`, `"what":"removed"`}},
		get("/api/v1/file-replacements/{replacement}?account=acme", `"unchanged":0`),
		{"POST", "/api/v1/file-replacements/{replacement}/apply?account=acme", "", 200, []string{`"size":14`}},
		{"POST", "/api/v1/files/c.csv/replacement?account=acme", "id,name\n3,Cid\n", 201, nil},
		{"DELETE", "/api/v1/file-replacements/{replacement}?account=acme", "", 204, nil},
		{"DELETE", "/api/v1/integrations/sheet?account=acme", "", 204, nil},
		{"POST", crm + "/accept-deletions?account=acme", `{"set":"{held}"}`, 200, []string{`"contacts":1`}},
		{"POST", crm + "/refuse-deletions?account=acme", `{"set":"{held}"}`, 200, []string{`"contacts":1`}},
		get(crm+"/held?account=acme&limit=5", `"count":0`, `"contacts":[]`),
		{"POST", crm + "/pause?account=acme", "", 204, nil},
		{"POST", crm + "/resume?account=acme", "", 204, nil},
		{"POST", crm + "/hook?account=acme", "", 200, []string{`"path":"/hooks/acme/crm"`, `"token":"`}},
		{"DELETE", crm + "/hook?account=acme", "", 204, nil},
		{"POST", crm + "/run?account=acme", "", 202, nil},
		{"POST", crm + "/full?account=acme", "", 202, nil},
		{"POST", crm + "/cancel?account=acme", "", 202, nil},
		get(crm+"/runs?account=acme&limit=50", `"kind":"initial"`),
		get(crm+"/runs/1?account=acme", `"log":[`, `"text":"A run over every contact began."`),
		get(crm+"/rejected?account=acme", `"rejected":[`),
		get(crm+"/rejected?account=acme&before=1&limit=5", `"rejected":[]`),
		get("/api/v1/running", `"running":[`),
		get("/api/v1/overview", `"crm"`),
		get("/api/v1/phonebooks?account=acme", `"phonebooks":[]`),
		{"PUT", "/api/v1/phonebooks/desk?account=acme", `{"numbers": {"format": "national"}, "http": {}, "ldap": {}, "carddav": {}}`, 200, []string{`"name":"desk"`, `"settings":`}},
		{"POST", "/api/v1/phonebooks/desk/credentials?account=acme", `{"name":"reception"}`, 201, []string{`"secret":"`, `"kind":"password"`}},
		get("/api/v1/phonebooks/desk?account=acme", `"name":"reception"`),
		{"DELETE", "/api/v1/phonebooks/desk/credentials/reception?account=acme", "", 204, nil},
		{"DELETE", "/api/v1/phonebooks/desk?account=acme", "", 204, nil},
		get("/api/v1/samples?since=2026-01-01T00:00:00Z", `"samples":[`),
		get("/api/v1/events?after=0&account=acme", `"run.finished"`),
		get("/api/v1/audit?limit=5", `"entries":[`),
		get("/api/v1/audit?action=integration.pause&subject=crm&since=2020-01-01T00:00:00Z&until=2099-01-01T00:00:00Z", `"action":"integration.pause"`),
		get("/api/v1/audit.csv?action=integration.pause", "id,time,who,what,account,about,detail\n", ",integration.pause,acme,crm,"),
		{"POST", "/api/v1/tokens?account=acme", `{"name":"softphone","scopes":["callers:read"],"expires":"2099-01-01T00:00:00Z"}`, 201, []string{`"value":"`}},
		get("/api/v1/tokens", `"softphone"`),
		{"DELETE", "/api/v1/tokens/{softphone}", "", 204, nil},
		{"POST", "/api/v1/webhooks?account=acme", `{"url":"https://example.com/hook","kinds":["run.failed"]}`, 201, []string{`"secret":"`}},
		get("/api/v1/webhooks", `"https://example.com/hook"`),
		{"POST", "/api/v1/webhooks/{hook}/test", "", 200, []string{`"kind":"webhook.test"`, `"state":"`}},
		get("/api/v1/webhooks/{hook}/deliveries?limit=5", `"kind":"webhook.test"`, `"attempts":1`),
		{"POST", "/api/v1/webhooks/{hook}/deliveries/{delivery}/retry", "", 202, nil},
		{"POST", "/api/v1/webhooks/{hook}/enable", "", 204, nil},
		{"DELETE", "/api/v1/webhooks/{hook}", "", 204, nil},
	}
}

func TestEveryOperationAnswersAsTheDocumentSays(t *testing.T) {
	f, c := newFixture(t), newContract(t)
	known := regexp.MustCompile(`"id":"([^"]+)"`)
	number, last := regexp.MustCompile(`"id":([0-9]+)`), ""
	ids := map[string]string{}
	for _, s := range steps(f.bridge) {
		if list := known.FindStringSubmatch(last); list == nil && strings.Contains(s.path, "{delivery}") {
			s.path = strings.ReplaceAll(s.path, "{delivery}", number.FindStringSubmatch(last)[1])
		}
		for name, id := range ids {
			s.path = strings.ReplaceAll(s.path, "{"+name+"}", id)
		}
		o := c.of(s.method, s.path)
		if o == nil {
			t.Errorf("%s %s is not in the document", s.method, s.path)
			continue
		}
		if strings.Contains(s.body, "{held}") {
			s.body = strings.ReplaceAll(s.body, "{held}", f.holdBack(t, "12", "11", "9", "10"))
		}
		r := f.ask(t, s.method, s.path, f.admin, s.body)
		c.judge(t, o, r)
		last = r.body
		if r.status != s.status {
			t.Errorf("%s %s: %d, want %d: %s", s.method, s.path, r.status, s.status, r.body)
		}
		for _, part := range s.holds {
			if !strings.Contains(r.body, part) {
				t.Errorf("%s %s: %s does not hold %s", s.method, s.path, r.body, part)
			}
		}
		if found := known.FindStringSubmatch(r.body); found != nil && s.method == http.MethodPost {
			ids[map[string]string{"createToken": "softphone", "addWebhook": "hook", "replaceFile": "replacement"}[o.id]] = found[1]
		}
		if id := r.header.Get("X-Request-Id"); id == "" {
			t.Errorf("%s %s: the answer has no request id", s.method, s.path)
		}
	}
	for _, o := range c.operations {
		fine := slices.ContainsFunc(slices.Collect(maps.Keys(o.exercised)), func(status int) bool { return status < 300 })
		if !fine && o.id != "streamEvents" { // it has tests of its own
			t.Errorf("%s was never answered well", o.id)
		}
	}
}

// holdBack makes the guard hold back the deletion of one contact, the first one that is there, and returns the set.
func (f *fixture) holdBack(t testing.TB, ids ...string) string {
	t.Helper()
	key := directory.Key{Account: "acme", Integration: "crm"}
	for _, id := range ids {
		if _, err := f.store.Contact(t.Context(), key, id); err != nil {
			continue
		}
		run, err := f.store.StartRun(t.Context(), key, directory.Start{Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		err = f.store.ApplyPage(t.Context(), run, directory.PageChanges{Seq: 1, Deleted: []string{id}, Checkpoint: run.Since, Guard: directory.NewGuard(0, 0)})
		guarded, ok := errors.AsType[*directory.GuardedError](err)
		if !ok {
			t.Fatal(err)
		}
		return guarded.Held.Set
	}
	t.Fatal("nobody is left")
	return ""
}

func TestDeletionsAreAcceptedAsShown(t *testing.T) {
	f := newFixture(t)
	set := f.holdBack(t, "12")
	list := f.ask(t, "GET", crm+"/held?account=acme", f.admin, "")
	for _, part := range []string{`"set":"` + set + `"`, `"count":1`, `"id":"12"`, `"name":"Bob Two"`, `"named":true`} {
		if !strings.Contains(list.body, part) {
			t.Errorf("the list does not hold %s: %s", part, list.body)
		}
	}
	if r := f.ask(t, "GET", crm+"?account=acme", f.admin, ""); !strings.Contains(r.body, `"held":{"set":"`+set+`","count":1}`) {
		t.Errorf("the integration: %s", r.body)
	}
	now := f.holdBack(t, "11")
	for body, want := range map[string]int{`{"set":"` + set + `"}`: 409, `{}`: 422, ``: 400} {
		if r := f.ask(t, "POST", crm+"/accept-deletions?account=acme", f.admin, body); r.status != want {
			t.Errorf("%q: %d %s", body, r.status, r.body)
		}
	}
	r := f.ask(t, "POST", crm+"/accept-deletions?account=acme", f.admin, `{"set":"`+now+`"}`)
	if r.status != 200 || !strings.Contains(r.body, `"contacts":2`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := f.ask(t, "POST", crm+"/accept-deletions?account=acme", f.admin, `{"set":"`+now+`"}`); r.status != 409 {
		t.Errorf("a second time: %d %s", r.status, r.body)
	}
	if r := f.ask(t, "GET", crm+"/runs?account=acme&limit=1", f.admin, ""); !strings.Contains(r.body, `"doubt":"incremental"`) || !strings.Contains(r.body, `"judged":false`) {
		t.Errorf("the history: %s", r.body)
	}
}

func TestErrorsHaveOneShapeAndSayWhatTheyAreAbout(t *testing.T) {
	f, c := newFixture(t), newContract(t)
	large := `{"name":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, e := range []struct {
		method, path, body string
		status             int
		code, field        string
	}{
		{"GET", "/api/v1/contacts?account=acme&querry=jane", "", 422, "invalid", "querry"},
		{"GET", "/api/v1/contacts?account=acme", "", 422, "invalid", "q"},
		{"GET", "/api/v1/contacts?q=jane", "", 422, "invalid", "account"},
		{"GET", "/api/v1/contacts?account=acme&q=x&limit=999", "", 422, "invalid", "limit"},
		{"GET", "/api/v1/callers/1?account=acme&limt=1", "", 422, "invalid", "limt"},
		{"GET", "/api/v1/callers/1?account=acme&limit=0", "", 422, "invalid", "limit"},
		{"GET", "/api/v1/callers/1?account=acme&region=GBR", "", 422, "invalid", "region"},
		{"GET", "/api/v1/callers/1?account=acme&all=perhaps", "", 422, "invalid", "all"},
		{"GET", "/api/v1/callers/1", "", 422, "invalid", "account"},
		{"GET", "/api/v1/attributions?account=acme&integration=crm", "", 422, "invalid", "number"},
		{"GET", "/api/v1/attributions?account=acme&integration=crm&number=1&email=a@b.c&agent_email=x@example.com", "", 422, "invalid", "number"},
		{"GET", crm + "/agents?account=acme&limit=0", "", 422, "invalid", "limit"},
		{"GET", "/api/v1/integrations/nosuch/agents?account=acme", "", 404, "not_found", ""},
		{"GET", "/api/v1/contacts/crm/nobody?account=acme", "", 404, "not_found", ""},
		{"GET", "/api/v1/integrations/nosuch?account=acme", "", 404, "not_found", ""},
		{"GET", crm + "/runs?account=acme&before=x", "", 422, "invalid", "before"},
		{"GET", crm + "/rejected?account=acme&before=x", "", 422, "invalid", "before"},
		{"GET", crm + "/rejected?account=acme&before=-1", "", 422, "invalid", "before"},
		{"GET", "/api/v1/events/stream?after=x", "", 422, "invalid", "after"},
		{"POST", "/api/v1/integrations?account=acme", `{"name":"x","brigde":"http://x"}`, 422, "invalid", "brigde"},
		{"POST", "/api/v1/integrations?account=acme", `{"name":"a b","bridge":"http://x"}`, 422, "invalid", "name"},
		{"POST", "/api/v1/integrations?account=acme", `{"name":`, 400, "bad_request", ""},
		{"POST", "/api/v1/integrations?account=acme", large, 413, "body_too_large", ""},
		{"POST", "/api/v1/integrations?account=acme", `{"name":"crm","bridge":"` + f.bridge + `"}`, 409, "conflict", ""},
		{"POST", "/api/v1/purge?account=acme", `{}`, 422, "invalid", "refs"},
		{"POST", "/api/v1/purge?account=acme", `{"number":"hello"}`, 422, "invalid", "number"},
		{"PUT", "/api/v1/accounts/x", `{"region":"gbr"}`, 422, "invalid", "region"},
		{"POST", "/api/v1/tokens", `{"name":"x","scopes":["everything"]}`, 422, "invalid", "scopes[0]"},
	} {
		r := f.ask(t, e.method, e.path, f.admin, e.body)
		c.judge(t, c.of(e.method, e.path), r)
		p := r.problem(t)
		field := p.Field
		if e.field == "" {
			field = "" // the hub may say more
		}
		if r.status != e.status || p.Code != e.code || field != e.field {
			t.Errorf("%s %s: %d %s, want %d %s %s", e.method, e.path, r.status, r.body, e.status, e.code, e.field)
		}
		if p.Message == "" || p.Hint == "" || p.RequestID != r.header.Get("X-Request-Id") {
			t.Errorf("%s %s: %s", e.method, e.path, r.body)
		}
	}
}

func TestErrorsNeverRepeatAValue(t *testing.T) {
	f := newFixture(t)
	for _, body := range []string{
		`{"name":"x","bridge":"http://x","auth":{"password":["hush"]}}`,
		`{"name":"x","bridge":"http://x","auth":"hush"}`,
		`{"name":"x","bridge":"http://x","schedule":{"every":"hush"}}`,
		`{"name":"hush hush","bridge":"http://x"}`,
		`{"name":"x","bridge":"http://x","auth":{"password":"hush"`,
	} {
		r := f.ask(t, "POST", "/api/v1/integrations?account=acme", f.admin, body)
		if r.status < 400 || strings.Contains(r.body, "hush") {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	if strings.Contains(f.log.String(), "hush") {
		t.Error("the log repeats it")
	}
}

func TestPathsThatDoNotExistSaySo(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/api/v2/callers/1", 404, "not_found", ""},
		{"GET", "/api/", 404, "not_found", ""},
		{"GET", "/elsewhere", 404, "not_found", ""},
		{"DELETE", "/api/v1/callers/1", 405, "method_not_allowed", "GET"},
		{"PUT", "/api/v1/integrations/crm", 405, "method_not_allowed", "GET, PATCH, DELETE"},
		{"POST", "/metrics", 405, "method_not_allowed", "GET, HEAD"},
	} {
		r := f.ask(t, c.method, c.path, "", "")
		if p := r.problem(t); r.status != c.status || p.Code != c.code || r.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %v %s", c.method, c.path, r.status, r.header["Allow"], r.body)
		}
	}
}
