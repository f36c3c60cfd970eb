package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func newHubTokenCommand(f *hubFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Create, list and remove tokens: what programs and PBXs show to be let in",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(hubTokenCreate(f), hubTokenList(f), hubTokenRemove(f))
	return cmd
}

func hubTokenCreate(f *hubFlags) *cobra.Command {
	var account string
	var scopes []string
	var expires time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Create a token, and print it this once", Args: takes("NAME"),
		Long: "Create a token. Its value is printed on standard output, this once: only a digest of it is kept.\n\nScopes: " + scopeNames() + ".",
		Example: `  contactbridge hub token create pbx --scope callers:read
  contactbridge hub token create deploy --all-accounts --scope admin --expires 24h`,
		RunE: func(cmd *cobra.Command, args []string) error {
			all, _ := cmd.Flags().GetBool("all-accounts")
			if all && account != "" {
				return misuse("--account and --all-accounts exclude each other", "")
			}
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) (err error) {
				if !all {
					if account, err = accountOf(ctx, h, account, false); err != nil {
						return err
					}
				}
				token := registry.Token{Name: args[0], Account: account}
				for _, scope := range scopes {
					token.Scopes = append(token.Scopes, registry.Scope(scope))
				}
				if expires != 0 {
					token.Expires = time.Now().Add(expires)
				}
				token, value, err := h.CreateToken(ctx, token, "")
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), map[string]any{"id": token.ID, "name": token.Name, "account": token.Account, "scopes": token.Scopes, "value": value})
				}
				fmt.Fprintln(cmd.OutOrStdout(), value)
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&account, "account", "", "account `name` that it sees; may be left out where there is one only")
	flags.Bool("all-accounts", false, "let it see every account (needs --scope admin)")
	flags.StringSliceVar(&scopes, "scope", nil, "what it may do; may be repeated")
	flags.DurationVar(&expires, "expires", 0, "`time` after which it is worth nothing; default: never")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	_ = cmd.MarkFlagRequired("scope")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions(strings.Split(scopeNames(), ", "), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func scopeNames() string {
	var names []string
	for _, scope := range registry.Scopes {
		names = append(names, string(scope))
	}
	return strings.Join(names, ", ")
}

func hubTokenList(f *hubFlags) *cobra.Command {
	var account string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the tokens; their values are not kept", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				tokens, err := h.Tokens(ctx, account)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), tokens)
				}
				t := newTable("ID", "NAME", "ACCOUNT", "SCOPES", "MADE BY", "USED", "EXPIRES", "")
				for _, token := range tokens {
					var names []string
					for _, scope := range token.Scopes {
						names = append(names, string(scope))
					}
					t.row(token.ID, token.Name, cmp.Or(token.Account, "all"), strings.Join(names, " "), cmp.Or(token.MadeBy, "not known"), ago(token.Used), expiry(token.Expires), managed(token.Managed))
				}
				return t.print(cmd.OutOrStdout(), "No tokens yet. Create one: contactbridge hub token create pbx --scope callers:read")
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "account `name`; default: all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

func expiry(t time.Time) string {
	switch {
	case t.IsZero():
		return "never"
	case time.Until(t) < 0:
		return "expired"
	}
	return "in " + roughly(time.Until(t))
}

func hubTokenRemove(f *hubFlags) *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Remove a token, and those that were made by it: they stop working within a second", Args: takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				if err := h.RemoveToken(ctx, args[0]); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "the token is removed")
				return nil
			})
		},
	}
}
