package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/web/api"
)

func (f *integrationFlags) held() *cobra.Command {
	var (
		limit int
		after int64
		asCSV bool
	)
	cmd := &cobra.Command{
		Use: "held NAME", Short: "List the contacts whose deletion waits for a decision", Args: takes("NAME"),
		Example: `  contactbridge hub integration held crm
  contactbridge hub integration held crm --csv >deletions.csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit <= 0 {
				return misuse("--limit must be more than 0", "")
			}
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				if asCSV {
					return h.WriteHeld(ctx, cmd.OutOrStdout(), key)
				}
				held, list, err := h.Held(ctx, key, after, limit)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), api.HeldContacts(held, list))
				}
				if err := printHeld(cmd.OutOrStdout(), held, list); err != nil || held.Count == 0 {
					return err
				}
				if len(list) == limit && int64(limit) < held.Count {
					fmt.Fprintf(cmd.ErrOrStderr(), "there may be more: --after %d\n", list[limit-1].Seq)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nto delete them: contactbridge hub integration accept %s --set %s\nto keep them:   contactbridge hub integration keep %[1]s --set %[2]s\n",
					key.Integration, held.Set)
				return err
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "contacts to list")
	cmd.Flags().Int64Var(&after, "after", 0, "only contacts after this `NUMBER`: where a list goes on")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print all of them as CSV")
	return cmd
}

func (f *integrationFlags) accept() *cobra.Command {
	return f.answer("accept", "Say yes to the deletions that wait: the contacts are deleted", "deleted", (*hub.Hub).AcceptDeletions)
}

func (f *integrationFlags) keep() *cobra.Command {
	return f.answer("keep", "Say no to the deletions that wait: the contacts stay", "kept", (*hub.Hub).RefuseDeletions)
}

// answer returns a command that says yes or no to a set of deletions. Without a set it shows what waits, and does nothing.
func (f *integrationFlags) answer(use, short, done string, say func(*hub.Hub, context.Context, directory.Key, string) (int64, error)) *cobra.Command {
	var set string
	cmd := &cobra.Command{
		Use: use + " NAME --set SET", Short: short, Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.key(cmd, args[0], func(ctx context.Context, h *hub.Hub, key directory.Key) error {
				var n int64
				var err error
				if set != "" {
					if n, err = say(h, ctx, key, set); err == nil {
						fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", count(int(n), "contact"), done)
						return nil
					}
				}
				held, list, shown := h.Held(ctx, key, 0, 100)
				if shown != nil {
					return shown
				}
				if held.Count > 0 {
					if shown = printHeld(cmd.ErrOrStderr(), held, list); shown != nil {
						return shown
					}
				}
				switch {
				case err != nil:
					return err
				case held.Count == 0:
					return misuse("no deletions of "+key.Integration+" wait for a decision", "")
				}
				return misuse("--set is missing: it says which deletions are meant", fmt.Sprintf("If it is those above: --set %s", held.Set))
			})
		},
	}
	cmd.Flags().StringVar(&set, "set", "", "the `set` that was shown: an answer is for the contacts that you have seen")
	return cmd
}
