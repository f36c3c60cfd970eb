package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/proposal"
)

// An InsideSource is the configuration of a source inside the hub. It may hold credentials.
type InsideSource struct {
	Account string // whose it is: it reads this account's uploaded files
	Text    string // YAML, with the keys source (or sources), agents, phones and page of a bridge's endpoint
	Trusted bool   // it stands in the operator's file
	SignIn  bool   // its access token is the auth value [TokenValue], which a person's sign-in brings
	// Files take the place of the uploaded files of their names; nil: none do.
	Files map[string]registry.File
}

// TokenValue is the auth value that holds the access token of a source at which a person signs in.
const TokenValue = "access_token"

// Inside are sources in the hub's own process: each is asked as if a bridge of its own served it.
type Inside interface {
	// Check says everything that is wrong with a source, joined, or returns the name of its kind.
	Check(s InsideSource) (kind string, err error)
	// Transport carries requests to a source, whatever their host.
	Transport(s InsideSource) http.RoundTripper
	// CheckSearch says why a source cannot be asked for a phone number; nil: it can.
	CheckSearch(s InsideSource) error
	// Search asks a source for the contacts with a phone number, as a run would bring them. It may return others too. It ends soon
	// after ctx is done.
	Search(ctx context.Context, s InsideSource, auth bridge.Auth, q bridge.Search) ([]contact.Contact, error)
	// Uploads returns the names of the uploaded files that a source reads, sorted.
	Uploads(s InsideSource) []string
	// HasAgents reports whether a source says what its agents come from: its key agents.
	HasAgents(s InsideSource) bool
	// SignIn says how people sign in at a source's external service. Other keys than those that this takes may be missing yet.
	SignIn(s InsideSource) (SignIn, error)
	// Preview shows the first contacts of a source, and everything that is wrong with it.
	Preview(ctx context.Context, s InsideSource, auth bridge.Auth) (*preview.Preview, error)
	// Look lists what could hold contacts at the external service of a source, of which only the keys that connect are needed, and
	// proposes a mapping.
	Look(ctx context.Context, s InsideSource, auth bridge.Auth, wish proposal.Wish) (Listing, error)
	// Contacts calls a function with every contact of a source as it would be stored, until that returns an error. The contact is good
	// until the function returns.
	Contacts(ctx context.Context, s InsideSource, auth bridge.Auth, each func(*contact.Contact) error) error
}

// A Listing holds what could hold contacts at an external service, and a proposed mapping of the best of it.
type Listing struct {
	Inventory proposal.Inventory
	Proposal  proposal.Proposal // empty where the inventory has nothing
}

// A SourceDraft is a source that is not kept yet, or a kept one as it would be after a change.
type SourceDraft struct {
	Account string
	Text    string            // as in [InsideSource]
	Auth    map[string]string // auth values
	Client  string            // see [registry.OAuth]; empty: nobody signs in
	Grant   string            // what a sign-in gave ([Hub.BeginSignIn])
	// Integration is the kept integration that would be changed: without Grant, its sign-in is used where that is for the same service.
	Integration string
}

// draft checks who asks, and returns the source with the auth values that it is asked with.
func (h *Hub) draft(ctx context.Context, d SourceDraft) (s InsideSource, auth bridge.Auth, err error) {
	if err := permit(ctx, registry.ScopeWrite, d.Account); err != nil {
		return s, nil, err
	}
	if _, err := h.Account(ctx, d.Account); err != nil {
		return s, nil, err
	}
	if h.Inside == nil {
		return s, nil, noInside()
	}
	s = InsideSource{Account: d.Account, Text: d.Text, SignIn: d.Client != ""}
	if s.Text == "" {
		return s, nil, noSource()
	}
	auth = bridge.Auth{}
	for name, value := range d.Auth {
		auth[name] = value
	}
	if d.Client == "" {
		return s, auth, nil
	}
	i := registry.Integration{OAuth: &registry.OAuth{Grant: AuthorizationCode, Client: d.Client}, Source: "draft"}
	i.Account, i.Key.Integration = d.Account, "draft"
	g, err := h.newGrant(ctx, i, map[string]string{registry.SourceValue: d.Text, registry.GrantValue: d.Grant}, false)
	if err != nil {
		return s, nil, err
	}
	if d.Integration != "" && d.Grant == "" {
		was, kept, err := h.configured(ctx, directory.Key{Account: d.Account, Integration: d.Integration})
		if err != nil {
			return s, nil, err
		}
		i.Key = was.Key
		same := was.OAuth != nil && was.OAuth.Client == d.Client && !h.otherService(was, kept, i, map[string]string{registry.SourceValue: d.Text})
		if same {
			g.integration, g.owner, g.kept = was, owner(was.Key), true
		}
	}
	auth[TokenValue], err = g.current(ctx)
	return s, auth, asField(err)
}

func noInside() error {
	return &failure.Error{Code: failure.Invalid, Field: "source", Message: "this process has no sources inside the hub", Hint: "Give it a bridge."}
}

func noSource() error {
	return &failure.Error{Code: failure.Invalid, Field: "source", Message: "the source has no configuration", Hint: "Write its kind, and that kind's keys."}
}

// PreviewSource shows the first contacts of a source that is not kept yet, where their fields come from, and every problem. It is asked
// through the same guards as a kept one. What is wrong with the external service is a problem of the preview, not an error.
func (h *Hub) PreviewSource(ctx context.Context, d SourceDraft) (*preview.Preview, error) {
	s, auth, err := h.draft(ctx, d)
	if err != nil {
		return nil, err
	}
	if _, err := h.Inside.Check(s); err != nil {
		return nil, err
	}
	leave, err := h.enterDraft(ctx, d.Account)
	if err != nil {
		return nil, err
	}
	defer leave()
	return h.Inside.Preview(ctx, s, auth)
}

// LookAtSource lists what could hold contacts at an external service: tables with their columns, sheets, address books. The source needs
// only what connects to it. wish names what was chosen already.
func (h *Hub) LookAtSource(ctx context.Context, d SourceDraft, wish proposal.Wish) (Listing, error) {
	s, auth, err := h.draft(ctx, d)
	if err != nil {
		return Listing{}, err
	}
	leave, err := h.enterDraft(ctx, d.Account)
	if err != nil {
		return Listing{}, err
	}
	defer leave()
	listing, err := h.Inside.Look(ctx, s, auth, wish)
	return listing, asField(err)
}

// enterDraft takes a place, as a test does.
func (h *Hub) enterDraft(ctx context.Context, account string) (leave func(), err error) {
	host := account + "/"
	if err := h.enterTest(ctx, account, host); err != nil {
		return nil, err
	}
	return func() { h.slots.leave(account, host, true) }, nil
}

// insideSource is the source of an integration.
func insideSource(i registry.Integration, given map[string]string) InsideSource {
	return InsideSource{Account: i.Account, Text: given[registry.SourceValue], Trusted: i.Managed, SignIn: i.OAuth != nil && i.OAuth.Client != ""}
}

// checkSource says all that is wrong with what an integration's contacts come from: either a bridge or a source inside the hub.
func (h *Hub) checkSource(ctx context.Context, i registry.Integration, auth map[string]string) error {
	invalid := func(message, hint string) error {
		return &failure.Error{Code: failure.Invalid, Field: "source", Message: message, Hint: hint}
	}
	switch {
	case i.Source == "" && i.OAuth != nil && i.OAuth.Client != "":
		return &failure.Error{
			Code: failure.Invalid, Field: "oauth.client", Message: "people sign in by a client of the operator at sources inside the hub only",
			Hint: "Name a source, or give the client of the bridge's own: client_id, authorize_url and token_url.",
		}
	case i.Source == "":
		return nil // it goes with the change
	case i.Bridge != "" || i.Validation != "" || i.Agents != "":
		return invalid("it has both a bridge and a source", "Choose one: a bridge elsewhere, or a source inside the hub.")
	case h.Inside == nil:
		return noInside()
	case auth[registry.SourceValue] == "":
		return noSource()
	}
	s := insideSource(i, auth)
	s.Trusted = managed(ctx, i.Managed)
	kind, err := h.Inside.Check(s)
	if err == nil && kind != i.Source {
		err = invalid(fmt.Sprintf("its kind is %s, not %s", kind, i.Source), "Write all of the new source.")
	}
	if err == nil && s.SignIn {
		_, _, err = h.signInOf(s, i.OAuth.Client)
	}
	return err
}

// withFiles notes which uploaded files an integration reads. Those of anyone but the operator must be there: the names of others are
// mistakes.
func (h *Hub) withFiles(ctx context.Context, i registry.Integration, auth map[string]string) (registry.Integration, error) {
	i.Files = nil
	if i.Source == "" {
		return i, nil
	}
	i.Files = h.Inside.Uploads(insideSource(i, auth))
	if managed(ctx, i.Managed) {
		return i, nil
	}
	for _, name := range i.Files {
		if _, err := h.Registry.File(ctx, i.Account, name); errors.Is(err, registry.ErrNotFound) {
			return i, &failure.Error{
				Code: failure.Invalid, Field: "source.path", Message: fmt.Sprintf("there is no uploaded file %q in the account %s", name, i.Account),
				Hint: "Upload it first, in the console or with  contactbridge hub file add , or correct its name.",
			}
		} else if err != nil {
			return i, err
		}
	}
	return i, nil
}
