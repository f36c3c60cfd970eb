package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/api"
)

func newHubWebhookCommand(f *hubFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Add, list, try and remove webhooks: who is told of events",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(hubWebhookAdd(f), hubWebhookList(f), hubWebhookTest(f), hubWebhookDeliveries(f), hubWebhookRetry(f), hubWebhookEnable(f), hubWebhookRemove(f))
	return cmd
}

func hubWebhookAdd(f *hubFlags) *cobra.Command {
	var account string
	var kinds []string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "add URL", Short: "Add a webhook, and print its secret this once", Args: takes("URL"),
		Long: `Add a webhook: events are posted to URL. The secret that deliveries are signed with is printed on standard output, this once.

Kinds of event: ` + strings.Join(hub.EventKinds(), ", ") + ".",
		Example: `  contactbridge hub webhook add https://example.com/hooks/contacts --kind run.failed --kind integration.broken
  contactbridge hub webhook add https://example.com/hooks/all --all-accounts`,
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
				w, secret, err := h.AddWebhook(ctx, registry.Webhook{Account: account, URL: args[0], Kinds: kinds})
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), api.CreatedWebhook(w, secret))
				}
				fmt.Fprintln(cmd.OutOrStdout(), secret)
				fmt.Fprintf(cmd.ErrOrStderr(), "webhook %s is added; what it is sent is signed with this secret.\n", w.ID)
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&account, "account", "", "account `name` whose events it is told of; may be left out where there is one only")
	flags.Bool("all-accounts", false, "tell it of every account's events")
	flags.StringSliceVar(&kinds, "kind", nil, "kind of `event` it is told of; may be repeated; default: all")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(hub.EventKinds(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func hubWebhookList(f *hubFlags) *cobra.Command {
	var account string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the webhooks; their secrets are not shown", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				webhooks, err := h.Webhooks(ctx, account)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), api.Webhooks(webhooks))
				}
				t := newTable("ID", "ACCOUNT", "URL", "KINDS", "ADDED", "")
				for _, w := range webhooks {
					t.row(w.ID, cmp.Or(w.Account, "all"), w.URL, cmp.Or(strings.Join(w.Kinds, " "), "all"), ago(w.Created), standing(w))
				}
				return t.print(cmd.OutOrStdout(), "No webhooks yet. Add one: contactbridge hub webhook add https://example.com/hooks/contacts --kind run.failed")
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "account `name`; default: all")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

// standing returns the particulars of a webhook; empty if its deliveries arrive and anyone may remove it.
func standing(w registry.Webhook) string {
	var words []string
	if w.Disabled {
		words = append(words, "disabled: it took nothing for a day")
	}
	if w.Managed {
		words = append(words, managed(w.Managed))
	}
	return strings.Join(words, ", ")
}

func hubWebhookRemove(f *hubFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "remove ID", Short: "Remove a webhook with what is still to be delivered to it", Args: takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				webhooks, err := h.Webhooks(ctx, "")
				if err != nil {
					return err
				}
				i := slices.IndexFunc(webhooks, func(w registry.Webhook) bool { return w.ID == args[0] })
				if i >= 0 && !webhooks[i].Managed && !yes {
					return misuse("this would remove the webhook to "+webhooks[i].URL+", and what is still to be delivered to it", "Say --yes if that is what you want.")
				}
				if err := h.RemoveWebhook(ctx, args[0]); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "the webhook is removed")
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}
