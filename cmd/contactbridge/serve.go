package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/internal/bridgeserver"
	"github.com/contactbridge/contactbridge/internal/config"
	"github.com/contactbridge/contactbridge/internal/listener"
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
		Long: `Serve every endpoint of a configuration: POST /NAME/contact_sync and POST /NAME/auth_validation, and for whoever watches
the process GET /healthz, /readyz and /metrics.

It ends on SIGTERM or SIGINT: no new requests, pages under way are finished. Logs go to standard error.`,
		Example: `  contactbridge serve -c bridge.yaml
  contactbridge serve -c bridge.yaml --check && systemctl restart contactbridge`,
		Args:              takes(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.check, "check", false, "check the configuration and end: exit status 0 or 2")
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
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, no problem. To look at the contacts: contactbridge preview -c %s\n",
			f.path, count(len(cfg.Endpoints), "endpoint"), f.path)
		return nil
	}
	return serve(cmd, cfg)
}

// serve runs the bridge until the command's context is done.
func serve(cmd *cobra.Command, cfg *config.Config) error {
	ctx := cmd.Context()
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
		err = errors.Join(err, server.Close())
		if e, ok := errors.AsType[*listener.Error](err); ok {
			return hinted(err, e.Hint)
		}
		return err
	}
	lines := server.Describe(listener.URL(l, cfg.TLS.Enabled()))
	fmt.Fprintln(cmd.OutOrStdout(), strings.Join(lines, "\n"))
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
