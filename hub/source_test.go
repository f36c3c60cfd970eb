package hub_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// insideOf answers for every source with a bridge elsewhere. A source is its kind and whatever follows.
type insideOf struct {
	hub.Inside
	bridge  string // URL of its contact_sync
	trusted chan bool
}

func (s insideOf) Uploads(hub.InsideSource) []string { return nil }

func (s insideOf) HasAgents(hub.InsideSource) bool { return false }

func (s insideOf) Check(of hub.InsideSource) (string, error) {
	kind, _, _ := strings.Cut(of.Text, " ")
	if kind == "bad" {
		return "", &failure.Error{Code: failure.Invalid, Field: "source.kind", Message: "there is no such kind", Hint: "Choose another."}
	}
	return kind, nil
}

func (s insideOf) Transport(of hub.InsideSource) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		select {
		case s.trusted <- of.Trusted:
		default:
		}
		to, err := url.Parse(s.bridge)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.URL = to
		return http.DefaultTransport.RoundTrip(r)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A source inside the hub is run as a bridge is.
func TestASourceInsideTheHubIsRun(t *testing.T) {
	f := newHub(t)
	c := newCRM(t, 25)
	inside := insideOf{bridge: c.url, trusted: make(chan bool, 1)}
	f.Inside = inside
	key := directory.Key{Account: "acme", Integration: "crm"}
	auth := map[string]string{registry.SourceValue: "mysql a"}
	for name, value := range good {
		auth[name] = value
	}
	must(t, f.AddIntegration(t.Context(), registry.Integration{Key: key, Source: "mysql"}, auth))
	result, err := f.Test(t.Context(), key)
	must(t, err)
	if !result.OK || len(result.Sample) == 0 || <-inside.trusted {
		t.Errorf("%+v", result)
	}
	stop := work(t, f.Hub)
	defer stop()
	if v := f.until(t, registry.HealthOK); v.State.Contacts != 25 || v.Source != "mysql" || v.Bridge != "" {
		t.Errorf("%+v", v)
	}
	for _, name := range f.view(t).AuthSet {
		if name == registry.SourceValue {
			t.Error("the source is listed among the auth values")
		}
	}
}

// What is kept of auth was given for one source, and goes to no other one.
func TestKeptValuesStayWithTheirSource(t *testing.T) {
	f := newHub(t)
	f.Inside = insideOf{}
	const source = registry.SourceValue
	ofSource := registry.Integration{Source: "mysql"}
	ofBridge := registry.Integration{Bridge: "https://bridge.example.com/sync"}
	for name, c := range map[string]struct {
		was, is registry.Integration
		auth    map[string]string
		want    string // the field that is wrong
	}{
		"nothing new":                       {ofSource, ofSource, nil, ""},
		"the same source":                   {ofSource, ofSource, map[string]string{source: "mysql a"}, ""},
		"another source":                    {ofSource, ofSource, map[string]string{source: "mysql b"}, "source"},
		"another source and its values":     {ofSource, ofSource, map[string]string{source: "mysql b", "password": "new"}, ""},
		"another source without values":     {ofSource, ofSource, map[string]string{source: "mysql b", "password": ""}, ""},
		"another kind, said of the old one": {ofSource, registry.Integration{Source: "ldap"}, nil, "source"},
		"a bridge becomes a source":         {ofBridge, ofSource, map[string]string{source: "mysql a"}, "source"},
		"with its values":                   {ofBridge, ofSource, map[string]string{source: "mysql a", "password": "new"}, ""},
		"a source becomes a bridge":         {ofSource, ofBridge, nil, "bridge"},
		"also with its values":              {ofSource, ofBridge, map[string]string{"password": "new"}, ""},
		"both":                              {ofSource, registry.Integration{Source: "mysql", Bridge: "https://bridge.example.com/sync"}, nil, "source"},
		"neither":                           {ofSource, registry.Integration{}, map[string]string{"password": ""}, "bridge"},
		"a source that is wrong":            {ofSource, registry.Integration{Source: "bad"}, map[string]string{source: "bad", "password": "new"}, "source.kind"},
		"a source without configuration":    {ofBridge, ofSource, map[string]string{"password": "new"}, "source"},
	} {
		t.Run(name, func(t *testing.T) {
			was, is := c.was, c.is
			was.Key = directory.Key{Account: "acme", Integration: "crm"}
			is.Key, was.Paused, is.Paused = was.Key, true, true
			auth := map[string]string{"password": "s3cret"}
			if was.Source != "" {
				auth[source] = "mysql a"
			}
			must(t, f.AddIntegration(t.Context(), was, auth))
			must(t, f.Registry.SetSecret(t.Context(), registry.Owner(was.Key), registry.OAuthTokens, []byte(`{"access_token":"a"}`)))
			err := f.ChangeIntegration(t.Context(), is, c.auth)
			var fields []string
			for _, e := range failure.All(err) {
				fields = append(fields, e.Field)
			}
			if got := strings.Join(fields, " "); got != c.want {
				t.Errorf("%q, not %q: %v", got, c.want, err)
			}
			kept, err := f.Registry.Auth(t.Context(), was.Key)
			must(t, err)
			if c.want == "" && is.Source == "" && kept[source] != "" {
				t.Error("the source is kept")
			}
			if tokens, err := f.Registry.Secret(t.Context(), registry.Owner(was.Key), registry.OAuthTokens); err != nil || (tokens == nil) != (c.want == "" && (is.Source != was.Source || kept[source] != auth[source])) {
				t.Errorf("tokens %q, %v", tokens, err)
			}
			must(t, f.RemoveIntegration(t.Context(), was.Key))
		})
	}
}

// A hub without sources of its own says so.
func TestAProcessWithoutSourcesSaysSo(t *testing.T) {
	f := newHub(t)
	err := f.AddIntegration(t.Context(), registry.Integration{Key: directory.Key{Account: "acme", Integration: "crm"}, Source: "mysql"}, map[string]string{registry.SourceValue: "mysql"})
	if e := failure.Of(err); e.Field != "source" || e.Hint == "" {
		t.Error(err)
	}
	var _ hub.Inside = insideOf{}
}
