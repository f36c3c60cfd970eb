package hub

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// Held lists contacts of an integration that wait for a decision about their deletion: those with a Seq above after, at most limit.
func (h *Hub) Held(ctx context.Context, key directory.Key, after int64, limit int) (directory.Held, []directory.HeldContact, error) {
	if err := permitAny(ctx, key.Account, registry.ScopeControl, registry.ScopeContacts); err != nil {
		return directory.Held{}, nil, err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return directory.Held{}, nil, err
	}
	state, err := h.store.State(ctx, key)
	if err != nil {
		return directory.Held{}, nil, err
	}
	list, err := h.store.Held(ctx, key, after, limit)
	return state.Held, list, err
}

// WriteHeld writes all contacts that wait for a decision about their deletion as CSV.
func (h *Hub) WriteHeld(ctx context.Context, w io.Writer, key directory.Key) error {
	const some = 1000
	out := csv.NewWriter(w)
	_ = out.Write([]string{"id", "name", "company", "e-mail", "phone", "why"}) // Flush says what went wrong
	for after := int64(0); ; {
		_, list, err := h.Held(ctx, key, after, some)
		if err != nil {
			return err
		}
		for _, c := range list {
			after = c.Seq
			_ = out.Write(heldRow(c))
		}
		out.Flush()
		if len(list) < some || out.Error() != nil {
			return out.Error()
		}
	}
}

func heldRow(h directory.HeldContact) []string {
	row := []string{h.Contact.ID, h.Contact.Name, h.Contact.Company, strings.Join(h.Contact.Emails, " "), strings.Join(h.Contact.Phones, " "), directory.WhyHeld(h.Named)}
	for n, cell := range row {
		row[n] = harmless(cell)
	}
	return row
}

// harmless keeps a spreadsheet from taking what an external service says for a formula. A number may begin with +.
func harmless(cell string) string {
	if strings.Trim(cell, "+0123456789 ()./") == "" {
		return cell
	}
	return noFormula(cell)
}

// AcceptDeletions deletes the contacts that wait for a decision about their deletion, as a person has said, and reports how many. The set names them
// ([directory.Held]). Where something else waits by now, it deletes no contact and returns a [directory.HeldError].
func (h *Hub) AcceptDeletions(ctx context.Context, key directory.Key, set string) (int64, error) {
	return h.answer(ctx, key, set, "integration.accept_deletions", h.store.DeleteHeld)
}

// RefuseDeletions keeps the contacts that wait for a decision about their deletion, as a person has said, and reports how many. See [directory.Store] for
// what may come up again.
func (h *Hub) RefuseDeletions(ctx context.Context, key directory.Key, set string) (int64, error) {
	return h.answer(ctx, key, set, "integration.refuse_deletions", h.store.KeepHeld)
}

func (h *Hub) answer(ctx context.Context, key directory.Key, set, action string, say func(context.Context, directory.Key, string) (int64, error)) (int64, error) {
	if err := permit(ctx, registry.ScopeControl, key.Account); err != nil {
		return 0, err
	}
	if _, err := h.integration(ctx, key); err != nil {
		return 0, err
	}
	// What was said is done and noted, even where the caller does not wait for it.
	ctx = context.WithoutCancel(ctx)
	n, err := say(ctx, key, set)
	if err != nil {
		return 0, err
	}
	if err := h.Note(ctx, action, key.Account, key.Integration, contacts(n)+", set "+set); err != nil {
		return n, err
	}
	return n, h.settle(ctx, key)
}

func contacts(n int64) string {
	if n == 1 {
		return "1 contact"
	}
	return fmt.Sprintf("%d contacts", n)
}

// settle makes an integration healthy if nothing waits for a decision any more. Both the person's answer and the worker at the end of its run call it,
// as the last thing that they do: so it does not matter who comes first.
func (h *Hub) settle(ctx context.Context, key directory.Key) error {
	i, err := h.Registry.Integration(ctx, key) // before it is known what waits: who changes the problem later settles it
	if errors.Is(err, registry.ErrNotFound) || err == nil && i.Status.Health != registry.HealthGuarded {
		return nil
	}
	if err != nil {
		return err
	}
	state, err := h.store.State(ctx, key)
	if err != nil || state.Held.Count > 0 {
		return err
	}
	return h.Registry.Settle(ctx, key, i.Status.Problem)
}

// waiting returns an integration's health, and its problem, after a complete run: guarded while deletions wait for a decision, ok otherwise.
func (h *Hub) waiting(ctx context.Context, key directory.Key, was registry.Status) (registry.Health, *registry.Problem, error) {
	state, err := h.store.State(ctx, key)
	switch {
	case err != nil:
		return "", nil, err
	case state.Held.Count == 0:
		return registry.HealthOK, nil, nil
	}
	p := &registry.Problem{
		Code: string(registry.HealthGuarded), Message: "the deletion of " + contacts(state.Held.Count) + " waits for a decision",
		Hint: (&directory.GuardedError{}).Explain().Hint, Since: h.now(),
	}
	if was.Health == registry.HealthGuarded && was.Problem != nil {
		p.Since = was.Problem.Since
	}
	return registry.HealthGuarded, p, nil
}
