package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/contactbridge/contactbridge/failure"
)

func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "man FOLDER",
		Short:             "Write the manual pages of every command to a folder",
		Hidden:            true, // for packages
		Args:              takes("FOLDER"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return &failure.Error{Message: "the folder cannot be made", Hint: "Name one that may be written.", Err: err}
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			date := time.Unix(0, 0) // two builds are equal
			return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "contactbridge", Manual: "contactbridge", Date: &date}, args[0])
		},
	}
}
