package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/screen"
)

// version is set by the linker when a release is built (-X main.version=v1.2.3); otherwise the build's own information
// answers.
var version string

// The groups of commands in the help.
const (
	groupStart  = "start"
	groupBridge = "bridge"
	groupSync   = "sync"
)

// newRootCommand returns the command with all its subcommands. Each subcommand is a function in a file of its own. args is the command line.
// init gets a subcommand for each kind of source only if args may need them, because describing the kinds takes longer than some commands run.
func newRootCommand(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "contactbridge",
		Short: "Contacts from where they are kept to where calls are answered",
		Long: `contactbridge serves the contacts of a database, a spreadsheet or a service through the contact-synchronization
protocol (the bridge), fetches them from any bridge into a directory (the synchronizer), and says who is calling.`,
		Version:       versionText(),
		SilenceErrors: true, // run prints them
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,

		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("contactbridge {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return misuse(err.Error(), "") })
	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "Get going:"},
		&cobra.Group{ID: groupBridge, Title: "Serve contacts:"},
		&cobra.Group{ID: groupSync, Title: "Fetch contacts, know who is calling:"},
	)
	root.AddCommand(newDemoCommand(), newServeCommand(), newPreviewCommand(), newDescribeCommand(), newConfigCommand(), newSyncCommand(), newLookupCommand(), newHubCommand(),
		newBackupCommand(), newRestoreCommand(), newMigrateCommand(), newPurgeCommand(), newCheckCommand(), newHealthCommand(), newSupportBundleCommand(), newManCommand())
	initCommand, addKinds := newInitCommand()
	root.AddCommand(initCommand)
	// cobra adds help and completion later, so Find returns root for them. The command that writes the manual is hidden.
	if named, _, err := root.Find(args); err != nil || named == root || named == initCommand || named.Hidden {
		addKinds()
	}
	return root
}

// run executes one command line and returns its exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand(args)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if !errors.Is(err, errSaid) {
		printError(stderr, cmd.CommandPath(), err)
	}
	switch failure.Of(err).Code {
	case misused, failure.Invalid:
		return exitMisuse
	}
	return exitFailed
}

// errSaid fails a command that has already told the operator why.
var errSaid = errors.New("failed")

// misused is the code of a command that was used wrongly: exit status 2.
const misused failure.Code = "misused"

// misuse returns the error of a command that was used wrongly. An empty hint points to the command's help.
func misuse(message, hint string) error {
	return &failure.Error{Code: misused, Message: message, Hint: hint}
}

// printError prints "contactbridge sync: what happened" and, where there is one, "hint: what to do".
func printError(w io.Writer, command string, err error) {
	if all := failure.All(err); len(all) > 1 {
		for i := range all {
			printError(w, command, &all[i])
		}
		return
	}
	known := failure.Of(err)
	message, hint := err.Error(), known.Hint
	if known.Code == misused {
		hint = cmp.Or(hint, fmt.Sprintf("Run '%s --help'.", command))
	} else { // misuse may list several problems, a line each, in our own words
		message = oneLine(message)
	}
	fmt.Fprintf(w, "%s: %s\n", command, message)
	if hint != "" {
		fmt.Fprintf(w, "hint: %s\n", oneLine(hint))
	}
}

// oneLine keeps what others wrote from drawing on the operator's terminal: what draws becomes a space.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if screen.Draws(r) {
			return ' '
		}
		return r
	}, s)
}

// noSuchCommand refuses the name of a command that does not exist, and suggests the nearest.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("Did you mean '%s %s'?", cmd.CommandPath(), near[0])
	}
	return misuse(fmt.Sprintf("unknown command %q", args[0]), hint)
}

// takes is the argument check of a command that needs exactly these arguments; those in brackets, the last ones, may be left out.
func takes(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names) && names[len(args)][0] != '[':
			return misuse(names[len(args)]+" is missing", "")
		case len(args) > len(names):
			return misuse(fmt.Sprintf("unexpected argument %q", args[len(names)]), "")
		}
		return nil
	}
}

// versionText is the release, or else the revision, that the binary was built from.
func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	return "devel" + revision(info.Settings)
}

// revision is " (1a2b3c4d5e6f)" with a * where the tree held changes; empty where the build knows none.
func revision(settings []debug.BuildSetting) string {
	var commit, dirty string
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "*"
			}
		}
	}
	if commit == "" {
		return ""
	}
	return " (" + commit + dirty + ")"
}
