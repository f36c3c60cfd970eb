package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/sqlite"
	"github.com/contactbridge/contactbridge/phone"
)

// directoryFlags say which directory a command works on, and on whose contacts.
type directoryFlags struct {
	db          string
	account     string
	integration string
	region      string
}

func (f *directoryFlags) add(cmd *cobra.Command, integration, region string) {
	flags := cmd.Flags()
	flags.StringVar(&f.db, "db", "contacts.db", "the directory's `file`")
	flags.StringVar(&f.account, "account", "default", "account `name`: one contact centre of the directory")
	flags.StringVar(&f.integration, "integration", "", integration)
	flags.StringVar(&f.region, "region", "", region)
}

// check refuses flags that cannot be meant.
func (f *directoryFlags) check() error {
	if f.account == "" {
		return misuse("--account is empty", "Leave it out for the account called default.")
	}
	if scheme, _, ok := strings.Cut(f.db, "://"); ok {
		return misuse(fmt.Sprintf("--db %s://… is no file", scheme), "A directory is a SQLite file so far: --db contacts.db")
	}
	if f.region != "" && !phone.KnownRegion(strings.ToUpper(f.region)) {
		return misuse(fmt.Sprintf("--region %q is no country", f.region), "Use its code of two letters: US, GB, DE, BR, …")
	}
	f.region = strings.ToUpper(f.region)
	return nil
}

// open opens the directory; existing refuses to make a new one.
func (f *directoryFlags) open(ctx context.Context, existing bool) (directory.Store, error) {
	var options []sqlite.Option
	if existing {
		options = append(options, sqlite.MustExist())
	}
	store, err := sqlite.Open(ctx, f.db, options...)
	switch {
	case errors.Is(err, sqlite.ErrNoFile):
		return nil, hinted(err, "Fetch contacts first: contactbridge sync URL --db "+f.db)
	case err != nil:
		return nil, hinted(err, "Check the path, its permissions and the disk's free space, or choose another file with --db.")
	}
	return store, nil
}
