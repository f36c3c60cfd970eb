package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/preview"
	"github.com/contactbridge/contactbridge/internal/progress"
	"github.com/contactbridge/contactbridge/internal/recording"
	"github.com/contactbridge/contactbridge/source"
)

// previewFlags are the flags of contactbridge preview.
type previewFlags struct {
	configFlag
	authFlags

	limit   int
	examine int
	json    bool
	verify  bool
	record  string
	replay  string
}

func newPreviewCommand() *cobra.Command {
	var f previewFlags
	cmd := &cobra.Command{
		Use:     "preview [ENDPOINT]",
		GroupID: groupBridge,
		Short:   "Show the first contacts as they would be sent, and what is wrong with them",
		Long: `Show the first contacts of an endpoint as they would be sent, where their fields come from, and every problem found: in the
source (a missing index, a missing privilege) and in the contacts (no id, no name, invalid phone numbers).

With --verify it proves what the configuration says of the service by asking the service itself: that the time of a request is
taken as declared, that records come in the declared order, that pages go on, that wrong credentials are refused, and more. Each check
says what was asked, what came, and what that means: passed, failed, or not judged, where the service has too little to tell.

With --record FOLDER it keeps what was asked and answered, with credentials and people's data replaced; the folder can be sent with a
report of a fault. With --replay FOLDER it shows the same again without the service; FOLDER/bridge.yaml is the configuration, which may
be changed. Both are for kinds that speak to an API: rest, and all presets.

Nothing is changed in the service. The exit status is 1 if a problem is a failure (contacts would be lost, or nothing could be sent), or
if a check has failed; what could not be judged is no failure.`,
		Example: `  contactbridge preview -c bridge.yaml crm
  contactbridge preview -c bridge.yaml crm --verify
  contactbridge preview -c bridge.yaml crm --record report
  contactbridge preview --replay report
  contactbridge preview -c bridge.yaml crm --json | jq .problems`,
		Args:              atMostOne("ENDPOINT"),
		ValidArgsFunction: f.complete,
		RunE:              func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.configFlag.add(cmd)
	f.authFlags.add(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.limit, "limit", 20, "contacts to show")
	flags.IntVar(&f.examine, "examine", 10000, "contacts to look for problems in")
	flags.BoolVar(&f.json, "json", false, "print one JSON object")
	flags.BoolVar(&f.verify, "verify", false, "prove what the configuration says of the service, by asking it")
	flags.StringVar(&f.record, "record", "", "keep what is asked and answered in a new `folder`, with credentials and people's data replaced")
	flags.StringVar(&f.replay, "replay", "", "take the answers from the `folder` of a recording")
	cmd.MarkFlagsMutuallyExclusive("record", "replay")
	_ = cmd.MarkFlagDirname("record") // the flags are there
	_ = cmd.MarkFlagDirname("replay")
	return cmd
}

// atMostOne is the argument check of a command with one optional argument.
func atMostOne(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return misuse(fmt.Sprintf("unexpected argument %q: there is one %s at a time", args[1], name), "")
		}
		return nil
	}
}

// complete offers the configuration's endpoints to the shell.
func (f *previewFlags) complete(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	cfg, err := config.Load(f.path)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return endpointNames(cfg), cobra.ShellCompDirectiveNoFileComp
}

func endpointNames(cfg *config.Config) []string { return slices.Sorted(maps.Keys(cfg.Endpoints)) }

func (f *previewFlags) run(cmd *cobra.Command, args []string) error {
	if f.limit < 0 || f.examine < 0 {
		return misuse("--limit and --examine cannot be negative", "")
	}
	var player *recording.Player
	if f.replay != "" {
		var err error
		if player, err = recording.Open(f.replay); err != nil { // before its configuration is missed
			return err
		}
		if !cmd.Flags().Changed("config") {
			f.path = filepath.Join(f.replay, recording.ConfigurationFile)
		}
	}
	cfg, err := f.load(cmd)
	if err != nil {
		return err
	}
	endpoint, err := chooseEndpoint(cfg, args)
	if err != nil {
		return err
	}
	auth, err := f.credentials(cmd.InOrStdin(), endpoint)
	if err != nil {
		return err
	}
	traffic, err := f.traffic(endpoint, player)
	if err != nil {
		return err
	}
	options := preview.Options{Limit: f.limit, Examine: f.examine, Inspect: 30 * time.Second, Read: 10 * time.Second}
	line := newWaitLine(cmd)
	options.Wait, options.Waiting = mostPatience, line.show
	options.Verify, options.Checked, options.Opened = f.verify, func(c source.Check) { line.say(c.Title) }, traffic.opened
	deps := source.Deps{Logger: slog.New(slog.DiscardHandler)}
	traffic.carry(&deps)
	p, err := preview.Of(cmd.Context(), endpoint, deps, auth, options)
	line.clear()
	if err != nil {
		return fmt.Errorf("look at %s: %w", endpoint.Name, err)
	}
	if err := traffic.end(p); err != nil {
		return err
	}
	if err := f.print(cmd.OutOrStdout(), p); err != nil {
		return err
	}
	if !p.OK {
		return errSaid
	}
	return nil
}

// mostPatience is how long a command waits for a source that goes on reading.
const mostPatience = 15 * time.Minute

// A waitLine says what a command waits for: in one line of a terminal, or once elsewhere.
type waitLine struct {
	line progressLine
	said bool
}

func newWaitLine(cmd *cobra.Command) *waitLine {
	w := cmd.ErrOrStderr()
	return &waitLine{line: progressLine{w: w, on: progress.IsTerminal(w)}}
}

func (l *waitLine) show(err error) {
	text := failure.Of(err).Message + ": waiting…"
	l.say(text)
	switch {
	case l.line.on:
	case !l.said:
		fmt.Fprintln(l.line.w, text)
	}
	l.said = true
}

// say shows a text in the line of a terminal.
func (l *waitLine) say(text string) {
	if l.line.on {
		fmt.Fprintf(l.line.w, "\r\x1b[K%.100s", oneLine(text))
	}
}

func (l *waitLine) clear() { l.line.clear() }

func (f *previewFlags) print(w io.Writer, p *preview.Preview) error {
	if f.json {
		return printJSON(w, p)
	}
	style := progress.NewStyle(w)
	return preview.Print(w, p, terminalWidth(w), preview.Style{Bold: style.Bold, Dim: style.Dim, Warn: style.Warn, Bad: style.Bad})
}

// chooseEndpoint is the one that is named, or the only one there is.
func chooseEndpoint(cfg *config.Config, args []string) (config.Endpoint, error) {
	names := endpointNames(cfg)
	hint := "Choose one: " + strings.Join(names, ", ") + "."
	if len(args) == 0 {
		if len(names) == 1 {
			return cfg.Endpoints[names[0]], nil
		}
		return config.Endpoint{}, misuse("there are several endpoints", hint)
	}
	endpoint, ok := cfg.Endpoints[args[0]]
	if !ok {
		return config.Endpoint{}, misuse(fmt.Sprintf("unknown endpoint %q", args[0]), hint)
	}
	return endpoint, nil
}

// credentials are those of the configuration, or what the flags give where only callers have them.
func (f *previewFlags) credentials(stdin io.Reader, e config.Endpoint) (bridge.Auth, error) {
	given, err := f.auth(stdin)
	if err != nil {
		return nil, err
	}
	auth := maps.Clone(e.Auth.Fields)
	if auth == nil {
		auth = bridge.Auth{}
	}
	maps.Copy(auth, given)
	for _, name := range e.SourceAuth {
		if auth[name] == "" {
			return nil, misuse(fmt.Sprintf("%s is opened with the caller's %s", e.Name, strings.Join(e.SourceAuth, " and ")),
				fmt.Sprintf("Give an example: --auth %s=…", strings.Join(e.SourceAuth, "=… --auth ")))
		}
	}
	return auth, nil
}

// terminalWidth is the width of the terminal that w writes to, or what COLUMNS says, or 120.
func terminalWidth(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	if width, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && width > 0 {
		return width
	}
	return 120
}
