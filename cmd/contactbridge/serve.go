package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/internal/bridgeserver"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/internal/priority"
	"github.com/contactbridge/contactbridge/internal/telemetry"
)

// serveFlags are the flags of contactbridge serve.
type serveFlags struct {
	configFlag

	check bool
}

func newServeCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:     "serve",
		GroupID: groupBridge,
		Short:   "Serve the contacts of external services: the bridge",
		Long: `Serve every endpoint of a configuration: POST /NAME/contact_sync and POST /NAME/auth_validation, and for anyone who watches
the process GET /healthz, /readyz and /metrics.

At the start every source is tried, and what cannot be read is said; the bridge serves even so, and /readyz answers 503 until it can.

It ends on SIGTERM or SIGINT: no new requests, pages under way are finished. Logs go to standard error.`,
		Example: `  contactbridge serve -c bridge.yaml
  contactbridge serve -c bridge.yaml --check && systemctl restart contactbridge`,
		Args:              takes(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.check, "check", false, "check the configuration, try every source, and end: exit status 0, 1 where a source cannot be read now, 2 where the file is wrong")
	return cmd
}

func (f *serveFlags) run(cmd *cobra.Command) error {
	cfg, err := f.load(cmd)
	if err != nil {
		return err
	}
	if err := bridgeserver.CheckTLS(cfg); err != nil {
		return misuse(err.Error(), "Check tls in the configuration: cert and key are PEM files that belong together.")
	}
	if f.check {
		return f.try(cmd, cfg)
	}
	return serve(cmd, cfg)
}

// try is serve --check: it reports the endpoints that cannot work now, and those that cannot be tried.
func (f *serveFlags) try(cmd *cobra.Command, cfg *config.Config) (err error) {
	server, err := bridgeserver.New(cfg, bridgeserver.Options{Version: versionText()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	troubles, broken := describeTroubles(server.Try(cmd.Context()))
	for _, line := range troubles {
		fmt.Fprintln(cmd.OutOrStdout(), line)
	}
	if broken > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s cannot be read. serve would start, and answer an error until that is corrected\n", f.path, count(broken, "endpoint"))
		return errSaid
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, no problem. To look at the contacts: contactbridge preview -c %s\n",
		f.path, count(len(cfg.Endpoints), "endpoint"), f.path)
	return nil
}

// describeTroubles lists the endpoints that are not known to work, one line each, by name; broken counts those that do not.
func describeTroubles(endpoints map[string]bridgeserver.Standing) (lines []string, broken int) {
	for _, name := range slices.Sorted(maps.Keys(endpoints)) {
		switch s := endpoints[name]; s.State {
		case bridgeserver.NotReady:
			broken++
			line := fmt.Sprintf("%s: CANNOT BE READ NOW (%s): %s", name, s.Code, s.Message)
			if s.Hint != "" {
				line += "\n    " + s.Hint
			}
			lines = append(lines, line)
		case bridgeserver.Unchecked:
			lines = append(lines, name+": not tried: "+s.Message)
		case bridgeserver.Ready:
		}
	}
	return lines, broken
}

// serve runs the bridge until the command's context is done.
func serve(cmd *cobra.Command, cfg *config.Config) error {
	ctx := cmd.Context()
	defer priority.Bridge()()
	endTraces, err := telemetry.Setup(ctx, "contactbridge-bridge", versionText())
	if err != nil {
		return err
	}
	defer func() { _ = endTraces(context.WithoutCancel(ctx)) }()
	server, err := bridgeserver.New(cfg, bridgeserver.Options{Logger: newLogger(cfg.Log, cmd.ErrOrStderr()), Version: versionText()})
	if err != nil {
		return err
	}
	l, err := listener.Open(ctx, cfg.Listen)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	lines := server.Describe(listener.URL(l, cfg.TLS.Enabled()))
	fmt.Fprintln(cmd.OutOrStdout(), strings.Join(lines, "\n"))
	// A source that is down must not keep the bridge from starting: it is tried while the bridge serves.
	trying, cancel := context.WithCancel(ctx)
	var tried sync.WaitGroup
	tried.Go(func() {
		troubles, _ := describeTroubles(server.Try(trying))
		if ctx.Err() == nil {
			fmt.Fprint(cmd.OutOrStdout(), strings.Join(append(troubles, ""), "\n"))
		}
	})
	defer tried.Wait()
	defer cancel()
	return server.Serve(ctx, l)
}

// newLogger writes to w what the configuration wants to read.
func newLogger(cfg config.Log, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.SlogLevel()}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
