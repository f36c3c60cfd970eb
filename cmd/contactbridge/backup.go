package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/backup"
	"github.com/contactbridge/contactbridge/internal/hubconfig"
	"github.com/contactbridge/contactbridge/internal/hubserver"
)

func newBackupCommand() *cobra.Command {
	var f hubFlags
	cmd := &cobra.Command{
		Use:     "backup FILE",
		GroupID: groupSync,
		Short:   "Copy an embedded hub into one file, while it runs",
		Long: `Copy the databases of an embedded hub into one compressed file with checksums. The hub may run meanwhile. Credentials are
sealed in the copy as they are in the hub, and the key that opens them, hub.key, is not in it: keep that somewhere else.

A hub on PostgreSQL is backed up with PostgreSQL's own tools: pg_dump DATABASE, or your provider's snapshots.`,
		Example: `  contactbridge backup /backups/hub-$(date +%F).backup --data /var/lib/contactbridge`,
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			cfg, err := f.load(cmd)
			if err != nil {
				return err
			}
			if cfg.Database != "" {
				return misuse("this hub is on PostgreSQL", "Back it up with pg_dump, or your provider's snapshots.")
			}
			ctx, databases, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, databases.Close()) }()
			m, err := backup.Write(ctx, args[0], filepath.Dir(args[0]), versionText(), databases.Parts())
			if errors.Is(err, fs.ErrExist) {
				return misuse(args[0]+" is there already", "Choose another name: no backup is overwritten.")
			}
			if err != nil {
				return failure.WithHint(err, "Check that the folder may be written, and has room for the databases twice.")
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			var size uint64
			for _, file := range m.Files {
				size += uint64(file.Size)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s of databases in %s. The key is not in it: keep a copy of %s somewhere else.\n",
				args[0], humanize.IBytes(size), humanize.IBytes(uint64(info.Size())), keyPlace(cfg))
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

// keyPlace is where a hub's key is.
func keyPlace(cfg *hubconfig.Config) string {
	switch s := cfg.Secrets; {
	case s.KeyEnv != "":
		return "what the environment variable " + s.KeyEnv + " holds"
	case len(s.KeyCommand) > 0:
		return "what " + s.KeyCommand[0] + " gives"
	case s.KeyFile != "":
		return s.KeyFile
	}
	return filepath.Join(cfg.Data, hubserver.KeyFile)
}

func newRestoreCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:     "restore FILE",
		GroupID: groupSync,
		Short:   "Make an embedded hub of a backup",
		Long: `Unpack a backup into the folder --data, which must not hold a hub. Every byte is compared with the backup's checksums before
anything is put there. Then put hub.key, which is not in a backup, beside the databases, and start the hub. Where its key comes
from elsewhere (secrets in the configuration), start it with that configuration.`,
		Example: `  contactbridge restore /backups/hub-2026-01-01.backup --data /var/lib/contactbridge`,
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := backup.Read(args[0], data, []string{hubserver.DirectoryFile, hubserver.RegistryFile}, func(dir string) error {
				return sqlite.Restored(cmd.Context(), filepath.Join(dir, hubserver.DirectoryFile))
			})
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return misuse(args[0]+" does not exist", "")
			case errors.Is(err, fs.ErrExist):
				return misuse("there is a hub in "+data+" already", "Restore into another folder, or move that one away first.")
			case errors.Is(err, backup.ErrNoBackup):
				return failure.WithHint(err, "Nothing was restored. Take another backup, or fetch this one again.")
			case err != nil:
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the hub of %s is in %s\n", m.Made.Local().Format("2006-01-02 15:04:05"), data)
			if _, err := os.Stat(filepath.Join(data, hubserver.KeyFile)); errors.Is(err, fs.ErrNotExist) {
				fmt.Fprintf(cmd.OutOrStdout(), "Put its %s there as well before you start it: contactbridge hub --data %s\n", hubserver.KeyFile, data)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "./data", "`folder` of the new hub")
	_ = cmd.MarkFlagDirname("data") // the flag is there
	return cmd
}
