package main

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func newHubAuditCommand(f *hubFlags) *cobra.Command {
	var filter registry.Filter
	var asJSON, asCSV bool
	var since, until string
	cmd := &cobra.Command{
		Use: "audit", Short: "List who changed what, and who signed in, newest first", Args: takes(),
		Example: `  contactbridge hub audit --action session.
  contactbridge hub audit --actor "user jane" --since 2026-11-01
  contactbridge hub audit --csv > audit.csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON && asCSV {
				return misuse("--json and --csv exclude each other", "")
			}
			var err error
			if filter.Since, err = dayOf("--since", since); err != nil {
				return err
			}
			if filter.Until, err = dayOf("--until", until); err != nil {
				return err
			}
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				if asCSV {
					return h.WriteAudit(ctx, cmd.OutOrStdout(), filter)
				}
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
				return t.print(cmd.OutOrStdout(), "There is nothing of this.")
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&filter.Account, "account", "", "account `name`; default: all")
	flags.StringVar(&filter.Actor, "actor", "", "only what this `one` did, such as \"user jane\"")
	flags.StringVar(&filter.Action, "action", "", "only what `begins` so: webhook.add, or session. for everything about signing in")
	flags.StringVar(&filter.Subject, "subject", "", "only what is about this `name`")
	flags.StringVar(&since, "since", "", "nothing before this `day`, such as 2026-11-30, or time (RFC 3339)")
	flags.StringVar(&until, "until", "", "only what was before this `day` or time")
	flags.IntVar(&filter.Limit, "limit", 50, "entries to list; --csv writes all")
	flags.BoolVar(&asJSON, "json", false, "print one JSON array")
	flags.BoolVar(&asCSV, "csv", false, "print all entries as CSV; a cell that a spreadsheet would calculate begins with an apostrophe")
	return cmd
}

// dayOf reads a day, in UTC, or a time.
func dayOf(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, misuse(flag+" is not a day", "Write it as 2026-11-30, or as 2026-11-30T08:00:00Z.")
}
