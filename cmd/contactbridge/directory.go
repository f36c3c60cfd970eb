package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/country"
	"github.com/contactbridge/contactbridge/phone"
)

// directoryFlags say which directory a command works on, and on the contacts of which account and integration.
type directoryFlags struct {
	db          string
	account     string
	integration string
	region      string
}

func (f *directoryFlags) add(cmd *cobra.Command, integration, region string) {
	flags := cmd.Flags()
	flags.StringVar(&f.db, "db", "contacts.db", "the directory's `file`, or a PostgreSQL database as postgres://user:password@host/name")
	flags.StringVar(&f.account, "account", "default", "account `name`: one contact centre of the directory")
	flags.StringVar(&f.integration, "integration", "", integration)
	flags.StringVar(&f.region, "region", "", region)
}

// check refuses flags that cannot be meant.
func (f *directoryFlags) check() error {
	if f.account == "" {
		return misuse("--account is empty", "Leave it out for the account called default.")
	}
	if scheme, _, ok := strings.Cut(f.db, "://"); ok && !f.postgres() {
		return misuse(fmt.Sprintf("--db %s://… is not a directory", scheme), "Name a file, --db contacts.db, or a database, --db postgres://user:password@host/name")
	}
	if f.region != "" && !phone.KnownRegion(strings.ToUpper(f.region)) {
		return misuse(fmt.Sprintf("unknown region %q", f.region), country.Hint(f.region))
	}
	f.region = strings.ToUpper(f.region)
	return nil
}

// postgres reports whether the directory is in PostgreSQL.
func (f *directoryFlags) postgres() bool {
	return strings.HasPrefix(f.db, "postgres://") || strings.HasPrefix(f.db, "postgresql://")
}

// open opens the directory; existing refuses to make a new file.
func (f *directoryFlags) open(ctx context.Context, existing bool) (directory.Store, error) {
	if f.postgres() {
		store, err := postgres.Open(ctx, f.db)
		if err != nil {
			return nil, err
		}
		return store, nil
	}
	var options []sqlite.Option
	if existing {
		options = append(options, sqlite.MustExist())
	}
	store, err := sqlite.Open(ctx, f.db, options...)
	switch {
	case errors.Is(err, sqlite.ErrNoFile):
		return nil, failure.WithHint(err, "Fetch contacts first: contactbridge sync URL --db "+f.db)
	case err != nil && failure.Of(err).Hint != "":
		return nil, err
	case err != nil:
		return nil, failure.WithHint(err, "Check the path, its permissions and the disk's free space, or choose another file with --db.")
	}
	return store, nil
}
