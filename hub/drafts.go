package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/proposal"
)

// A Draft is a source inside the hub that a user is still filling in. It is kept sealed, for a day after it was touched last, and
// only the user who began it sees it.
type Draft struct {
	ID      string `json:"-"`
	User    string // id of the user
	Account string
	Name    string // of the integration; empty until it is known
	Changes bool   // the integration of this name is changed, and not added
	Version int64  // of that integration when the draft was begun
	Kind    string
	Text    string `json:",omitempty"` // the source; may hold credentials
	Kept    bool   // credentials in it are the integration's, and were not given for this draft
	Client  string // the operator's client by which a person signed in, or is to; empty: nobody signs in
	Grant   string // what the sign-in gave; empty: nothing yet, or that of the integration holds
	Found   *Found // nil: not looked yet
}

// Key is the integration of a draft.
func (d Draft) Key() directory.Key {
	return directory.Key{Account: d.Account, Integration: d.Name}
}

// source is what a draft asks external services with.
func (d Draft) source() SourceDraft {
	s := SourceDraft{Account: d.Account, Text: d.Text, Client: d.Client, Grant: d.Grant}
	if d.Changes {
		s.Integration = d.Name
	}
	return s
}

const draftSecret = "draft" // name of a sealed draft

// NewDraft begins a source of a kind for a new integration of an account. With a key of an integration, which may have a bridge, it
// becomes that integration's.
func (h *Hub) NewDraft(ctx context.Context, key directory.Key, kind string) (Draft, error) {
	if err := permit(ctx, registry.ScopeWrite, key.Account); err != nil {
		return Draft{}, err
	}
	a, err := h.Account(ctx, key.Account)
	if err != nil {
		return Draft{}, err
	}
	if _, err := h.Offer(kind); err != nil {
		return Draft{}, err
	}
	c, err := h.catalogue()
	if err != nil {
		return Draft{}, err
	}
	d := Draft{ID: random(18), Account: key.Account, Name: key.Integration, Kind: kind, Text: "source:\n  kind: " + kind + "\n"}
	if key.Integration != "" {
		i, err := h.integration(ctx, key)
		if err != nil {
			return d, err
		}
		if err := unmanaged(ctx, i.Managed, "the integration "+key.Integration); err != nil {
			return d, err
		}
		d.Changes, d.Version = true, i.Version
	}
	if a.Region != "" { // most numbers that are written without a country code are of the account's
		if d.Text, _, err = c.Fill(d.Text, map[string][]string{"phones.region": {a.Region}}); err != nil {
			return d, err
		}
	}
	return d, h.keepDraft(ctx, d)
}

// DraftOf begins a change of an integration's source.
func (h *Hub) DraftOf(ctx context.Context, key directory.Key) (Draft, error) {
	if err := permit(ctx, registry.ScopeWrite, key.Account); err != nil {
		return Draft{}, err
	}
	i, given, err := h.configured(ctx, key)
	if err != nil {
		return Draft{}, err
	}
	if err := unmanaged(ctx, i.Managed, "the integration "+key.Integration); err != nil {
		return Draft{}, err
	}
	if i.Source == "" {
		return Draft{}, &failure.Error{Code: failure.Conflict, Message: key.Integration + " has a bridge, and no source inside the hub", Hint: "Choose in the catalogue what it should read instead."}
	}
	d := Draft{
		ID: random(18), Account: key.Account, Name: key.Integration, Changes: true, Version: i.Version, Kind: i.Source, Text: given[registry.SourceValue], Kept: true,
	}
	if i.OAuth != nil {
		d.Client = i.OAuth.Client
	}
	return d, h.keepDraft(ctx, d)
}

func (h *Hub) keepDraft(ctx context.Context, d Draft) error {
	if a, ok := ActorOf(ctx); ok {
		d.User = a.User
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return h.Registry.SetSecret(ctx, registry.PendingOwner(d.ID), draftSecret, text)
}

// Draft returns a draft of the user who asks.
func (h *Hub) Draft(ctx context.Context, id string) (Draft, error) {
	unknown := &failure.Error{Code: failure.NotFound, Message: "this draft is not known, was saved, or was left for more than a day", Hint: "Begin again in the catalogue."}
	text, err := h.Registry.Secret(ctx, registry.PendingOwner(id), draftSecret)
	if err != nil {
		return Draft{}, err
	}
	d := Draft{}
	if text == nil || json.Unmarshal(text, &d) != nil {
		return Draft{}, unknown
	}
	d.ID = id
	if a, ok := ActorOf(ctx); ok && a.User != d.User {
		return Draft{}, unknown
	}
	return d, permit(ctx, registry.ScopeWrite, d.Account)
}

// DraftForm returns a draft's fields.
func (h *Hub) DraftForm(d Draft) ([]SourceField, error) {
	c, err := h.catalogue()
	if err != nil {
		return nil, err
	}
	fields, err := c.Form(d.Text)
	for n := range fields {
		if d.Found != nil {
			fields[n].Why = d.Found.Whys[fields[n].Path]
		}
	}
	return fields, err
}

// FillDraft puts values into a draft, by the paths of its fields, and keeps those that are not wrong. What is wrong with the others is
// the error. Credentials that are an integration's are taken out where a change might send them to another place.
func (h *Hub) FillDraft(ctx context.Context, d Draft, values map[string][]string) (Draft, error) {
	c, err := h.catalogue()
	if err != nil {
		return d, err
	}
	text, moved, wrong := c.Fill(d.Text, values)
	if moved && d.Kept {
		bare, lost, err := c.WithoutCredentials(d.Text)
		if err != nil {
			return d, err
		}
		if text, _, err = c.Fill(bare, values); wrong == nil {
			wrong = err
		}
		for _, path := range lost {
			if strings.Join(values[path], "") == "" || !h.holds(c, text, path) {
				wrong = errors.Join(wrong, &failure.Error{
					Code: failure.Invalid, Field: path, Message: "what was kept was given for the connection as it was",
					Hint: "Type it again, or leave it out.",
				})
			}
		}
		d.Kept = false
	}
	if moved {
		d.Found = nil
	}
	d.Text = text
	return d, errors.Join(wrong, h.keepDraft(ctx, d))
}

// holds reports whether a field of a source has a value.
func (h *Hub) holds(c Catalogue, text, path string) bool {
	fields, err := c.Form(text)
	for _, f := range fields {
		if f.Path == path {
			return err == nil && (f.Set || f.Value != "")
		}
	}
	return false
}

// FindDraft looks at what is there, and puts a proposal into the draft: of these things, or of the best where none is named. An error about
// what was found comes with it.
func (h *Hub) FindDraft(ctx context.Context, d Draft, things []string) (Draft, error) {
	c, err := h.catalogue()
	if err != nil {
		return d, err
	}
	listing, problem := h.LookAtSource(ctx, d.source(), proposal.Wish{Things: things})
	if problem != nil && len(listing.Inventory.Things) == 0 {
		return d, asField(problem)
	}
	text, found, err := c.Adopt(d.Text, listing, things, problem)
	if text != "" {
		d.Text = text
	}
	d.Found = &found
	return d, errors.Join(err, h.keepDraft(ctx, d))
}

// LookDraft looks at what is there to choose from, and leaves the draft's source as it is.
func (h *Hub) LookDraft(ctx context.Context, d Draft) (Draft, error) {
	text := d.Text
	d, err := h.FindDraft(ctx, d, nil)
	if d.Text = text; d.Found == nil {
		return d, err
	}
	d.Found.Whys = nil
	return d, errors.Join(err, h.keepDraft(ctx, d))
}

// asField returns an error of an external service as one about the request: a form shows it, and the API tells it. A service that wants to be
// asked later is busy.
func asField(err error) error {
	said := failure.Of(err)
	if said.Message == "" || said.Code == failure.Invalid || said.Code == failure.Denied || said.Code == failure.Busy {
		return err
	}
	code := failure.Invalid
	if bridge.RetryAfter(err) > 0 {
		code = failure.Busy
	}
	return &failure.Error{Code: code, Field: said.Field, Message: said.Error(), Hint: said.Hint, Err: failure.Hidden(err)}
}

// PreviewDraft reads the first contacts of a draft.
func (h *Hub) PreviewDraft(ctx context.Context, d Draft) (*preview.Preview, error) {
	p, err := h.PreviewSource(ctx, d.source())
	return p, asField(err)
}

// CheckDraft says everything that is wrong with a draft's source.
func (h *Hub) CheckDraft(d Draft) error {
	_, err := h.Inside.Check(InsideSource{Account: d.Account, Text: d.Text, SignIn: d.Client != ""})
	return err
}

// BeginDraftSignIn begins a sign-in for a draft, after which the browser comes back to a path.
func (h *Hub) BeginDraftSignIn(ctx context.Context, d Draft, redirect, back string) (SignInBegun, error) {
	c, err := h.catalogue()
	if err != nil {
		return SignInBegun{}, err
	}
	_, client, err := h.SignInFor(ctx, d.source())
	if err != nil {
		return SignInBegun{}, err
	}
	if client == "" {
		return SignInBegun{}, &failure.Error{
			Code: failure.Invalid, Message: "the hub is not registered at this service",
			Hint: "Have the operator register it there and write it below oauth_clients in the hub's configuration, or give the credentials yourself.",
		}
	}
	if d.Text, _, err = c.WithoutCredentials(d.Text); err != nil { // what the sign-in brings stands in their place
		return SignInBegun{}, err
	}
	d.Client, d.Grant, d.Kept = client, "", false
	if err := h.keepDraft(ctx, d); err != nil {
		return SignInBegun{}, err
	}
	return h.BeginSignIn(ctx, SignInRequest{Draft: d.source(), Redirect: redirect, Back: back, Bound: true})
}

// DraftSignedIn notes what a sign-in gave: it is good only for who began it, and for the draft's account and service.
func (h *Hub) DraftSignedIn(ctx context.Context, d Draft, grant string) (Draft, error) {
	how, _, err := h.signInOf(InsideSource{Account: d.Account, Text: d.Text, SignIn: true}, d.Client)
	if err == nil {
		err = h.mayUseGrant(ctx, grant, d.Account, d.Client, how)
	}
	if err != nil {
		return d, err
	}
	d.Grant, d.Found = grant, nil
	return d, h.keepDraft(ctx, d)
}

// WithoutSignIn returns a draft whose source has credentials of its own.
func (h *Hub) WithoutSignIn(ctx context.Context, d Draft) (Draft, error) {
	d.Client, d.Grant = "", ""
	return d, h.keepDraft(ctx, d)
}

// SaveDraft adds the integration of a draft, or changes it, and forgets the draft. name is that of a new integration; change gives
// the integration what is not the source's, such as its schedule.
func (h *Hub) SaveDraft(ctx context.Context, d Draft, name string, change func(*registry.Integration)) (directory.Key, error) {
	if !d.Changes {
		d.Name = name
	}
	i, auth := registry.Integration{Key: d.Key()}, map[string]string{registry.SourceValue: d.Text}
	if d.Changes {
		was, kept, err := h.configured(ctx, d.Key())
		if err != nil {
			return d.Key(), err
		}
		i = was
		if d.Version != was.Version {
			return d.Key(), &failure.Error{Code: failure.Conflict, Message: "the integration " + d.Name + " was changed by another user meanwhile", Hint: "Look at how it is now, and make your change again."}
		}
		i.OAuth = nil
		if was.Source == "" { // what was for its bridge goes with it
			for name := range maps.Keys(kept) {
				if _, given := auth[name]; !given {
					auth[name] = ""
				}
			}
			i.Bridge, i.Validation, i.Agents, i.Fields = "", "", "", nil
		}
	}
	i.Source = d.Kind
	if d.Client != "" {
		i.OAuth = &registry.OAuth{Grant: AuthorizationCode, Client: d.Client}
		if d.Grant != "" {
			auth[registry.GrantValue] = d.Grant
		}
	}
	change(&i)
	save := h.AddIntegration
	if d.Changes {
		save = h.ChangeIntegration
	}
	if err := save(ctx, i, auth); err != nil {
		return d.Key(), err
	}
	if err := h.Registry.SetSecret(ctx, registry.PendingOwner(d.ID), draftSecret, nil); err != nil {
		return d.Key(), fmt.Errorf("forget a draft that was saved: %w", err)
	}
	return d.Key(), nil
}
