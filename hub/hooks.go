package hub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// hookSecret is the name of the secret that holds the digest of an integration's hook token.
const hookSecret = "hook"

// NewHook makes the token with which an external service may say that something changed: it starts runs of this integration and does nothing
// else. An older one ends. It is shown once.
func (h *Hub) NewHook(ctx context.Context, key directory.Key) (token string, err error) {
	if err := permit(ctx, registry.ScopeWrite, key.Account); err != nil {
		return "", err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return "", err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	token = random(24)
	digest := sha256.Sum256([]byte(token))
	if err := h.Registry.SetSecret(ctx, registry.Owner(key), hookSecret, digest[:]); err != nil {
		return "", err
	}
	return token, h.Note(ctx, "integration.hook", key.Account, key.Integration, "made")
}

// RemoveHook ends an integration's hook token, if it has one.
func (h *Hub) RemoveHook(ctx context.Context, key directory.Key) error {
	if err := permit(ctx, registry.ScopeWrite, key.Account); err != nil {
		return err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return err
	}
	ctx, cancel := lasting(ctx)
	defer cancel()
	if err := h.Registry.SetSecret(ctx, registry.Owner(key), hookSecret, nil); err != nil {
		return err
	}
	return h.Note(ctx, "integration.hook", key.Account, key.Integration, "removed")
}

// CheckHook reports whether a token is an integration's: nil, or a [failure.Denied] that does not say whether there is such an integration.
func (h *Hub) CheckHook(ctx context.Context, key directory.Key, token string) error {
	kept, err := h.Registry.Secret(ctx, registry.Owner(key), hookSecret)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	digest := sha256.Sum256([]byte(token))
	if len(kept) == 0 || token == "" || !hmac.Equal(kept, digest[:]) {
		return &failure.Error{
			Code: failure.Denied, Message: "there is no such hook, or its token is another one",
			Hint: "Make a new one:  contactbridge hub integration hook NAME .",
		}
	}
	return nil
}

// hookEvery is how often a hook starts a run: what is said in between is one more run at its end.
const hookEvery = 10 * time.Second

// Hook asks for a run of an integration whose hook token was checked. A paused integration stays paused.
func (h *Hub) Hook(ctx context.Context, key directory.Key) error {
	i, err := h.integration(ctx, key)
	if err != nil {
		return err
	}
	if i.Paused {
		return nil
	}
	wait, waits := h.hooks.next(key, h.now(), hookEvery)
	switch {
	case waits:
		return nil // a run is going to be asked for
	case wait == 0:
		return h.askByHook(ctx, key)
	}
	time.AfterFunc(wait, func() {
		h.hooks.done(key, h.now())
		ctx, cancel := lasting(ctx)
		defer cancel()
		if err := h.askByHook(ctx, key); err != nil && !errors.Is(err, registry.ErrNotFound) {
			h.log().Error("could not ask for a run", "account", key.Account, "integration", key.Integration, "error", err)
		}
	})
	return nil
}

func (h *Hub) askByHook(ctx context.Context, key directory.Key) error {
	if err := h.Registry.Ask(ctx, key, registry.Ask{Run: true}); err != nil {
		return err
	}
	h.wake()
	return nil
}
