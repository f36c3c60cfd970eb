package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/secret"
	"github.com/contactbridge/contactbridge/internal/hubserver"
	"github.com/contactbridge/contactbridge/internal/migrate"
	"github.com/contactbridge/contactbridge/internal/progress"
)

func newMigrateCommand() *cobra.Command {
	var from, to, config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "migrate --from PATH --to postgres://…",
		GroupID: groupSync,
		Short:   "Move an embedded hub to PostgreSQL",
		Long: `Move everything that an embedded hub keeps into an empty PostgreSQL database: accounts, integrations with their sealed credentials,
schedules and health, tokens, users and sessions, webhooks, events and the audit log; contacts, runs and checkpoints. The next run of
each integration is the one that would have come next, from where the last one stopped. --from is the hub's data folder, or a single
directory file as 'contactbridge sync --db FILE' writes it.

Stop the hub first, and leave it stopped: what it did after this would be missing. It is all one transaction, which ends with reading
every row back and comparing it: whatever goes wrong, the database stays empty and the command can be run again. Nothing is changed
in the folder. To rehearse it while the hub runs, take a backup, restore that into another folder, and move that one.

The new hub needs the old one's key, or it cannot open the credentials. The command makes sure of that before it writes: it tries the
key in the folder, or, with -c, the one that the new hub's configuration names (secrets).`,
		Example: `  contactbridge migrate --from ./data --to postgres://hub@db.example.com/hub
  contactbridge migrate --from ./data -c hub.yaml         into its database, with its key
  contactbridge migrate --from contacts.db --to postgres://hub@db.example.com/hub`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := migration(cmd, from, to, config)
			if err != nil {
				return err
			}
			bar := progress.NewCounter(cmd.ErrOrStderr())
			o.Progress = func(p migrate.Progress) { bar.Step(p.What, p.Rows, p.Total) }
			result, err := migrate.Run(cmd.Context(), o)
			bar.Close()
			if err != nil {
				return migrationError(cmd.Context(), from, err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), result)
			}
			return printMigration(cmd, from, result)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "data `folder` of the embedded hub, or the file of a single directory")
	flags.StringVar(&to, "to", "", "`URL` of an empty PostgreSQL database (default: the database of the configuration). A password may be left out and come from PGPASSWORD")
	flags.StringVarP(&config, "config", "c", "", "configuration `file` of the new hub: where its key is, and its database")
	flags.BoolVar(&asJSON, "json", false, "print what was moved as one JSON object")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // the flag is there
	return cmd
}

// migration returns the options that the flags set.
func migration(cmd *cobra.Command, from, to, config string) (migrate.Options, error) {
	o := migrate.Options{From: from, To: to}
	if from == "" {
		return o, misuse("--from is missing", "Name the hub's data folder: --from ./data")
	}
	if config != "" {
		cfg, err := (&hubFlags{config: config}).load(cmd)
		if err != nil {
			return o, err
		}
		o.To = cmp.Or(to, cfg.Database)
		o.Keys = func(ctx context.Context) (*secret.Ring, error) { return hubserver.Keys(ctx, cfg) }
	} else {
		o.Keys = func(context.Context) (*secret.Ring, error) {
			return secret.FromFile(filepath.Join(from, hubserver.KeyFile), false)
		}
	}
	if o.To == "" {
		return o, misuse("--to is missing", "Name the database: --to postgres://user@host/name, or -c with a configuration that has one.")
	}
	if !registry.IsPostgres(o.To) {
		return o, misuse("--to is not a postgres:// URL", "Write postgres://user:password@host/name.")
	}
	return o, nil
}

// migrationError says what a failed migration means.
func migrationError(ctx context.Context, from string, err error) error {
	switch {
	case errors.Is(err, migrate.ErrNothing):
		return misuse("no hub and no directory found at "+from, "Name the hub's data folder, or the file that contactbridge sync wrote (--db).")
	case errors.Is(err, migrate.ErrOccupied):
		return misuse(err.Error(), failure.Of(err).Hint)
	case errors.Is(err, migrate.ErrInUse):
		return failure.WithHint(fmt.Errorf("nothing was moved: the hub is running, or something else has its files open: %w", err),
			"Stop it (and its supervisor, so that it stays stopped), and run this again. Nothing was changed.")
	case ctx.Err() != nil:
		return failure.WithHint(errors.New("interrupted; nothing was moved"), "Run it again: the database is as empty as before.")
	}
	return fmt.Errorf("nothing was moved: %w", err)
}

func printMigration(cmd *cobra.Command, from string, r *migrate.Result) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s is now in the database %s: %s in %s. Every row was read back and compared.\n\n",
		from, r.To, progress.Plural(r.Contacts, "contact"), progress.Took(time.Duration(r.Seconds*float64(time.Second))))
	t := newTable("", "ROWS")
	for _, c := range r.Tables {
		if c.Rows > 0 {
			t.row(c.Table, progress.Count(c.Rows))
		}
	}
	if err := t.print(out, ""); err != nil {
		return err
	}
	fmt.Fprintln(out)
	if r.Replaced > 0 {
		fmt.Fprintf(out, "%s held characters that PostgreSQL cannot keep; they are � there now.\n", progress.Plural(r.Replaced, "text"))
	}
	if r.Secrets > 0 {
		fmt.Fprintf(out, "What is sealed (%s) opens with the key of %s. Give every process of the new hub that key:\n"+
			"  secrets: {key_file: …} or {key_env: …} in its configuration, or hub.key in its data folder.\n", progress.Plural(int64(r.Secrets), "secret"), r.Key)
	}
	fmt.Fprintf(out, "Start it with  database: postgres://…  in its configuration, or --database. Do not start the old one again.\n")
	return nil
}
