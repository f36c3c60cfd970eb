package main

import (
	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/internal/demo"
)

func newDemoCommand() *cobra.Command {
	o := demo.StoryOptions{}
	cmd := &cobra.Command{
		Use:     "demo",
		GroupID: groupStart,
		Short:   "See all of it work in one process, with a sample CRM",
		Long: `A sample CRM, the bridge on it, a synchronizer and its directory in one process: an initial sync, a user edits the CRM,
an incremental sync, three calls. Then it stays up for you to try, with a hub and its console on the bridge. Nothing is
installed; all files are temporary.`,
		Example: `  contactbridge demo
  contactbridge demo --once`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Customers < 100 {
				return misuse("--customers must be 100 or more", "")
			}
			o.Out = cmd.OutOrStdout()
			return demo.Run(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.Once, "once", false, "tell the story and exit: 0 if every step came out as it should, 1 if not")
	cmd.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8080", "where the bridge listens; a free port where that is in use")
	cmd.Flags().StringVar(&o.Hub, "hub-listen", "127.0.0.1:8090", "where the hub and its console listen afterwards; a free port where that is in use")
	cmd.Flags().IntVar(&o.Customers, "customers", 3000, "customers in the sample CRM (100 or more)")
	return cmd
}
