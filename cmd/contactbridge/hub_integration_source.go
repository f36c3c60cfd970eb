package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

// sourceFlags say what a source inside the hub reads.
type sourceFlags struct {
	kind         string
	set          []string // KEY=VALUE of the source
	phones, page []string
	agents       []string
	signIn       bool
}

func (f *sourceFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.kind, "kind", "", "`kind` of a source that the hub reads itself, instead of a bridge: mysql, hubspot, …")
	flags.StringArrayVar(&f.set, "set", nil, "a key of the source as `KEY=VALUE`, such as table=customers or fields.name=full_name; @FILE takes the value from a file; may be repeated")
	flags.BoolVar(&f.signIn, "sign-in", false, "a person signs in at the source's external service, by a client of the hub's configuration (oauth_clients)")
	flags.StringArrayVar(&f.phones, "phones", nil, "what happens to the source's phone numbers, as `KEY=VALUE`: region=GB, format=e164; may be repeated")
	flags.StringArrayVar(&f.agents, "source-agents", nil, "what the source's agents come from, as `KEY=VALUE`: kind=mysql, table=users, fields.email=mail; may be repeated")
	flags.StringArrayVar(&f.page, "page", nil, "when a page of the source ends, as `KEY=VALUE`; may be repeated")
}

// given reports whether there is to be a source.
func (f *sourceFlags) given() bool { return f.kind != "" }

// apply makes the source an integration's, and adds its text to the auth values.
func (f *sourceFlags) apply(i *registry.Integration, auth map[string]string) error {
	if !f.given() {
		if len(f.set)+len(f.phones)+len(f.page)+len(f.agents) > 0 || f.signIn {
			return misuse("--set, --phones, --page, --source-agents and --sign-in are for a source", "Name its kind as well: --kind mysql.")
		}
		return nil
	}
	parts := map[string]any{}
	for _, part := range []struct {
		name, flag string
		pairs      []string
	}{{"source", "set", f.set}, {"phones", "phones", f.phones}, {"page", "page", f.page}, {"agents", "source-agents", f.agents}} {
		read, err := readPairs(part.flag, part.pairs)
		if err != nil {
			return err
		}
		if len(read) > 0 || part.name == "source" {
			parts[part.name] = read
		}
	}
	parts["source"].(map[string]any)["kind"] = f.kind
	text, err := yaml.Marshal(parts)
	if err != nil {
		return err
	}
	i.Bridge, i.Validation, i.Source = "", "", f.kind
	auth[registry.SourceValue] = string(text)
	return nil
}

// signsIn has people sign in at a source, where that was asked for.
func (f *sourceFlags) signsIn(ctx context.Context, h *hub.Hub, i *registry.Integration, auth map[string]string) error {
	if !f.signIn {
		return nil
	}
	how, client, err := h.SignInFor(ctx, hub.SourceDraft{Account: i.Account, Text: auth[registry.SourceValue]})
	if err != nil {
		return err
	}
	if client == "" {
		client = how.Client // the hub says what is missing
	}
	i.OAuth = &registry.OAuth{Grant: hub.AuthorizationCode, Client: client}
	return nil
}

// readPairs puts KEY=VALUE together; a key may be dotted, and a value is written as in YAML. No error repeats a value: it may be a secret.
func readPairs(flag string, pairs []string) (map[string]any, error) {
	whole := map[string]any{}
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, misuse(fmt.Sprintf("--%s needs KEY=VALUE", flag), "For example --set table=customers.")
		}
		var value any
		if path, file := strings.CutPrefix(text, "@"); file {
			content, err := os.ReadFile(path)
			if err != nil {
				return nil, misuse(fmt.Sprintf("--%s %s: %s", flag, key, err), "Check the path and its permissions.")
			}
			value = strings.TrimRight(string(content), "\r\n")
		} else if yaml.Unmarshal([]byte(text), &value) != nil || value == nil {
			value = text // as it stands
		}
		into, names := whole, strings.Split(key, ".")
		for _, name := range names[:len(names)-1] {
			next, ok := into[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				into[name] = next
			}
			into = next
		}
		into[names[len(names)-1]] = value
	}
	return whole, nil
}
