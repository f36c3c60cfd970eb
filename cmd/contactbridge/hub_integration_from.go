package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/internal/registration"
	"github.com/contactbridge/contactbridge/synchronizer"
	"github.com/contactbridge/contactbridge/web/api"
)

// registered returns the integration that a registration describes, or the one of a name and a URL, or of a name alone where there is a source.
func (s *settings) registered(cmd *cobra.Command, from string, args []string) (registry.Integration, error) {
	if s.source.given() && from != "" {
		return registry.Integration{}, misuse("it has both a registration and a source", "Leave out --from, or --kind.")
	}
	if s.source.given() {
		return registry.Integration{Key: directory.Key{Integration: args[0]}}, nil
	}
	if from == "" {
		target, err := parseBridgeURL(args[1])
		if err != nil {
			return registry.Integration{}, err
		}
		return registry.Integration{Key: directory.Key{Integration: args[0]}, Bridge: target.String()}, nil
	}
	text, err := readRegistration(from, cmd.InOrStdin())
	if err != nil {
		return registry.Integration{}, misuse("--from: "+err.Error(), "Name the JSON that contactbridge describe writes.")
	}
	r, err := registration.Parse(text)
	if err != nil {
		return registry.Integration{}, misuse("--from: "+err.Error(), failure.Of(err).Hint)
	}
	if r.ContactSync == "" {
		return registry.Integration{}, misuse("--from: there is no contact_synchronization_endpoint", "The hub synchronizes contacts: it needs the address of contact_sync.")
	}
	name := r.Name
	if len(args) > 0 {
		name = args[0]
	}
	i := registry.Integration{Key: directory.Key{Integration: name}, Bridge: r.ContactSync, Validation: r.AuthValidation, Agents: r.AgentSync}
	for _, f := range r.Fields {
		if f.Type == "oauth" { // the provider gives it
			continue
		}
		field := registry.Field{
			Name: f.Name, Display: f.Display, Mandatory: f.Mandatory, Help: f.Help, Format: f.Format, Default: f.Default,
			Source: f.Source, Store: registry.Store(!f.Store),
		}
		if f.Source == registration.Input {
			field.Source = ""
		}
		if synchronizer.IsCredential(f.Name) {
			field.Type = "password"
		}
		i.Fields = append(i.Fields, field)
	}
	if grant := grants[r.AuthenticationType]; grant != "" {
		i.OAuth = &registry.OAuth{Grant: grant}
	}
	return i, nil
}

// grants are those of the platform's types of authentication.
var grants = map[string]string{
	registration.OAuth2: hub.AuthorizationCode, registration.OAuth2Password: hub.PasswordGrant, registration.OAuth2Credentials: hub.ClientCredentials,
}

const mostRegistration = 1 << 20 // bytes

func readRegistration(path string, stdin io.Reader) ([]byte, error) {
	from := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	return io.ReadAll(io.LimitReader(from, mostRegistration))
}

// agentsLine says how an integration's agents stand; empty where there are none.
func agentsLine(v hub.IntegrationView) string {
	a := v.State.Agents
	switch {
	case v.Agents == "":
		return ""
	case a.Error != "":
		return fmt.Sprintf("%s, last synchronized %s; then: %s (%s)", progress.Count(a.Count), ago(a.Synced), a.Error, a.Hint)
	}
	return fmt.Sprintf("%s, synchronized %s, from %s", progress.Count(a.Count), ago(a.Synced), v.Agents)
}

func (f *integrationFlags) agents() *cobra.Command {
	var (
		limit int
		after string
	)
	cmd := &cobra.Command{
		Use: "agents NAME", Short: "List the external service's users who may be agents, and who of the hub's users they are", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit <= 0 {
				return misuse("--limit must be more than 0", "")
			}
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				list, err := h.Agents(ctx, key, after, limit+1)
				if err != nil {
					return err
				}
				if len(list) > limit {
					list = list[:limit]
					fmt.Fprintf(cmd.ErrOrStderr(), "there are more: --after %s\n", oneLine(list[limit-1].Agent.ID))
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), api.Agents(list))
				}
				t := newTable("ID", "NAME", "E-MAIL", "USER OF THE HUB")
				for _, v := range list {
					t.row(v.Agent.ID, v.Agent.Name, v.Agent.Email, cmp.Or(v.User, "-"))
				}
				return t.print(cmd.OutOrStdout(), "No agents are known. To have them synchronized: contactbridge hub integration change NAME --agents URL")
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "agents to list")
	cmd.Flags().StringVar(&after, "after", "", "only agents with an `ID` after this one: where a list goes on")
	return cmd
}
