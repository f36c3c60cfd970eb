package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/country"
)

const mostMatches = 100

// A callerQuestion holds the parameters of who is calling. The handler reads them by itself: this one is asked while a
// phone rings.
type callerQuestion struct {
	Number string `path:"number" maxLength:"128" doc:"The number in any spelling, percent-encoded: %2B14155550100, +14155550100 and 020%207946%200958 will do."`
	Region string `query:"region" pattern:"^[A-Za-z]{2}$" doc:"Where it was dialled, ISO 3166-1 alpha-2. Default: the account's region."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"10" doc:"Matches in the answer."`
	All    bool   `query:"all" doc:"Look for looser matches even where there are exact ones."`

	Explain bool   `query:"explain" doc:"Say how the number was read, in which forms it was looked for, which contacts were found by which rule, and what decided."`
	Wait    string `query:"wait" doc:"How long it may wait for sources that are asked where no contact is known (ask of an integration): 800ms, 1.5s. At most 2s. Default: none is asked."`
	Numbers string `query:"numbers" enum:"e164,national,as_asked" default:"as_asked" doc:"How numbers are written: e164, national, or as_asked: the caller's as asked, a contact's as it has it. e164 of the answer stays what it is."`
	InAccount

	wait time.Duration
}

// A callsQuestion asks for kept look-ups.
type callsQuestion struct {
	Before int64 `query:"before" minimum:"0" doc:"Only those before this one: next of the answer before."`
	Limit  int   `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Look-ups in the answer."`
	InAccount
}

type callsView struct {
	Calls []callView `json:"calls" doc:"The newest first."`
	Next  int64      `json:"next,omitempty" doc:"Where the list goes on: send it as before. Absent at the end."`
}

// A callView is a look-up that was kept.
type callView struct {
	ID     int64         `json:"id" doc:"Ascending."`
	Time   time.Time     `json:"time" doc:"When it was asked."`
	Answer caller.Answer `json:"answer" doc:"What was answered, with its explanation. Unless the account says otherwise, without names and the last four digits of numbers. Its matches stand in the explanation."`
}

// A recognitionQuestion asks what became of calls.
type recognitionQuestion struct {
	Days int `query:"days" minimum:"1" maximum:"3650" default:"90" doc:"Days, today among them."`
	InAccount
}

type recognitionView struct {
	Days []recognitionDay `json:"days" doc:"Ascending; without those on which nobody asked."`
}

type recognitionDay struct {
	Day       string `json:"day" doc:"Of UTC: 2026-03-01."`
	Asked     int64  `json:"asked" doc:"Calls."`
	Named     int64  `json:"named" doc:"Those that were named."`
	Ambiguous int64  `json:"ambiguous" doc:"Those with several contacts, between which nothing decides."`
	Unknown   int64  `json:"unknown" doc:"Those with no contact that names them. The rest of asked showed no number."`
}

// An attributionQuestion is about one person in one external service.
type attributionQuestion struct {
	Integration string `query:"integration" required:"true" maxLength:"64" doc:"The integration whose record is looked for."`
	Number      string `query:"number" maxLength:"128" doc:"The person's number, in any spelling."`
	Email       string `query:"email" maxLength:"254" doc:"The person's e-mail address, instead of a number."`
	Region      string `query:"region" pattern:"^[A-Za-z]{2}$" doc:"Where the number was dialled. Default: the account's region."`
	AgentEmail  string `query:"agent_email" maxLength:"254" doc:"The e-mail address of the agent who did something with the person: which user of the external service that is. Alone or with a number or an address."`
	InAccount
}

func (a *API) routeCallers() {
	o := operation{
		id: "lookUpCaller", method: http.MethodGet, path: lookUpCallerPath, tag: "callers", scopes: only(registry.ScopeCallers),
		summary: "Who is calling",
		details: "Ranked matches: exact numbers before national before renumbered before a company's range before equal endings. named is who the call is shown as, reason why. An unknown number is not an error: the answer has no matches. Every question counts as a call, and is kept for as long as the account says.",
	}
	documentOnly[callerQuestion, answer[caller.Answer]](a, o)
	a.mux.HandleFunc("GET "+o.path, a.lookUpCaller)
	a.routeCallerID()
	register(a, operation{
		id: "listCalls", method: http.MethodGet, path: "/api/v1/calls", tag: "callers", scopes: only(registry.ScopeCallers),
		summary: "The last look-ups, with their explanation",
	}, a.listCalls)
	register(a, operation{
		id: "readRecognition", method: http.MethodGet, path: "/api/v1/recognition", tag: "callers", scopes: only(registry.ScopeCallers),
		summary: "How many calls were named, by day",
	}, a.recognition)
	register(a, operation{
		id: "attributeCaller", method: http.MethodGet, path: "/api/v1/attributions", tag: "callers", scopes: only(registry.ScopeCallers),
		summary: "A caller's own record in an external service",
		details: "The one record that something can be attached to there; or the candidates and why the match is ambiguous; or nothing. With agent_email, the agent of the external service that it belongs to as well.",
	}, a.attribute)
}

// documentOnly describes an operation that has a handler of its own.
func documentOnly[I, O any](a *API, o operation) {
	described := o.describe()
	huma.Register[I, O](undocumentedRoutes{a.huma}, described, nil)
}

// undocumentedRoutes is the framework's API without a router: what is registered stands in the document only.
type undocumentedRoutes struct{ huma.API }

// Adapter is where handlers would go.
func (u undocumentedRoutes) Adapter() huma.Adapter { return nowhere{u.API.Adapter()} }

type nowhere struct{ huma.Adapter }

// Handle forgets the handler.
func (nowhere) Handle(*huma.Operation, func(huma.Context)) {}

const (
	callersBegin     = "/api/v1/callers/"
	lookUpCallerPath = callersBegin + "{number}"
)

// callerPath returns the number of a path of lookUpCaller, as the mux would, which takes longer; is is false where the mux has to look.
func callerPath(r *http.Request) (number string, is bool) {
	number, is = strings.CutPrefix(r.URL.Path, callersBegin)
	if !is || r.Method != http.MethodGet || number == "" || number == "." || number == ".." || strings.Contains(number, "/") {
		return "", false
	}
	// RawPath is empty where nothing in the path was encoded, or nothing that need be.
	if raw := r.URL.RawPath; raw != "" && (!strings.HasPrefix(raw, callersBegin) || strings.Contains(raw[len(callersBegin):], "/")) {
		return "", false
	}
	return number, true
}

var callersOnly = only(registry.ScopeCallers)

// lookUpCaller answers who is calling.
func (a *API) lookUpCaller(w http.ResponseWriter, r *http.Request) {
	a.lookUpCallerBy(w, r, r.PathValue("number"))
}

func (a *API) lookUpCallerBy(w http.ResponseWriter, r *http.Request, number string) {
	q, p := parseCallerQuestion(r, number)
	actor, account, refused := a.enter(r, bearer(r), callersOnly, oneAccount)
	if refused != nil {
		p = refused
	}
	if p != nil {
		p.Write(w, r)
		return
	}
	found, err := a.lookUp(hub.WithActor(r.Context(), actor), account, q)
	if err != nil {
		problemOf(r.Context(), err).Write(w, r)
		return
	}
	if q.Numbers != "" {
		found.Spell(caller.Spelling(q.Numbers))
	}
	buffer := bodies.Get().(*[]byte)
	defer bodies.Put(buffer)
	body := appendAnswer((*buffer)[:0], &found)
	*buffer = body
	header := w.Header()
	header["Content-Type"] = jsonType
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	_, _ = w.Write(body) // a caller that has gone has no use for it
	// What is left to do, the log and the metrics, no caller need wait for.
	_ = http.NewResponseController(w).Flush()
}

// bodies are kept for reuse: this is asked at every call.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

var jsonType = []string{"application/json"}

// parseCallerQuestion reads the parameters as strictly as the framework does.
func parseCallerQuestion(r *http.Request, number string) (callerQuestion, *problem) {
	q := callerQuestion{Number: number}
	if len(q.Number) > 128 {
		return q, invalid("number", "This is too long for a number.", "Send one number, of at most 128 characters.")
	}
	if r.URL.RawQuery == "" {
		return q, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, newProblem("bad_request", "The query is malformed.", "Percent-encode the values.")
	}
	for name, all := range values {
		if p := q.set(name, all[0]); p != nil {
			return q, p
		}
	}
	return q, nil
}

func (q *callerQuestion) set(name, value string) *problem {
	var err error
	switch name {
	case "account":
		q.Account = value
	case "region":
		if q.Region = value; value != "" && !isRegion(value) {
			return invalid("region", "unknown region "+strconv.Quote(value)+".", country.Hint(value))
		}
	case "limit":
		if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 1 || q.Limit > mostMatches {
			return invalid("limit", "limit: it is a number from 1 to 100.", "Send limit=10, or leave it out.")
		}
	case "all":
		if q.All, err = strconv.ParseBool(value); err != nil {
			return invalid("all", "all: it is true or false.", "Send all=true, or leave it out.")
		}
	case "explain":
		if q.Explain, err = strconv.ParseBool(value); err != nil {
			return invalid("explain", "explain: it is true or false.", "Send explain=true, or leave it out.")
		}
	case "wait":
		if q.wait, err = parseWait(value); err != nil {
			return problemOf(context.Background(), err)
		}
	case "numbers":
		if _, err := caller.ParseSpelling(value); err != nil {
			return invalid("numbers", failure.Of(err).Message+".", failure.Of(err).Hint)
		}
		q.Numbers = value
	default:
		return invalid(name, "Unknown query parameter "+strconv.Quote(name)+".", seeDocument)
	}
	return nil
}

func isRegion(s string) bool {
	letter := func(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
	return len(s) == 2 && letter(s[0]) && letter(s[1])
}

// lookUp asks the hub and counts what came of it.
func (a *API) lookUp(ctx context.Context, account string, q callerQuestion) (caller.Answer, error) {
	found, err := a.hub.Call(ctx, account, q.Number, q.Region, caller.LookupOptions{Limit: q.Limit, All: q.All, Explain: q.Explain, Wait: q.wait})
	a.looked(account, &found, err)
	return found, err
}

// looked counts a look-up, for the metrics. Only accounts that there are get a count of their own.
func (a *API) looked(account string, found *caller.Answer, err error) {
	recognized := ""
	if err == nil {
		recognized = hub.Recognized(found)
	}
	a.count(resultOf(found, err), account, recognized)
}

func (a *API) listCalls(ctx context.Context, in *callsQuestion) (*answer[callsView], error) {
	list, err := a.hub.Calls(ctx, accountOf(ctx), in.Before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	var view callsView
	if len(list) > in.Limit {
		list = list[:in.Limit]
		view.Next = list[in.Limit-1].ID
	}
	view.Calls = views(list, func(c hub.KeptCall) callView { return callView(c) })
	return answered(view), nil
}

func (a *API) recognition(ctx context.Context, in *recognitionQuestion) (*answer[recognitionView], error) {
	list, err := a.hub.Recognitions(ctx, accountOf(ctx), a.clock().AddDate(0, 0, 1-in.Days))
	return answered(recognitionView{views(list, func(r registry.Recognition) recognitionDay {
		return recognitionDay{Day: r.Day.Format(time.DateOnly), Asked: r.Asked, Named: r.Named, Ambiguous: r.Ambiguous, Unknown: r.Unknown}
	})}), err
}

// resultOf returns the outcome of a lookup, for the metrics.
func resultOf(found *caller.Answer, err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "late"
	case err != nil:
		return "error"
	case found.Withheld:
		return "withheld"
	case len(found.Matches) == 0:
		return "none"
	}
	return "match"
}

// appendAnswer writes an answer as encoding/json would.
func appendAnswer(b []byte, answer *caller.Answer) []byte {
	b = contact.AppendString(append(b, `{"number":`...), answer.Number)
	b = appendField(b, "e164", answer.E164)
	b = appendField(b, "extension", answer.Extension)
	b = appendField(b, "region", answer.Region)
	if answer.Withheld {
		b = append(b, `,"withheld":true`...)
	}
	b = appendField(b, "note", answer.Note)
	b = contact.AppendString(append(b, `,"reason":`...), string(answer.Reason))
	b = appendField(b, "list", string(answer.List))
	if answer.Named != nil {
		b = appendNamed(b, answer.Named)
	}
	b = append(b, `,"matches":[`...)
	for i := range answer.Matches {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMatch(b, &answer.Matches[i])
	}
	b = append(b, ']')
	if answer.More > 0 {
		b = strconv.AppendInt(append(b, `,"more":`...), int64(answer.More), 10)
	}
	if answer.Explanation != nil {
		explanation, _ := json.Marshal(answer.Explanation) // it can always be written
		b = append(append(b, `,"explanation":`...), explanation...)
	}
	return append(b, '}', '\n')
}

func appendNamed(b []byte, n *caller.Named) []byte {
	b = contact.AppendString(append(b, `,"named":{"name":`...), n.Name)
	b = appendField(b, "company", n.Company)
	b = appendField(b, "integration", n.Integration)
	b = appendField(b, "id", n.ID)
	b = appendField(b, "url", n.URL)
	return append(contact.AppendString(append(b, `,"by":`...), string(n.By)), '}')
}

func appendMatch(b []byte, m *caller.Match) []byte {
	b = contact.AppendString(append(b, `{"how":`...), string(m.How))
	b = strconv.AppendInt(append(b, `,"agree":`...), int64(m.Agree), 10)
	b = contact.AppendString(append(b, `,"integration":`...), m.Integration)
	b = contact.AppendString(append(b, `,"id":`...), m.ID)
	b = contact.AppendString(append(b, `,"name":`...), m.Name)
	b = appendField(b, "title", m.Title)
	b = appendField(b, "company", m.Company)
	b = appendField(b, "url", m.URL)
	b = contact.AppendString(append(b, `,"number":`...), m.Number)
	b = appendField(b, "e164", m.E164)
	b = appendField(b, "extension", m.Extension)
	b = appendField(b, "email", m.Email)
	if m.Live {
		b = append(b, `,"live":true`...)
	}
	return append(b, '}')
}

// appendField writes a field that is left out where it is empty.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return contact.AppendString(b, value)
}

// attribute answers which record is a caller's.
func (a *API) attribute(ctx context.Context, in *attributionQuestion) (*answer[caller.Attribution], error) {
	if in.Number != "" && in.Email != "" || in.Number == "" && in.Email == "" && in.AgentEmail == "" {
		return nil, invalid("number", "It takes a number or an e-mail address.", "Send one of  number=  and  email= , and agent_email=  for the agent.")
	}
	key := directory.Key{Account: accountOf(ctx), Integration: in.Integration}
	found, err := a.hub.Attribute(ctx, key, caller.Subject{Number: typedNumber(in.Number), Region: strings.ToUpper(in.Region), Email: in.Email, AgentEmail: in.AgentEmail})
	return &answer[caller.Attribution]{Body: found}, err
}
