package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/listener"
	"github.com/contactbridge/contactbridge/internal/priority"
	"github.com/contactbridge/contactbridge/internal/strictyaml"
	"github.com/contactbridge/contactbridge/internal/telemetry"
	"github.com/contactbridge/contactbridge/internal/upgrade"
)

// hubFlags say which hub a command works on. Every command of one hub may run while the hub does.
type hubFlags struct {
	config       string
	data         string
	database     string
	allowPrivate bool
}

func (f *hubFlags) add(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVarP(&f.config, "config", "c", "", "configuration `file`; without one everything is embedded in --data")
	flags.StringVar(&f.data, "data", "", "`folder` of the embedded hub (default ./data, or what the configuration says)")
	flags.StringVar(&f.database, "database", "", "PostgreSQL database of the hub, as a `URL`, instead of the embedded one")
	_ = cmd.MarkPersistentFlagFilename("config", "yaml", "yml") // the flag is there
	_ = cmd.MarkPersistentFlagDirname("data")
}

// load reads the configuration, and lets the flags win.
func (f *hubFlags) load(cmd *cobra.Command) (*hubconfig.Config, error) {
	cfg := hubconfig.Default()
	if f.config != "" {
		read, err := hubconfig.Load(f.config)
		if problems, ok := errors.AsType[*strictyaml.Problems](err); ok {
			printProblems(cmd, problems, "docs/hub-configuration.md, or  contactbridge config docs --hub")
			return nil, errors.Join(errSaid, misuse("", ""))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, misuse(fmt.Sprintf("file %s does not exist", f.config), "Leave -c out for a hub without a configuration file.")
		}
		if err != nil {
			return nil, misuse(err.Error(), "Name the configuration with -c FILE.")
		}
		cfg = read
	}
	if f.data != "" {
		cfg.Data = f.data
	}
	if f.allowPrivate {
		cfg.Network.AllowPrivate = true
	}
	if f.database != "" {
		if scheme, _, _ := strings.Cut(f.database, "://"); scheme != "postgres" && scheme != "postgresql" {
			return nil, misuse("--database is not a postgres:// URL", "Write postgres://user:password@host/name.")
		}
		cfg.Database = f.database
	}
	return cfg, nil
}

// open opens the hub that a command works on, as the operator of the command line.
func (f *hubFlags) open(cmd *cobra.Command) (context.Context, *hubserver.Databases, error) {
	cfg, err := f.load(cmd)
	if err != nil {
		return nil, nil, err
	}
	if cfg.Database == "" {
		if _, err := os.Stat(cfg.Data); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, misuse(fmt.Sprintf("no hub found in %s", cfg.Data),
				"Name its folder with --data or its configuration with -c, or start one there: contactbridge hub --data "+cfg.Data)
		}
	}
	databases, err := hubserver.Open(cmd.Context(), cfg, hubserver.ServerOptions{Logger: slog.New(slog.DiscardHandler), Version: versionText(), Upgrading: upgrading(cmd)})
	if err != nil {
		return nil, nil, err
	}
	return hub.WithActor(cmd.Context(), hub.Actor{Name: "command line", All: true, Scopes: hubserver.Everything()}), databases, nil
}

// upgrading says what is about to be done to databases of an older release.
func upgrading(cmd *cobra.Command) func(*upgrade.Plan) {
	return func(p *upgrade.Plan) {
		fmt.Fprintf(cmd.ErrOrStderr(), "contactbridge %s: %s. Older releases cannot open it afterwards.\n", versionText(), p)
	}
}

// plans says what the next start would do to the databases. A database that cannot be asked now is not what --check is for.
func plans(cmd *cobra.Command, cfg *hubconfig.Config) error {
	all, err := hubserver.Plans(cmd.Context(), cfg)
	if failure.Of(err).Message != "" && cfg.Database == "" {
		return err
	}
	if err != nil {
		fmt.Fprintf(cmd.OutOrStdout(), "whether the databases are to be upgraded is not known: %s\n", oneLine(err.Error()))
	}
	for _, p := range all {
		fmt.Fprintf(cmd.OutOrStdout(), "at the next start %s. Older releases cannot open it afterwards: make a backup first\n", p)
	}
	return nil
}

// work opens the hub, does something with it, and closes it.
func (f *hubFlags) work(cmd *cobra.Command, do func(context.Context, *hub.Hub) error) (err error) {
	ctx, databases, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, databases.Close()) }()
	return do(ctx, databases.Hub)
}

func newHubCommand() *cobra.Command {
	var f hubFlags
	var listen, role string
	var check bool
	cmd := &cobra.Command{
		Use:     "hub",
		GroupID: groupSync,
		Short:   "Keep the contacts of many integrations fresh, and answer who is calling: the hub",
		Long: `The synchronizer as a service: it runs integrations by their schedules, and answers telephony and programs through its API.
Without a configuration everything is embedded in the folder --data; the subcommands, the console and the API set it up.

It ends on SIGTERM or SIGINT: runs stop at a page's end and go on at the next start.`,
		Example: `  contactbridge hub
  contactbridge hub --allow-private
  contactbridge hub -c hub.yaml
  contactbridge hub integration add crm http://127.0.0.1:8080/crm/contact_sync --auth username=agent --auth-env password=CRM_PASSWORD
  contactbridge hub token create pbx --scope callers:read`,
		Args:              noSuchCommand,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load(cmd)
			if err != nil {
				return err
			}
			if listen != "" {
				cfg.Listen = listen
			}
			if role != "" {
				cfg.Role = role
			}
			if err := hubserver.Check(cfg); err != nil {
				return misuse(err.Error(), failure.Of(err).Hint)
			}
			if check {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: no problem\n", cmp.Or(f.config, "no configuration file"))
				return plans(cmd, cfg)
			}
			return serveHub(cmd, cfg)
		},
	}
	f.add(cmd)
	cmd.PersistentFlags().BoolVar(&f.allowPrivate, "allow-private", false, "bridges may be on private networks and on this machine (the configuration's network.allow_private)")
	cmd.Flags().StringVar(&listen, "listen", "", "`address` to listen on (default 127.0.0.1:8090, or what the configuration says)")
	cmd.Flags().StringVar(&role, "role", "", "all, web or worker; web and worker need a database")
	cmd.Flags().BoolVar(&check, "check", false, "check the configuration and end: exit status 0 or 2")
	cmd.AddCommand(newHubAccountCommand(&f), newHubIntegrationCommand(&f), newHubTokenCommand(&f), newHubWebhookCommand(&f), newHubFileCommand(&f),
		newHubUserCommand(&f), newHubPhonebookCommand(&f), newHubAuditCommand(&f), newHubAlertsCommand(&f), newHubRotateKeyCommand(&f))
	return cmd
}

// serveHub runs a hub until the command's context is done.
func serveHub(cmd *cobra.Command, cfg *hubconfig.Config) (err error) {
	ctx := cmd.Context()
	if cfg.Role != "worker" {
		priority.Requests()
	}
	endTraces, err := telemetry.Setup(ctx, "contactbridge-hub", versionText())
	if err != nil {
		return err
	}
	defer func() { _ = endTraces(context.WithoutCancel(ctx)) }()
	server, err := hubserver.New(ctx, cfg, hubserver.ServerOptions{Logger: newLogger(cfg.Log, cmd.ErrOrStderr()), Version: versionText(), Upgrading: upgrading(cmd)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	l, err := listener.Open(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), strings.Join(server.Describe(ctx, l), "\n"))
	return server.Serve(ctx, l)
}

func newHubRotateKeyCommand(f *hubFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-key",
		Short: "Seal all credentials with a new key",
		Long: `Make a new key in the key file, and seal every credential with it. The old key stays in the file, on a line below, so that
backups can still be opened; remove it when they are gone. A hub that runs follows by itself. Where the key comes from the environment or a command, put the
new one on the first line there and the old one below, restart every hub, then run this: a hub that does not know the new key
could not open what is sealed with it.`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx, databases, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, databases.Close()) }()
			sealed, err := databases.RotateKey(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s sealed with the new key\n", count(sealed, "secret"))
			return nil
		},
	}
}
