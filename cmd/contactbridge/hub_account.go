package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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

// callerFlags say how an account names its callers.
type callerFlags struct {
	policy, ranges []string
	derive, mask   bool
	keep           time.Duration
}

func (c *callerFlags) add(flags *pflag.FlagSet) {
	flags.StringSliceVar(&c.policy, "policy", nil, "what decides between several contacts of one number, in this `order`: priority,company,newest (the default)")
	flags.StringArrayVar(&c.ranges, "range", nil, "numbers of a company, \"+4420794600xx: Example Ltd\"; may be repeated; replaces all `ranges`; an empty one removes them")
	flags.BoolVar(&c.derive, "derive", true, "name a number by the company that has the numbers around it")
	flags.DurationVar(&c.keep, "keep-calls", registry.DefaultKeepCalls, "how long look-ups are kept with their explanation; 0s: none is")
	flags.BoolVar(&c.mask, "mask-calls", true, "keep look-ups without names and the last four digits of numbers")
}

// apply changes what was said on the command line.
func (c *callerFlags) apply(flags *pflag.FlagSet, to *registry.Callers) error {
	if flags.Changed("policy") {
		to.Policy = c.policy
	}
	if flags.Changed("range") {
		to.Ranges = slices.DeleteFunc(slices.Clone(c.ranges), func(r string) bool { return strings.TrimSpace(r) == "" })
	}
	if flags.Changed("derive") {
		to.NoDerive = !c.derive
	}
	if flags.Changed("mask-calls") {
		to.Unmasked = !c.mask
	}
	if !flags.Changed("keep-calls") {
		return nil
	}
	if c.keep < 0 {
		return misuse("--keep-calls must not be below 0", "Write 720h for 30 days, or 0s to keep none.")
	}
	if to.Keep = c.keep; c.keep == 0 {
		to.Keep = -1 // registry.Callers: none
	}
	return nil
}

func hubAccountSet(f *hubFlags) *cobra.Command {
	var region, zone string
	var callers callerFlags
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Make an account, or change one", Args: takes("NAME"),
		Example: `  contactbridge hub account set acme --region GB --time-zone Europe/London
  contactbridge hub account set acme --policy newest,company --range "+4420794600xx: Example Ltd" --keep-calls 168h`,
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
				if err := callers.apply(cmd.Flags(), &account.Callers); err != nil {
					return err
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
	callers.add(cmd.Flags())
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
