package rest

import (
	"context"
	"net/http"
	"slices"

	"github.com/contactbridge/contactbridge/bridge"
)

// An authenticator puts credentials into requests.
type authenticator interface {
	// sign puts them into a request, and returns the access token that it used; empty without one.
	sign(ctx context.Context, request *http.Request) (token string, err error)
	// renew forgets an access token that the service no longer takes. It reports whether another one may be better.
	renew(token string) bool
}

// newAuthenticator returns the first way whose fields all have a value.
func (c *client) newAuthenticator() (authenticator, error) {
	for i := range c.factory.language.Auth {
		way := &c.factory.language.Auth[i]
		if c.isComplete(way) {
			return c.authenticatorOf(way), nil
		}
	}
	return nil, &bridge.Error{Code: bridge.CodeUnauthorized, Message: "no way to authenticate has all of its credentials", Hint: "Write " + c.factory.secrets() + "."}
}

// isComplete reports whether every field that a way uses has a value.
func (c *client) isComplete(way *Auth) bool {
	complete := true
	way.texts(func(key string, t Text) {
		for _, name := range t.names() {
			if key == "value" && name == "access_token" && way.fetches() {
				continue
			}
			value, ok := c.values[name]
			if ok && value == "" {
				complete = false
			}
		}
	})
	return complete
}

// fetches reports whether a way's access token is fetched.
func (a *Auth) fetches() bool {
	return !slices.Contains([]string{"none", "bearer", "basic", "header", "query"}, a.By)
}

func (c *client) authenticatorOf(way *Auth) authenticator {
	switch way.By {
	case "none":
		return fixed{c, way, func(*http.Request) error { return nil }}
	case "basic":
		return fixed{c, way, func(r *http.Request) error { return c.basic(r, way) }}
	case "header", "query":
		return fixed{c, way, func(r *http.Request) error { return c.put(r, way, c.values) }}
	case "bearer":
		if way.TokenFile.IsZero() {
			return fixed{c, way, func(r *http.Request) error { return c.bearer(r, way) }}
		}
	}
	return c.newTokens(way)
}

// fixed are credentials that stay as they are.
type fixed struct {
	client *client
	way    *Auth
	put    func(*http.Request) error
}

func (f fixed) sign(_ context.Context, r *http.Request) (string, error) {
	if err := f.client.putHeaders(r, f.way); err != nil {
		return "", err
	}
	return "", f.put(r)
}

func (f fixed) renew(string) bool { return false }

func (c *client) basic(r *http.Request, way *Auth) error {
	user, err := way.User.expand(c.values, nil)
	if err != nil {
		return err
	}
	password, err := way.Password.expand(c.values, nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth(user, password)
	return nil
}

func (c *client) bearer(r *http.Request, way *Auth) error {
	token, err := way.Token.expand(c.values, inHeader)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// put puts a way's value into a header or the query.
func (c *client) put(r *http.Request, way *Auth, values scope) error {
	value, err := way.Value.expand(values, inHeader)
	if err != nil {
		return err
	}
	if way.By == "query" {
		query := r.URL.Query()
		query.Set(way.Name, value)
		r.URL.RawQuery = query.Encode()
		return nil
	}
	r.Header.Set(way.Name, value)
	return nil
}

// putHeaders adds the other headers of a way.
func (c *client) putHeaders(r *http.Request, way *Auth) error {
	for name, t := range way.Headers {
		value, err := t.expand(c.values, inHeader)
		if err != nil {
			return err
		}
		r.Header.Set(name, value)
	}
	return nil
}
