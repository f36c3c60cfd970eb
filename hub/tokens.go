package hub

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

const (
	minToken   = 16          // characters of a value that was made elsewhere
	tokenBytes = 24          // of one that we make
	tokenFresh = time.Second // how long another process's revocation may go unheard, and a token unknown that was just made
)

// CreateToken makes a token and returns its value, which is shown this once. An empty value makes a random one. The token ends
// when who makes it loses the right to: the user is locked, demoted or removed, or the token by which it is made is removed.
func (h *Hub) CreateToken(ctx context.Context, t registry.Token, value string) (registry.Token, string, error) {
	if err := h.checkToken(ctx, t, value); err != nil {
		return t, "", err
	}
	if value == "" {
		value = "cb_" + random(tokenBytes)
	}
	digest := sha256.Sum256([]byte(value))
	a, _ := ActorOf(ctx)
	t.Managed = a.File || managed(ctx, t.Managed)
	t.Maker, t.Parent, t.MadeBy = a.User, a.Token, cmp.Or(a.Name, "hub")
	if a.File {
		if kept, err := h.Registry.TokenByDigest(ctx, digest[:]); err == nil && sameToken(kept, t) {
			return kept, value, nil // every start of every process declares it
		}
	}
	if t.ID == "" {
		t.ID = newID()
	}
	if err := h.Registry.PutToken(ctx, t, digest[:], a.File); err != nil {
		if errors.Is(err, registry.ErrExists) {
			return t, "", &failure.Error{Code: failure.Conflict, Field: "name", Message: fmt.Sprintf("there is a token %q already", t.Name), Hint: "Choose another name, or remove that one first."}
		}
		return t, "", err
	}
	h.tokens.clear()
	return t, value, h.Note(ctx, "token.create", t.Account, t.Name, scopeList(t.Scopes))
}

func sameToken(a, b registry.Token) bool {
	return a.Name == b.Name && a.Account == b.Account && a.Managed == b.Managed && slices.Equal(a.Scopes, b.Scopes) && a.Expires.Equal(b.Expires)
}

func scopeList(scopes []registry.Scope) string {
	words := make([]string, 0, len(scopes))
	for _, s := range scopes {
		words = append(words, string(s))
	}
	return strings.Join(words, " ")
}

// checkToken refuses tokens that cannot be meant, and such that could do more than who makes them.
func (h *Hub) checkToken(ctx context.Context, t registry.Token, value string) error {
	if err := permit(ctx, registry.ScopeAdmin, t.Account); err != nil {
		return err
	}
	if t.Account != "" {
		if _, err := h.Account(ctx, t.Account); err != nil {
			return err
		}
	}
	problems := []error{checkName("name", t.Name)}
	invalid := func(field, message, hint string) {
		problems = append(problems, &failure.Error{Code: failure.Invalid, Field: field, Message: message, Hint: hint})
	}
	switch {
	case len(t.Scopes) == 0:
		invalid("scopes", "the token may do nothing", "Choose from: "+scopeList(registry.Scopes)+".")
	case t.Account == "" && !slices.Contains(t.Scopes, registry.ScopeAdmin):
		invalid("account", "a token for all accounts needs the scope admin", "Name the account that it may see.")
	}
	if value != "" && len(value) < minToken {
		invalid("value", fmt.Sprintf("the token has fewer than %d characters", minToken), "Leave it out, and a good one is made.")
	}
	if !t.Expires.IsZero() && !t.Expires.After(h.now()) {
		invalid("expires", "the token would have expired already", "Choose a time to come, or leave it out.")
	}
	for _, s := range t.Scopes {
		if !slices.Contains(registry.Scopes, s) {
			invalid("scopes", fmt.Sprintf("unknown scope %q", s), "Choose from: "+scopeList(registry.Scopes)+".")
		}
	}
	return errors.Join(problems...)
}

// newID is an id that people can type, and that no command line takes for a flag.
func newID() string { return strings.ToLower(rand.Text()[:14]) }

// random is a text with so many random bytes in it.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// Tokens lists an account's tokens.
func (h *Hub) Tokens(ctx context.Context, account string) ([]registry.Token, error) {
	if account != "" {
		if err := permit(ctx, registry.ScopeAdmin, account); err != nil {
			return nil, err
		}
	}
	tokens, err := h.Registry.Tokens(ctx, account)
	a, ok := ActorOf(ctx)
	return slices.DeleteFunc(tokens, func(t registry.Token) bool { return ok && !a.May(registry.ScopeAdmin, t.Account) }), err
}

// RemoveToken ends a token and those that were made by it, at once, or in other processes within a second.
func (h *Hub) RemoveToken(ctx context.Context, id string) error {
	tokens, err := h.Tokens(ctx, "")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(tokens, func(t registry.Token) bool { return t.ID == id })
	if i < 0 {
		return missing("token", id)
	}
	t := tokens[i]
	if err := permit(ctx, registry.ScopeAdmin, t.Account); err != nil {
		return err
	}
	if err := unmanaged(ctx, t.Managed, "the token "+t.Name); err != nil {
		return err
	}
	if err := h.Registry.DeleteToken(ctx, id); err != nil {
		return err
	}
	return h.Note(ctx, "token.remove", t.Account, t.Name, "")
}

// Same reports whether two actors are the same one with the same rights.
func (a Actor) Same(b Actor) bool {
	return a.Name == b.Name && a.User == b.User && a.Token == b.Token && a.All == b.All && slices.Equal(a.Accounts, b.Accounts) && slices.Equal(a.Scopes, b.Scopes)
}

// Still returns nil while a token's value stands for the same actor. It asks the database whether there were revocations, in any
// process, so that nothing is told to whom it may not be told any more.
func (h *Hub) Still(ctx context.Context, value string, actor Actor) error {
	if _, err := h.Registry.Revocations(ctx); err != nil {
		return err
	}
	now, err := h.Authenticate(ctx, value)
	if err == nil && !now.Same(actor) {
		err = &failure.Error{Code: failure.Denied, Message: "the token's rights were changed", Hint: "Connect again."}
	}
	return err
}

func unknownToken() error {
	return &failure.Error{Code: failure.Denied, Message: "the token is not known", Hint: "Create one: contactbridge hub token create NAME --scope …"}
}

// token returns a token, which is read again when it was read a second ago.
func (h *Hub) token(ctx context.Context, now time.Time, key tokenKey) (registry.Token, error) {
	if e, ok := h.tokens.peek(now, key); ok { // every request asks, and mostly it is there
		return e.value, e.err
	}
	return h.tokens.get(ctx, now, key, tokenFresh, func(ctx context.Context) (registry.Token, error) { return h.Registry.TokenByDigest(ctx, key.digest[:]) }, isNotFound)
}

// Authenticate returns the actor of a token's value, cached for a second, or an error with the code [failure.Denied].
func (h *Hub) Authenticate(ctx context.Context, value string) (Actor, error) {
	if value == "" {
		return Actor{}, unknownToken()
	}
	known, _ := h.Registry.Revoked()
	key := tokenKey{sha256.Sum256([]byte(value)), known}
	now := h.now()
	t, err := h.token(ctx, now, key)
	switch {
	case err != nil && errors.Is(err, registry.ErrNotFound):
		return Actor{}, unknownToken()
	case err != nil:
		return Actor{}, err
	case !t.Expires.IsZero() && !t.Expires.After(now):
		return Actor{}, &failure.Error{Code: failure.Denied, Message: fmt.Sprintf("the token %s has expired", t.Name), Hint: "Create another one."}
	}
	if now.Sub(t.Used) > time.Minute && h.tokens.touch(key, now) {
		if err := h.Registry.TokenUsed(ctx, t.ID, now); err != nil {
			return Actor{}, err
		}
	}
	a := Actor{Name: "token " + t.Name, Scopes: t.Scopes, All: t.Account == "", User: t.Maker, Token: t.ID}
	if t.Account != "" {
		a.Accounts = []string{t.Account}
	}
	return a, nil
}
