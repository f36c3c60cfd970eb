package api

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/contactbridge/contactbridge/caller"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// A callerIDQuestion holds the parameters of /callerid. Parameters that it does not know are passed over: telephone systems
// add their own.
type callerIDQuestion struct {
	Number  string `query:"number" required:"true" doc:"The caller's number, in any spelling, or a SIP URI with it. A + that was not encoded is understood; empty is a caller who shows none."`
	Format  string `query:"format" enum:"text,json,xml" default:"text" doc:"text: one line, the name and, where it says more, the company, without what quotes, escapes or is replaced in SIP headers and dial plans. json and xml: name, company, integration, id and url, as they are; nothing where the caller is unknown."`
	Max     int    `query:"max" minimum:"1" maximum:"256" default:"80" doc:"Most characters of the line of text. Telephones show 15 to 30."`
	Region  string `query:"region" doc:"Where it was dialled. Default, and used for an invalid region: the account's."`
	Numbers string `query:"numbers" enum:"e164,national,as_asked" default:"e164" doc:"How number is written in json and xml."`
	Wait    string `query:"wait" doc:"How long it may wait for sources that are asked where no contact is known (ask of an integration): 800ms, 1.5s. At most 2s. Default: none is asked."`
	Token   string `query:"token" doc:"The token, where no header can be sent."`
	InAccount
}

// A callerID is who calls, as telephone systems ask for it.
type callerID struct {
	XMLName     xml.Name `json:"-" xml:"caller"`
	Number      string   `json:"number" xml:"number" doc:"With its country code where it is a full number, otherwise as asked; see numbers."`
	Name        string   `json:"name" xml:"name" doc:"Who the call is shown as: a contact, or a company. Empty for a number that only stands on a list."`
	Company     string   `json:"company" xml:"company" doc:"May be empty."`
	Integration string   `json:"integration" xml:"integration" doc:"Where the contact comes from; empty where only a company is named."`
	ID          string   `json:"id" xml:"id" doc:"The contact's id in the external service."`
	URL         string   `json:"url" xml:"url" doc:"The contact's page in the external service; may be empty."`
	List        string   `json:"list,omitempty" xml:"list,omitempty" enum:"block,allow" doc:"The list that the number stands on. Absent: none."`
}

func (a *API) routeCallerID() {
	o := operation{
		id: "callerID", method: http.MethodGet, path: "/callerid", tag: "callers", scopes: only(registry.ScopeCallers),
		summary: "One line for telephone systems",
		details: "Paths below it, such as /callerid/pbx, answer the same. Answers within 50 ms, and wait besides where a source is asked, or with nothing, never with an error page: 200 and an empty body where the caller is unknown or the time is up; 401, 403 and 429 with an empty body where the token is wrong, lacks the scope, or too many were wrong. The contact that agrees best is named; where several do, as the account's policy says; equal endings name nobody. The header X-Contactbridge-Reason says why, also where the body is empty: exact, national, renumbered, range, live, suffix_only, ambiguous, withheld, dummy, invalid, unknown, wrong_region, too_late where the time is up, or error where the hub could not look. Every question that is answered in time counts as a call, and is kept for as long as the account says.",
	}
	o.describeCallerID(a)
	a.callerID = http.HandlerFunc(a.serveCallerID)
}

// describeCallerID puts the operation into the document: three content types, and errors without a body.
var callerIDType = reflect.TypeFor[callerID]()

func (o operation) describeCallerID(a *API) {
	described := o.describe()
	described.Security = append(append(described.Security, o.security("basic")...), o.security("queryToken")...)
	empty := func(why string) *huma.Response { return &huma.Response{Description: why + " The body is empty."} }
	body := a.huma.OpenAPI().Components.Schemas.Schema(callerIDType, true, "CallerID")
	described.Responses = map[string]*huma.Response{
		"200": {Description: "Who calls, or nothing.", Content: map[string]*huma.MediaType{
			"text/plain":       {Schema: &huma.Schema{Type: huma.TypeString}},
			"application/json": {Schema: body},
			"application/xml":  {Schema: &huma.Schema{Type: huma.TypeString, Description: "The same as elements of <caller>."}},
		}},
		"400": empty("The question says no number, or an unknown format, or a wait that is no duration."),
		"401": empty("No token, or an invalid one."),
		"403": empty("The token lacks the scope, or is for another account, or for several and the question does not say which."),
		"429": empty("Too many wrong tokens came from this address."),
	}
	huma.Register[callerIDQuestion, nothing](undocumentedRoutes{a.huma}, described, nil)
	delete(described.Responses, "204") // the framework's thought
}

// serveCallerID answers a telephone system. Whatever happens it gets no page to read out, and it gets it in time, even where
// a database does not listen when it is told to stop.
func (a *API) serveCallerID(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Cache-Control"] = noStore
	header["X-Content-Type-Options"] = noSniff
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	query, known := typedQuery(r.URL.RawQuery), make(chan callerIDOutcome, 1)
	wait, err := parseWait(query.Get("wait"))
	if err != nil {
		callerIDOutcome{refused: newProblem("bad_request", "", "")}.answer(w, query)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.callerIDTime+wait)
	defer cancel()
	ctx, detached := exchange.Detach(ctx)
	entered := make(chan struct{}) // closed when it is known who asks, and about which account
	go func() {
		var o callerIDOutcome
		defer func() {
			if panicked := recover(); panicked != nil {
				detached.Err, o = fmt.Errorf("panic: %v", panicked), callerIDOutcome{reason: noAnswer}
			}
			known <- o
		}()
		o = a.askCallerID(r.WithContext(ctx), query, wait, entered)
	}()
	x, o := exchange.Of(r.Context()), callerIDOutcome{reason: tooLate}
	select {
	case o = <-known:
		detached.Attach(x)
	case <-ctx.Done():
		select {
		case <-entered:
			x.Account, x.Actor = detached.Account, detached.Actor
		default:
		}
	}
	if o.reason == tooLate {
		a.count("late", "", "")
	}
	x.Reason = string(o.reason)
	o.answer(w, query)
}

// A callerIDOutcome is the outcome of a question.
type callerIDOutcome struct {
	refused *problem
	caller  *callerID     // nil: nobody is named
	reason  caller.Reason // why; empty where the question is refused
}

// The reasons of answers that were not found out.
const (
	tooLate  caller.Reason = "too_late" // the time was up
	noAnswer caller.Reason = "error"    // a fault of ours
)

// reasonHeader says in one word why a call is named, or is not.
const reasonHeader = "X-Contactbridge-Reason"

// askCallerID lets the question in, closes entered, and looks for the caller.
func (a *API) askCallerID(r *http.Request, query url.Values, wait time.Duration, entered chan<- struct{}) callerIDOutcome {
	token := bearer(r)
	if _, password, basic := r.BasicAuth(); token == "" && basic {
		token = strings.TrimSpace(password)
	}
	if token == "" {
		token = query.Get("token")
	}
	actor, account, refused := a.enter(r, token, only(registry.ScopeCallers), oneAccount)
	close(entered)
	if refused != nil {
		return callerIDOutcome{refused: refused}
	}
	number := typedNumber(query.Get("number"))
	switch {
	case callerIDFormats[query.Get("format")] == nil, !query.Has("number"), len(number) > 128:
		return callerIDOutcome{refused: newProblem("bad_request", "", "")}
	}
	spelling, err := caller.ParseSpelling(query.Get("numbers"))
	if err != nil {
		return callerIDOutcome{refused: newProblem("bad_request", "", "")}
	}
	ctx := hub.WithActor(r.Context(), actor)
	region, opts := regionOf(query), caller.LookupOptions{Wait: wait}
	if region == "" {
		opts.UnknownRegion = query.Get("region")
	}
	found, err := a.hub.Call(ctx, account, number, region, opts)
	if ctx.Err() != nil {
		return callerIDOutcome{reason: tooLate} // counted by who waited
	}
	a.looked(account, &found, err)
	if err != nil {
		_ = problemOf(ctx, err) // what is ours goes into the log
		return callerIDOutcome{reason: noAnswer}
	}
	return callerIDOutcome{caller: named(&found, spelling), reason: found.Reason}
}

func (o callerIDOutcome) answer(w http.ResponseWriter, query url.Values) {
	if o.reason != "" {
		w.Header()[reasonHeader] = []string{string(o.reason)}
	}
	if c, format := o.caller, query.Get("format"); c != nil && (c.Name != "" || format == "json" || format == "xml") {
		callerIDFormats[query.Get("format")](w, *o.caller, maxOf(query))
		return
	}
	status := http.StatusOK
	if o.refused != nil {
		o.refused.setHeaders(w.Header().Set)
		status = callerIDStatus(o.refused.status)
		if status == http.StatusUnauthorized { // some send what they have only where they are asked for it
			w.Header().Add("WWW-Authenticate", `Basic realm="contactbridge: the password is the token", charset="UTF-8"`)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
}

// callerIDStatus is the status that a telephone system sees: faults of ours mean "caller unknown" to it.
func callerIDStatus(status int) int {
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return status
	case http.StatusUnprocessableEntity:
		return http.StatusForbidden
	}
	return http.StatusOK
}

// typedQuery reads a query as telephone systems write it. Many put a caller's number or SIP URI into it as it is: a semicolon
// is part of a value, and so is a percent sign that begins no escape.
func typedQuery(raw string) url.Values {
	query := url.Values{}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		query.Add(typed(name), typed(value))
	}
	return query
}

func typed(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// typedNumber is the number that was asked for. Many telephone systems send the + of +44 as it is, which a query takes for
// a space. Of a name with an address, as in From headers, it is the address: digits in the name do not belong to the number.
func typedNumber(number string) string {
	if start := strings.LastIndexByte(number, '<'); start >= 0 {
		number, _, _ = strings.Cut(number[start+1:], ">")
	}
	if len(number) > 1 && number[0] == ' ' && number[1] >= '1' && number[1] <= '9' {
		return "+" + number[1:]
	}
	return number
}

// parseWait reads how long a look-up may wait for sources: a duration, and [hub.MostWait] where it is longer. An empty text is none.
func parseWait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, invalid("wait", "wait: it is a duration.", "Send wait=800ms or wait=1.5s, or leave it out: no source is asked then.")
	}
	return min(wait, hub.MostWait), nil
}

// regionOf returns the region that was asked for, by its code or name: "US", "USA"; "" where it is unknown.
func regionOf(query url.Values) string {
	return country.Code(query.Get("region"))
}

func maxOf(query url.Values) int {
	most, err := strconv.Atoi(query.Get("max"))
	if err != nil || most < 1 {
		return 80
	}
	return min(most, 256)
}

// named is who the call is shown as; nil where there is nothing to show. A number on a list that names nobody has no name.
func named(found *caller.Answer, spelling caller.Spelling) *callerID {
	if found.Named == nil && found.List == "" {
		return nil
	}
	if spelling == "" {
		spelling = caller.E164Spelling
	}
	c := &callerID{Number: clean(spelling.Write(found.Number, found.E164)), List: string(found.List)}
	if n := found.Named; n != nil {
		c.Name, c.Company, c.Integration, c.ID, c.URL = clean(n.Name), clean(n.Company), n.Integration, clean(n.ID), clean(n.URL)
	}
	return c
}

// callerIDFormats write who calls.
var callerIDFormats = map[string]func(w http.ResponseWriter, c callerID, most int){
	"": writeLine, "text": writeLine, "json": writeCallerJSON, "xml": writeCallerXML,
}

func writeLine(w http.ResponseWriter, c callerID, most int) {
	line := c.Name
	if c.Company != "" && !strings.Contains(strings.ToLower(c.Name), strings.ToLower(c.Company)) {
		line += " (" + c.Company + ")"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(cut(inert(line), most)))
}

// inert takes from a line what ends a quoted name in a SIP header, and what a dial plan would put something else in place of:
// FreeSWITCH is said to expand ${…} in the values of variables as well.
func inert(line string) string {
	line = quoting.Replace(line)
	if !strings.Contains(line, "$") {
		return line
	}
	return substitution.ReplaceAllString(line, "$1")
}

var (
	quoting      = strings.NewReplacer(`"`, `'`, `\`, `/`, `<`, `(`, `>`, `)`, `{`, `(`, `}`, `)`, "`", `'`)
	substitution = regexp.MustCompile(`\$+([(\[])`)
)

func writeCallerJSON(w http.ResponseWriter, c callerID, _ int) {
	w.Header()["Content-Type"] = jsonType
	_ = json.NewEncoder(w).Encode(c)
}

func writeCallerXML(w http.ResponseWriter, c callerID, _ int) {
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	_, _ = w.Write([]byte(xml.Header))
	_ = xml.NewEncoder(w).Encode(c)
}

// clean makes one line of a text of an external service: control characters, line ends and what turns the
// direction of writing around would let a name pass for something else in a dial plan or on a screen.
func clean(s string) string {
	if isClean(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.Cf, r), r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// isClean reports whether a text has only printed ASCII characters, and one space at most between two of them.
func isClean(s string) bool {
	space := true // before the text
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && space {
			return false
		}
		space = s[i] == ' '
	}
	return s == "" || !space
}

// cut leaves at most so many characters.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:most]), " (")
}
