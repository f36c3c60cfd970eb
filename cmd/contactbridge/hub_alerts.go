package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/hubserver"
)

func newHubAlertsCommand(f *hubFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "Try who is told, by e-mail or in a chat, what is wrong",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(hubAlertsTest(f))
	return cmd
}

func hubAlertsTest(f *hubFlags) *cobra.Command {
	return &cobra.Command{
		Use: "test [RECEIVER]", Short: "Send a test to the receivers of alerts that the configuration names", Args: takes("[RECEIVER]"),
		Long: `Send a test to every receiver below alerts.receivers of the configuration, or to the one that is named, and say how each took it. The
hub need not run, and its databases are not opened. Exit status 1 means that one did not take it.`,
		Example: `  contactbridge hub alerts test -c hub.yaml
  contactbridge hub alerts test operations -c hub.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.load(cmd)
			if err != nil {
				return err
			}
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			ctx := hub.WithActor(cmd.Context(), hub.Actor{Name: "the command line", All: true, Scopes: hubserver.Everything()})
			tried, err := hubserver.TryAlerts(ctx, cfg, name)
			if err != nil {
				return err
			}
			var failed []error
			for _, t := range tried {
				if t.Err != nil {
					failed = append(failed, &failure.Error{Message: t.Address + ": " + t.Err.Error(), Hint: failure.Of(t.Err).Hint})
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s took the test, in %s\n", t.Address, t.How.Took.Round(time.Millisecond))
			}
			return errors.Join(failed...)
		},
	}
}
