package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func newHubAccountCommand(f *hubFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "account",
		Short: "List, set and remove accounts: one for each contact centre",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(hubAccountList(f), hubAccountSet(f), hubAccountRemove(f))
	return cmd
}

func hubAccountList(f *hubFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the accounts", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				accounts, err := h.Accounts(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), accounts)
				}
				t := newTable("ACCOUNT", "REGION", "TIME ZONE", "")
				for _, a := range accounts {
					t.row(a.Name, cmp.Or(a.Region, "-"), cmp.Or(a.TimeZone, "UTC"), managed(a.Managed))
				}
				return t.print(cmd.OutOrStdout(), "No accounts yet. Make one: contactbridge hub account set NAME --region US")
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

func hubAccountSet(f *hubFlags) *cobra.Command {
	var region, zone string
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Make an account, or change one", Args: takes("NAME"),
		Example: "  contactbridge hub account set acme --region GB --time-zone Europe/London",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				account, err := h.Account(ctx, args[0])
				if err != nil && failure.Of(err).Code != failure.NotFound {
					return err
				}
				account.Name = args[0]
				if cmd.Flags().Changed("region") {
					account.Region = region
				}
				if cmd.Flags().Changed("time-zone") {
					account.TimeZone = zone
				}
				if err := h.PutAccount(ctx, account); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "account %s is set\n", args[0])
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&region, "region", "", "`country` of numbers that are written without a country code: US, GB, …")
	cmd.Flags().StringVar(&zone, "time-zone", "", "IANA `name`, such as Europe/London")
	return cmd
}

func hubAccountRemove(f *hubFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "remove NAME", Short: "Remove an account with its integrations and contacts", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				if _, err := h.Account(ctx, args[0]); err != nil {
					return err
				}
				if !yes {
					overview, err := h.Overview(ctx, args[0])
					if err != nil {
						return err
					}
					return misuse(fmt.Sprintf("this would remove %s with %s", count(overview.Integrations, "integration"), count(int(overview.Contacts), "contact")),
						"Say --yes if that is what you want.")
				}
				return h.RemoveAccount(ctx, args[0])
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

// accountOf is the account that a command works in: the one that was named, or the only one there is, or a new one called
// default if there is no account and make says so.
func accountOf(ctx context.Context, h *hub.Hub, named string, make bool) (string, error) {
	accounts, err := h.Accounts(ctx)
	switch {
	case err != nil:
		return "", err
	case named != "":
		return named, nil
	case len(accounts) == 1:
		return accounts[0].Name, nil
	case len(accounts) > 1:
		return "", misuse("there are several accounts", "Name one with --account.")
	case !make:
		return "", misuse("no accounts yet", "Make one: contactbridge hub account set NAME --region US")
	}
	return "default", h.PutAccount(ctx, registry.Account{Name: "default"})
}

func managed(by bool) string {
	if by {
		return "managed by the file"
	}
	return ""
}
