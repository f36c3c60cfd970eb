package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/bridge/bridgetest"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/progress"
)

// checkFlags are the flags of check as they were given.
type checkFlags struct {
	authFlags

	authValidation string
	agents         string
	contacts       int
	mutate         string
	restart        string
	record         string
	replay         string
	json           bool
	junit          string
	strict         bool
	verbose        bool
	pause          time.Duration
}

func newCheckCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check URL",
		Short: "Judge any bridge by the rules of the protocol",
		Long: `check judges a bridge, in whatever language it is written, by every rule of the contact-synchronization protocol. It
sends what a synchronizer sends, and what one never should, and reports what the bridge does wrong: what was sent, what
came back (credentials masked) and what to change.

A failed case is graded must (the protocol is violated) or should (it works, but loses contacts or time sooner or later).
A note is worth knowing. What was skipped was not judged.

With --mutate the check changes contacts between and during pages, and demands that every change arrives. It runs the
command with two more arguments: create, update or delete, and an id. The command must change the contact in the external
service, commit, and exit 0. An update must change something that the bridge sends. A creation may take another id than
the one it is given, and prints it as its last line. Contacts that the check created are deleted again; contacts that it
updated stay updated. The command is split into words as a shell does, with quotes and backslashes, but no shell runs it.

Exit status: 0 if no must failed (with --strict: nor should), 1 if one failed, 2 if the command was used wrongly.`,
		Example: `  contactbridge check http://127.0.0.1:8080/crm/contact_sync --auth username=agent --auth-env password=CRM_PASSWORD
  contactbridge check https://bridge.example.com/contact_sync --auth-file auth.json --strict --junit report.xml
  contactbridge check http://127.0.0.1:8080/contact_sync --auth-env token=CRM_TOKEN --mutate 'python3 mutate.py contacts.db'
  contactbridge check http://127.0.0.1:8080/contact_sync --auth-env token=CRM_TOKEN --record traffic
  contactbridge check --replay traffic`,
		GroupID: groupBridge,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case f.replay != "" && len(args) > 0:
				return misuse("--replay judges a recording and takes no URL", "")
			case f.replay == "":
				return takes("URL")(nil, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.authFlags.add(cmd)
	f.add(cmd)
	return cmd
}

func (f *checkFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.authValidation, "auth-validation", "", "the `url` that checks credentials (default: the bridge's with /auth_validation for /contact_sync)")
	flags.StringVar(&f.agents, "agents", "", "the `url` that sends agents (default: the bridge's with /agent_sync for /contact_sync)")
	flags.IntVar(&f.contacts, "contacts", 0, "how many contacts a full run must bring, if you know")
	flags.StringVar(&f.mutate, "mutate", "", "a `command` that changes a contact: command create|update|delete ID")
	flags.StringVar(&f.restart, "restart", "", "a `command` that restarts the bridge and ends")
	flags.StringVar(&f.record, "record", "", "write all traffic into a new `folder`, credentials masked")
	flags.StringVar(&f.replay, "replay", "", "judge the traffic in a `folder` again, without a bridge")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	flags.StringVar(&f.junit, "junit", "", "also write the report as JUnit XML into a `file`")
	flags.BoolVar(&f.strict, "strict", false, "fail on should as well")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "also list what passed")
	flags.DurationVar(&f.pause, "pause", 3*time.Second, "how long the cases wait that need time to pass")
}

func (f *checkFlags) run(cmd *cobra.Command, args []string) error {
	target, options, err := f.target(cmd, args)
	if err != nil {
		return err
	}
	line := &progressLine{w: cmd.ErrOrStderr(), on: progress.IsTerminal(cmd.ErrOrStderr())}
	options.Progress = line.show
	report, err := bridgetest.Check(cmd.Context(), target, options)
	line.clear()
	if failure.Of(err).Code == failure.Invalid {
		return misuse(err.Error(), "")
	}
	interrupted := err != nil && cmd.Context().Err() != nil
	if err != nil && !interrupted {
		return err
	}
	if err := f.print(cmd.OutOrStdout(), report); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if interrupted {
		return &failure.Error{Message: "the check was interrupted: the report is of what it had judged", Err: failure.Hidden(err)}
	}
	if !report.OK || f.strict && !report.Strict {
		return errSaid
	}
	return nil
}

// target returns the target that the flags ask for. Every mistake in it is a misuse.
func (f *checkFlags) target(cmd *cobra.Command, args []string) (bridgetest.Target, bridgetest.Options, error) {
	options := bridgetest.Options{Pause: f.pause, Record: f.record, Replay: f.replay}
	if f.replay != "" {
		if f.record != "" {
			return bridgetest.Target{}, options, misuse("--record and --replay exclude each other", "")
		}
		return bridgetest.Target{}, options, nil
	}
	address, err := parseBridgeURL(args[0])
	if err != nil {
		return bridgetest.Target{}, options, err
	}
	target := bridgetest.Target{URL: address.String(), AuthValidationURL: f.authValidation, AgentsURL: f.agents, Contacts: f.contacts}
	if target.Auth, err = f.auth(cmd.InOrStdin()); err != nil {
		return target, options, err
	}
	if f.mutate != "" {
		words, err := splitWords(f.mutate)
		if err != nil {
			return target, options, misuse("--mutate: "+err.Error(), "")
		}
		target.Mutate = mutator(words)
	}
	if f.restart != "" {
		words, err := splitWords(f.restart)
		if err != nil {
			return target, options, misuse("--restart: "+err.Error(), "")
		}
		target.Restart = func(ctx context.Context) error {
			_, err := runWords(ctx, words)
			return err
		}
	}
	return target, options, nil
}

func (f *checkFlags) print(stdout io.Writer, report bridgetest.Report) error {
	if f.junit != "" {
		var xml bytes.Buffer
		if err := report.WriteJUnit(&xml, f.strict); err != nil {
			return err
		}
		if err := os.WriteFile(f.junit, xml.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if f.json {
		encoder := json.NewEncoder(stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	coloured := progress.IsTerminal(stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return report.WriteText(stdout, coloured, f.verbose)
}

// A progressLine shows what the check is doing in one line of a terminal, and nothing elsewhere.
type progressLine struct {
	w  io.Writer
	on bool
}

func (l *progressLine) show(p bridgetest.Progress) {
	if !l.on {
		return
	}
	text := p.Doing
	if p.Pages > 0 {
		text = fmt.Sprintf("%s: %s, %s", p.Doing, count(p.Pages, "page"), count(p.Contacts, "contact"))
	}
	fmt.Fprintf(l.w, "\r\x1b[K%.100s", oneLine(text))
}

func (l *progressLine) clear() {
	if l.on {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}
