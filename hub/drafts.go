package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
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
	Found   *Found // nil: not looked yet
}

// Key is the integration of a draft.
func (d Draft) Key() directory.Key {
	return directory.Key{Account: d.Account, Integration: d.Name}
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

// FindDraft looks at what is there, and has a proposal made; see [Catalogue.Find].
func (h *Hub) FindDraft(ctx context.Context, d Draft, things []string) (Draft, error) {
	c, err := h.catalogue()
	if err != nil {
		return d, err
	}
	return d, h.trying(ctx, d, func() error {
		text, found, err := c.Find(ctx, d.Text, things)
		if text != "" {
			d.Text = text
		}
		if len(found.Things) > 0 || err == nil {
			d.Found = &found
		}
		return errors.Join(err, h.keepDraft(ctx, d))
	})
}

// trying does something that asks an external service, as a test does.
func (h *Hub) trying(ctx context.Context, d Draft, do func() error) error {
	host := registry.Owner(directory.Key{Account: d.Account, Integration: "draft"})
	if err := h.enterTest(ctx, d.Account, host); err != nil {
		return err
	}
	defer h.slots.leave(d.Account, host, true)
	return do()
}

// PreviewDraft reads the first contacts of a draft.
func (h *Hub) PreviewDraft(ctx context.Context, d Draft) (p SourcePreview, err error) {
	c, err := h.catalogue()
	if err != nil {
		return p, err
	}
	err = h.trying(ctx, d, func() (err error) {
		p, err = c.Preview(ctx, d.Text)
		return err
	})
	return p, err
}

// CheckDraft says everything that is wrong with a draft's source.
func (h *Hub) CheckDraft(d Draft) error {
	_, err := h.Inside.Check(d.Text, false)
	return err
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
		if was.Source == "" { // what was for its bridge goes with it
			for name := range maps.Keys(kept) {
				if _, given := auth[name]; !given {
					auth[name] = ""
				}
			}
			i.Bridge, i.Validation, i.Agents, i.Fields, i.OAuth = "", "", "", nil, nil
		}
	}
	i.Source = d.Kind
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
