package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// IntegrationPath names an integration.
type IntegrationPath struct {
	Integration string `path:"integration" maxLength:"64" doc:"The integration."`
	InAccount
}

func (p IntegrationPath) key(ctx context.Context) directory.Key {
	return directory.Key{Account: accountOf(ctx), Integration: p.Integration}
}

type integrationsView struct {
	Integrations []integrationView `json:"integrations" doc:"By account and name."`
	Next         string            `json:"next,omitempty" doc:"Where the list goes on: send it as after. Absent at the end."`
}

type integrationsQuestion struct {
	After string `query:"after" maxLength:"130" doc:"Where to go on: next of the answer before."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Integrations in the answer."`
	InAccount
}

// AuthValues are the values that an integration sends to its bridge.
type AuthValues struct {
	Grant string `json:"grant,omitempty" maxLength:"64" doc:"What a person's sign-in gave, where there is oauth.client."`

	Auth map[string]string `json:"auth,omitempty" doc:"Auth values by name, client_secret for OAuth among them. They are never shown again. Of a change: those that are named are set; an empty one is removed."`
}

type newIntegration struct {
	Name string `json:"name" pattern:"^[A-Za-z0-9_-]{1,64}$" patternDescription:"letters, digits, hyphen and underscore, at most 64" doc:"Unique in its account."`
	IntegrationSettings
	AuthValues
}

// changes are [IntegrationSettings] of which all may be absent.
type changes struct {
	Bridge     *string           `json:"bridge,omitempty" maxLength:"2048" doc:"URL of the contact_sync endpoint. It takes the place of a source."`
	Source     map[string]any    `json:"source,omitempty" doc:"The external service that the hub reads itself; all of it. It takes the place of a bridge."`
	Phones     map[string]any    `json:"phones,omitempty" doc:"Of the source, and given with it."`
	ItsAgents  map[string]any    `json:"source_agents,omitempty" doc:"Of the source, and given with it."`
	Page       map[string]any    `json:"page,omitempty" doc:"Of the source, and given with it."`
	Validation *string           `json:"validation,omitempty" maxLength:"2048" doc:"URL of the auth_validation endpoint; null: none."`
	Agents     *string           `json:"agents,omitempty" maxLength:"2048" doc:"URL of the agent_sync endpoint; null: none."`
	Fields     []registry.Field  `json:"fields,omitempty" maxItems:"50" doc:"What the auth object holds; all of them."`
	OAuth      *registry.OAuth   `json:"oauth,omitempty" doc:"How it gets an access token; null: it needs none."`
	Schedule   *scheduleView     `json:"schedule,omitempty" doc:"When it runs. Setting one of every, cron and off takes the others away; null: the default."`
	Limits     *limitsView       `json:"limits,omitempty" doc:"What one run may take; null: the defaults."`
	Guard      *guardView        `json:"guard,omitempty" doc:"Stands in front of deletions; null: the default."`
	Priority   *int              `json:"priority,omitempty" minimum:"1" maximum:"1000000" doc:"Of its contacts where several have the number of a call; null: none."`
	Role       *string           `json:"role,omitempty" enum:"contacts,block,allow" doc:"What its contacts are; null: contacts."`
	Grant      string            `json:"grant,omitempty" maxLength:"64" doc:"What a person's sign-in gave, where there is oauth.client."`
	Auth       map[string]string `json:"auth,omitempty" doc:"Auth values that are set; an empty one is removed, others stay."`
}

func (a *API) routeIntegrations() {
	const tag = "integrations"
	register(a, operation{
		id: "listIntegrations", method: http.MethodGet, path: "/api/v1/integrations", tag: tag, scopes: lookers, account: anyAccount,
		summary: "List integrations",
	}, a.listIntegrations)
	register(a, operation{
		id: "addIntegration", method: http.MethodPost, path: "/api/v1/integrations", tag: tag, scopes: only(registry.ScopeWrite), status: http.StatusCreated,
		summary: "Add an integration",
	}, a.addIntegration)
	register(a, operation{
		id: "testDraft", method: http.MethodPost, path: "/api/v1/drafts/test", tag: tag, scopes: only(registry.ScopeWrite),
		summary: "Try an integration before it is added",
		details: "Nothing is stored. What is wrong with the bridge is the answer's problem, not an error.",
	}, a.testDraft)
	const path = "/api/v1/integrations/{integration}"
	register(a, operation{
		id: "readIntegration", method: http.MethodGet, path: path, tag: tag, scopes: lookers,
		summary: "An integration and how it stands",
	}, func(ctx context.Context, in *IntegrationPath) (*answer[integrationView], error) {
		return a.integration(ctx, in.key(ctx))
	})
	register(a, operation{
		id: "changeIntegration", method: http.MethodPatch, path: path, tag: tag, scopes: only(registry.ScopeWrite),
		summary: "Change an integration's settings",
		details: "A JSON merge patch (RFC 7396): what is absent stays, null takes away. Settings and auth values change together or not at all. " +
			"Two changes at the same moment are made one after the other; a change that must not meet another one says so with If-Match. Pausing is an operation of its own.",
	}, a.changeIntegration)
	register(a, operation{
		id: "removeIntegration", method: http.MethodDelete, path: path, tag: tag, scopes: only(registry.ScopeWrite),
		summary: "Remove an integration and its contacts",
		details: "Its run under way is cancelled. From the answer on it is not listed and no look-up finds its contacts; the contacts of a large one go a little later.",
	}, func(ctx context.Context, in *IntegrationPath) (*nothing, error) {
		return nil, a.hub.RemoveIntegration(ctx, in.key(ctx))
	})
}

// integration answers with one as it stands now.
func (a *API) integration(ctx context.Context, key directory.Key) (*answer[integrationView], error) {
	i, err := a.hub.Integration(ctx, key)
	return answered(viewIntegration(i)), err
}

func (a *API) listIntegrations(ctx context.Context, in *integrationsQuestion) (*answer[integrationsView], error) {
	var after directory.Key
	if in.After != "" {
		var found bool
		if after.Account, after.Integration, found = strings.Cut(in.After, "/"); !found {
			return nil, invalid("after", "after: this is not where a list goes on.", "Send next of the answer before, or leave it out.")
		}
	}
	list, err := a.hub.Integrations(ctx, accountOf(ctx), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	var view integrationsView
	if len(list) > in.Limit {
		list = list[:in.Limit]
		last := list[in.Limit-1]
		view.Next = last.Account + "/" + last.Integration.Integration
	}
	view.Integrations = views(list, viewIntegration)
	return answered(view), nil
}

func (a *API) addIntegration(ctx context.Context, in *struct {
	InAccount
	Body newIntegration
},
) (*answer[integrationView], error) {
	key := directory.Key{Account: accountOf(ctx), Integration: in.Body.Name}
	auth, err := in.Body.withSource(in.Body.Auth)
	if err != nil {
		return nil, err
	}
	if err := a.hub.AddIntegration(ctx, in.Body.integration(key), withGrant(auth, in.Body.Grant)); err != nil {
		return nil, err
	}
	return a.integration(ctx, key)
}

func (a *API) testDraft(ctx context.Context, in *struct {
	InAccount
	Body struct {
		IntegrationSettings
		AuthValues
	} `nameHint:"Draft"`
},
) (*answer[hub.TestResult], error) {
	auth, err := in.Body.withSource(in.Body.Auth)
	if err != nil {
		return nil, err
	}
	result, err := a.hub.TestDraft(ctx, in.Body.integration(directory.Key{Account: accountOf(ctx)}), withGrant(auth, in.Body.Grant))
	return answered(result), err
}

// A change that meets another one is made again on top of it, so many times.
const mergeAttempts = 8

func (a *API) changeIntegration(ctx context.Context, in *struct {
	IntegrationPath
	IfMatch string  `header:"If-Match" maxLength:"40" doc:"The version that the change is for, as it was read: 7. Where the integration has another one by now, nothing is changed (409)."`
	Body    changes `nameHint:"IntegrationChanges"`
	RawBody []byte
},
) (*answer[integrationView], error) {
	key := in.key(ctx)
	version, err := versionOf(in.IfMatch)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		current, err := a.hub.Integration(ctx, key)
		if err != nil {
			return nil, err
		}
		settings, err := merged(viewSettings(current.Integration), in.RawBody)
		if err != nil {
			return nil, err
		}
		changed := settings.integration(key)
		if changed.Version = current.Version; version != 0 {
			changed.Version = version
		}
		auth, err := settings.withSource(in.Body.Auth)
		if err != nil {
			return nil, err
		}
		err = a.hub.ChangeIntegration(ctx, changed, withGrant(auth, in.Body.Grant))
		if failure.Of(err).Code == failure.Conflict && version == 0 && attempt < mergeAttempts {
			continue
		}
		if err != nil {
			return nil, err
		}
		return a.integration(ctx, key)
	}
}

// versionOf returns the version that an If-Match names: 7, or "7" as an entity tag is written; 0 where any will do.
func versionOf(match string) (int64, error) {
	match = strings.Trim(strings.TrimSpace(match), `"`)
	if match == "" || match == "*" {
		return 0, nil
	}
	version, err := strconv.ParseInt(match, 10, 64)
	if err != nil || version <= 0 {
		return 0, invalid("If-Match", "If-Match: this is not a version of an integration.", "Send the version that was read, or leave it out.")
	}
	return version, nil
}

// merged is the settings with a merge patch applied.
func merged(current IntegrationSettings, patch []byte) (changed IntegrationSettings, err error) {
	was, err := json.Marshal(current)
	if err != nil {
		return changed, err
	}
	var target, change map[string]any
	if err := json.Unmarshal(was, &target); err != nil {
		return changed, err
	}
	if err := json.Unmarshal(patch, &change); err != nil {
		return changed, newProblem("bad_request", "The body is not an object.", seeDocument)
	}
	delete(change, "auth")
	delete(change, "grant")
	if key := capital(change); key != "" {
		return changed, invalid(key, fmt.Sprintf("Unknown field %q.", key), "Write the names of fields in small letters.")
	}
	makeRoom(target, change)
	now, err := json.Marshal(mergePatch(target, change))
	if err != nil {
		return changed, err
	}
	return changed, json.Unmarshal(now, &changed)
}

// capital is a field's name with capital letters, which the framework would take for the one without: here they would be
// two; empty without a parameter. The hub does not decide how parameters of OAuth and keys of a source are written.
func capital(change map[string]any) string {
	for key, value := range change {
		if key != strings.ToLower(key) {
			return key
		}
		if inner, ok := value.(map[string]any); ok && !slices.Contains(foreign, key) {
			if found := capital(inner); found != "" {
				return found
			}
		}
	}
	return ""
}

// foreign are objects with keys that are not the hub's.
var foreign = []string{"params", "source", "phones", "page", "source_agents"}

// makeRoom takes one way to say when an integration runs, or where its contacts come from, away where a change sets another.
func makeRoom(target, change map[string]any) {
	if change["source"] != nil {
		delete(target, "source") // it is given as a whole
		delete(target, "bridge")
		delete(target, "validation")
	} else if change["bridge"] != nil {
		delete(target, "source")
	}
	was, _ := target["schedule"].(map[string]any)
	will, _ := change["schedule"].(map[string]any)
	ways := []string{"every", "cron", "off"}
	if slices.ContainsFunc(ways, func(way string) bool { return will[way] != nil }) {
		maps.DeleteFunc(was, func(key string, _ any) bool { return slices.Contains(ways, key) })
	}
}

// mergePatch is RFC 7396 for objects.
func mergePatch(target, change map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for key, value := range change {
		switch value := value.(type) {
		case nil:
			delete(target, key)
		case map[string]any:
			was, _ := target[key].(map[string]any)
			target[key] = mergePatch(was, value)
		default:
			target[key] = value
		}
	}
	return target
}
