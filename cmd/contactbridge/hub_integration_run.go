package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/web/api"
)

func (f *integrationFlags) run() *cobra.Command {
	return &cobra.Command{
		Use: "run NAME [ID]", Short: "Show one run: its log, and what it could not take", Args: takes("NAME", "[ID]"),
		Long: `Show one run of an integration: what happened, how much it read, and the contacts that it could not take. Without an ID it is the
newest one. IDs are in the list of contactbridge hub integration runs.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id := int64(0)
			if len(args) > 1 {
				var err error
				if id, err = strconv.ParseInt(args[1], 10, 64); err != nil || id <= 0 {
					return misuse("ID is not the number of a run", "Look at the list: contactbridge hub integration runs "+args[0])
				}
			}
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				if id == 0 {
					runs, err := h.Runs(ctx, key, 0, 1)
					if err != nil {
						return err
					}
					if len(runs) == 0 {
						_, err := fmt.Fprintln(cmd.OutOrStdout(), "It has not run yet.")
						return err
					}
					id = runs[0].ID
				}
				r, err := h.RunOf(ctx, key, id)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), api.Run(r))
				}
				return printRun(cmd.OutOrStdout(), r)
			})
		},
	}
}

func printRun(w io.Writer, r hub.RunView) error {
	fmt.Fprintf(w, "run %d: %s, %s, took %s: %s contacts on %s, %d created, %d updated, %d deleted, %d rejected\n\n", r.ID, r.Kind, r.State, took(r.Run),
		progress.Count(r.Contacts), count(int(r.Pages), "page"), r.Created, r.Counts.Updated, r.Deleted, r.Run.Rejected)
	for n, line := range r.Log.Lines {
		if n == len(r.Log.Lines)/2 && r.Log.Left > 0 {
			fmt.Fprintf(w, "          … %s left out\n", count(r.Log.Left, "line"))
		}
		fmt.Fprintf(w, "%s  %-7s  %s\n", line.Time.Local().Format("15:04:05"), line.Level, oneLine(line.Text))
	}
	if len(r.Rejected) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := newTable("REJECTED", "WHY")
	for _, c := range r.Rejected {
		t.row(orDash(c.ID), c.Reason)
	}
	return t.print(w, "")
}
