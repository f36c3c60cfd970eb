package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func newHubAuditCommand(f *hubFlags) *cobra.Command {
	var filter registry.Filter
	var asJSON bool
	cmd := &cobra.Command{
		Use: "audit", Short: "List who changed what, newest first", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				entries, err := h.Audit(ctx, filter)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), entries)
				}
				t := newTable("TIME", "WHO", "WHAT", "ACCOUNT", "SUBJECT", "")
				for _, e := range entries {
					t.row(e.Time.Local().Format("2006-01-02 15:04:05"), e.Actor, e.Action, cmp.Or(e.Account, "-"), cmp.Or(e.Subject, "-"), e.Detail)
				}
				return t.print(cmd.OutOrStdout(), "Nothing was changed yet.")
			})
		},
	}
	cmd.Flags().StringVar(&filter.Account, "account", "", "account `name`; default: all")
	cmd.Flags().IntVar(&filter.Limit, "limit", 50, "entries to list")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}
