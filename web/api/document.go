package api

import (
	"bytes"
	"encoding/json"
	"reflect"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/yaml"

	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

const about = `The synchronizer as a service: accounts, integrations and their runs, the contacts they brought, and who is calling.

Every request but the one for this document carries a token: ` + "`Authorization: Bearer TOKEN`" + `. A token is for one account and
what its scopes allow; one with the scope ` + "`admin`" + ` and no account may do everything, and says by ` + "`?account=`" + ` where.
Parameters and fields that are not known are refused, so that nothing is misspelt in silence. Ids in a path are percent-encoded.`

// config is how the framework works here. The document is served by us; no page of it is, since those load scripts from
// other hosts.
func (a *API) config() huma.Config {
	schemas := huma.NewMapRegistry("#/components/schemas/", schemaName)
	schemas.RegisterTypeAlias(reflect.TypeFor[contact.Contact](), reflect.TypeFor[contactView]())
	problems := schemas.Schema(reflect.TypeFor[exchange.ErrorBody](), true, "Error")
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "contactbridge hub", Version: "1", Description: about, License: &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"}},
			Tags: []*huma.Tag{
				{Name: "callers", Description: "Who is calling, and who they are in an external service."},
				{Name: "contacts", Description: "Search and read contacts; forget a person."},
				{Name: "integrations", Description: "Bridges that contacts come from: their settings, runs and health."},
				{Name: "accounts", Description: "Contact centres."},
				{Name: "events", Description: "What happened: as a list, as a stream, and by webhooks."},
				{Name: "administration", Description: "Tokens and the audit log."},
			},
			Components: &huma.Components{
				Schemas: schemas,
				Responses: map[string]*huma.Response{"Error": {
					Description: "What went wrong and what to do. 400 malformed; 401 no token, or an invalid one; 403 the token lacks the scope, or is for another account; 404 no such thing; 409 exists already, is under way, or is declared by the configuration file; 413 the body is too large; 415 not JSON; 422 what was given cannot be; 429 too many wrong tokens; 500 the hub failed.",
					Content:     map[string]*huma.MediaType{"application/json": {Schema: problems}},
				}},
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token":      {Type: "http", Scheme: "bearer", Description: "A token, made with `contactbridge hub token create`, by POST /api/v1/tokens, or in the console."},
					"basic":      {Type: "http", Scheme: "basic", Description: "For telephone systems that send a name and a password: any name, and the token as the password; /callerid only."},
					"queryToken": {Type: "apiKey", In: "query", Name: "token", Description: "For telephone systems that cannot send a header; /callerid only."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{shapeProblem},
	}
}

// schemaName names schemas after our types: integrationView is Integration.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if cut := len(name) - len("View"); cut > 0 && name[cut:] == "View" {
		return name[:cut]
	}
	if name == "ErrorBody" {
		return "Error"
	}
	return name
}

// finishDocument puts the last touches to the document and keeps it ready to be served.
func (a *API) finishDocument() {
	document := a.huma.OpenAPI()
	schemas := document.Components.Schemas.Map()
	delete(schemas, "ErrorModel") // the framework's own errors, which are never sent
	delete(schemas, "ErrorDetail")
	for _, s := range schemas {
		neverNull(s)
	}
	describe(schemas)
	taken := schemas["Changes"].Properties
	schemas["Changes"].Properties = orNull(taken)
	a.json, _ = json.Marshal(document) // of plain values; the tests read it
	a.yaml = sync.OnceValue(a.asYAML)
	schemas["Changes"].Properties = taken
}

// asYAML returns the document as YAML, which few ask for: making it takes longer than everything else that an API begins with.
func (a *API) asYAML() []byte {
	var b bytes.Buffer
	_ = yaml.Convert(&b, bytes.NewReader(a.json)) // it is valid JSON
	return b.Bytes()
}

// orNull is how fields look that null takes away. The framework takes null for every optional field, and complains better
// where it is not told of a choice: only the document is.
func orNull(properties map[string]*huma.Schema) map[string]*huma.Schema {
	all := make(map[string]*huma.Schema, len(properties))
	for name, p := range properties {
		described := *p
		described.Description = ""
		all[name] = &huma.Schema{Description: p.Description, AnyOf: []*huma.Schema{&described, {Type: "null"}}}
	}
	return all
}

// neverNull says that lists are lists: the framework takes every slice for one that may be null.
func neverNull(s *huma.Schema) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	neverNull(s.Items)
	for _, p := range s.Properties {
		neverNull(p)
	}
}

// describe adds what the types of other packages say in their comments.
func describe(schemas map[string]*huma.Schema) {
	for name, fields := range map[string]map[string]string{
		"Answer": {
			"number":    "The number as asked.",
			"e164":      "The number with its country code. Absent if it is not a full number.",
			"extension": "What was dialled after it.",
			"region":    "The country it belongs to, ISO 3166-1 alpha-2.",
			"withheld":  "The caller does not show a number.",
			"note":      "Why the number could not be looked up, a sentence.",
			"reason": "Why the call is named: exact, national, renumbered, range; live: its source was asked. Or why it is not: suffix_only: only last digits agree. ambiguous: several contacts have the number, and the policy does not decide. " +
				"withheld: it shows no number. dummy: a placeholder such as 0000000000. invalid: not a phone number of the region. unknown: no contact has it. wrong_region: in another country it may be a contact's.",
			"list":        "block or allow: the list that the number stands on. Absent: none.",
			"named":       "Who the call is shown as. Absent: nobody.",
			"explanation": "How the answer came about. Only where it was asked for.",
			"matches":     "Whose number it may be, the best first.",
			"more":        "Matches left out for the limit, as far as they were counted.",
		},
		"Match": {
			"how":         "exact: the same number. national: one of the two lacks its country code. renumbered: the same number before or after its country changed its numbers. range: the match is the company that the number belongs to, not a contact. suffix: the last digits are equal. email: the same e-mail address, of attributions only.",
			"agree":       "How many of the last digits are equal.",
			"integration": "Where the contact comes from.",
			"id":          "The contact's id in the external service.",
			"name":        "The contact's name.",
			"title":       "Job title.",
			"company":     "Company.",
			"url":         "The contact's page in the external service.",
			"number":      "The contact's number, as it was written there.",
			"e164":        "The contact's number with its country code. Absent if it is not a full number.",
			"extension":   "The contact's extension.",
			"email":       "The contact's e-mail address, where that is what agrees.",
			"live":        "Its source answered it now: the directory does not have it yet, and nothing can be attributed to it.",
		},
		"Named": {
			"name":        "A contact's name, or a company's.",
			"company":     "Company.",
			"integration": "Where the contact comes from. Absent where only a company is named.",
			"id":          "The contact's id in the external service.",
			"url":         "The contact's page in the external service.",
			"by":          "What decided: only: one contact agrees best. same_name: all that do have the name. priority, company, newest: the policy. range: the company has the range.",
		},
		"Explanation": {
			"account":    "The account that was asked.",
			"region":     "The country by which the number was read.",
			"read":       "How it was read, a sentence.",
			"asked":      "The sources that were asked, since no contact has the number. Absent: none was.",
			"forms":      "In which spellings it was looked for, in their order.",
			"candidates": "What was found, the best first.",
			"policy":     "What decides between several contacts that agree equally well, in this order.",
			"why":        "Who was named and why, or why nobody was: sentences.",
			"ages":       "How old what the integrations' contacts say may be.",
		},
		"Asked": {
			"integration": "The integration whose source was asked.",
			"found":       "Contacts that it answered. Only those that have the number by the same rules as stored ones are among the candidates.",
			"note":        "Why it was not asked, or did not answer, a sentence.",
		},
		"Form": {
			"as":     "The rule that it belongs to.",
			"number": "Digits: with + a full number, with … in front an ending, with x a range.",
			"found":  "How many were found.",
			"by":     "Of a renumbering: which. Of a range: configured or derived.",
		},
		"Candidate": {
			"how":         "How its number agrees; see Match.",
			"agree":       "How many of the last digits are equal.",
			"integration": "Where the contact comes from.",
			"id":          "The contact's id in the external service.",
			"name":        "The contact's name.",
			"title":       "Job title.",
			"company":     "Company.",
			"url":         "The contact's page in the external service.",
			"number":      "The contact's number, as it was written there.",
			"e164":        "The contact's number with its country code. Absent if it is not a full number.",
			"extension":   "The contact's extension.",
			"email":       "Absent.",
			"live":        "Its source answered it now.",
			"rule":        "What found it, a phrase.",
			"priority":    "The priority of its integration. Absent: none.",
			"role":        "What its integration holds: contacts, block or allow.",
			"changed":     "When a run last changed the contact. Absent: not known.",
			"chosen":      "It names the call.",
			"not":         "Why it does not, a phrase.",
		},
		"Age": {
			"integration": "The integration.",
			"fresh":       "Everything that was committed there before is in the directory. Absent: no run was complete.",
		},
		"Attribution": {
			"record":       "The one record. Absent if no record matches, or the match is ambiguous.",
			"candidates":   "If the match is ambiguous: the records that it may be, the best first.",
			"reason":       "Why no record is named, a sentence.",
			"agent":        "The agent of the external service. Absent if none was asked for or matches, or the match is ambiguous.",
			"agents":       "If the match is ambiguous: the agents that it may be.",
			"agent_reason": "Why no agent is named although one was asked for, a sentence.",
		},
		"Agent": {
			"integration": "Where the agent comes from.",
			"id":          "The agent's id in the external service.",
			"name":        "The agent's name.",
			"email":       "The agent's e-mail address.",
			"user":        "The hub's user with the same address. Absent: there is no such user.",
		},
		"Field": {
			"name":      "The key in the auth object.",
			"display":   "Label. Default: the name.",
			"mandatory": "It must have a value.",
			"type":      "text (default), password or uri.",
			"help":      "A sentence for anyone who fills it in.",
			"format":    "Template of the value, such as https://{{account}}.example.com, where account is typed.",
			"default":   "The value where nothing is typed.",
			"source":    "input (default): a person gives the value. default: it is the field's default, for everybody. auth_validation: the auth_validation endpoint answers it.",
			"store":     "Whether the value is kept. false: it is sent to the auth_validation endpoint once, when it is given, and forgotten. Default: true.",
		},
		"OAuth": {
			"client":        "Of a source: the operator's client by which a person signs in at its external service, and nothing else of oauth.",
			"grant":         "authorization_code, client_credentials, or password: with the auth values username and password.",
			"authorize_url": "Where a browser permits the hub's access.",
			"token_url":     "Where tokens come from.",
			"client_id":     "The hub's id there. Its secret is the auth value client_secret.",
			"scopes":        "What to ask for.",
			"params":        "More parameters of the authorization request.",
			"field":         "Auth field that carries the access token. Default: access_token.",
		},
		"Problem": {
			"code":    "What kind of problem it is, for programs.",
			"message": "What happened.",
			"hint":    "What to do.",
			"since":   "Since when.",
		},
		"Ask": {
			"run":    "A run as soon as there is a worker.",
			"full":   "And everything, whatever checkpoint there is.",
			"resume": "A full run that was asked for is half done: it is gone on with.",
			"cancel": "The end of the run that is under way.",
		},
		"TestResult": {
			"ok":       "It works.",
			"checked":  "What was asked: auth_validation, or first page.",
			"contacts": "How many contacts the first page has.",
			"sample":   "The first few of them.",
			"stored":   "Names of the auth values that the bridge gave, and that are sent from now on.",
			"problem":  "What is wrong with the bridge.",
			"seconds":  "How long it took.",
		},
	} {
		for field, text := range fields {
			if s := schemas[name]; s != nil && s.Properties[field] != nil && s.Properties[field].Description == "" {
				s.Properties[field].Description = text
			}
		}
	}
}
