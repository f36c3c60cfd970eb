package hub

import (
	"context"
	"maps"
	"slices"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// activate has values that are not kept judged by the bridge, which may give others in their place (P13). kept are the values that
// there are, given those that a person gives now. It returns those of them that are kept, and what the bridge gave. Where no value
// is given that is not kept, it asks nothing.
func (h *Hub) activate(ctx context.Context, i registry.Integration, kept, given map[string]string) (stored, learned map[string]string, err error) {
	var passing []string
	for _, f := range i.Fields {
		if f.Store == registry.NotKept && given[f.Name] != "" {
			passing = append(passing, f.Name)
		}
	}
	if len(passing) == 0 {
		return given, nil, nil
	}
	all := map[string]string{}
	maps.Copy(all, kept)
	for _, f := range i.Fields {
		if f.Source == registry.SourceValidation { // what it gave before must not stand in for what it is to judge now
			delete(all, f.Name)
		}
	}
	maps.Copy(all, given)
	if err := missingInput(i, all); err != nil {
		return nil, nil, err
	}
	result, learned, err := h.try(ctx, i, all, false)
	if err != nil {
		return nil, nil, err
	}
	if !result.OK {
		return nil, nil, &failure.Error{
			Code: failure.Invalid, Field: "auth", Message: "the bridge does not take these values: " + result.Problem.Message, Hint: result.Problem.Hint,
		}
	}
	stored = maps.Clone(given)
	for _, name := range passing {
		delete(stored, name)
	}
	return stored, learned, nil
}

// missingInput refuses values of which one is missing that has to be typed in for the bridge to judge the others.
func missingInput(i registry.Integration, values map[string]string) error {
	for _, f := range i.Fields {
		if f.Mandatory && f.Store == registry.NotKept && values[f.Name] == "" {
			return &failure.Error{Code: failure.Invalid, Field: "auth." + f.Name, Message: "the auth field " + label(f) + " has no value", Hint: hintFor(f)}
		}
	}
	return nil
}

// passes reports whether an integration has values that are not kept: then kept ones alone cannot be validated.
func passes(i registry.Integration) bool {
	return slices.ContainsFunc(i.Fields, func(f registry.Field) bool { return f.Store == registry.NotKept })
}

// learn keeps what the bridge gave when an integration was added or changed, if it still is what was asked.
func (h *Hub) learn(ctx context.Context, i registry.Integration, learned map[string]string) error {
	if len(learned) == 0 {
		return nil
	}
	now, _, err := h.Registry.Configured(ctx, i.Key)
	if err != nil {
		return err
	}
	if now.Bridge != i.Bridge || now.Validation != i.Validation {
		return nil // another user changed it meanwhile: the values are not for the new place
	}
	return h.Registry.LearnAuth(ctx, i.Key, learned, now.Version)
}

// complete asks the bridge for the values that only it gives, where one is missing (P13), and returns all values.
func (h *Hub) complete(ctx context.Context, i registry.Integration, given map[string]string) (map[string]string, error) {
	lacks := slices.ContainsFunc(i.Fields, func(f registry.Field) bool { return f.Source == registry.SourceValidation && given[f.Name] == "" })
	if !lacks || i.Validation == "" || passes(i) {
		return given, nil
	}
	more, err := h.ask(ctx, i, given, true, &TestResult{})
	if err != nil || len(more) == 0 {
		return given, err
	}
	if err := h.Registry.LearnAuth(ctx, i.Key, more, i.Version); err != nil {
		return given, err
	}
	all := maps.Clone(given)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, more)
	return all, nil
}
