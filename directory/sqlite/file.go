package sqlite

import (
	"context"
	"embed"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/internal/sqlitefile"
	"github.com/contactbridge/contactbridge/internal/upgrade"
)

//go:embed migrations/*.sql
var migrations embed.FS

// format is that of a directory's file. Its mark is "cbdr".
var format = &sqlitefile.Format{
	Name: "directory", Example: "contacts.db", ApplicationID: 0x63626472, Versions: "goose_db_version",
	Migrations: migrations, Folder: "migrations", GoMigrations: func() []*goose.Migration { return []*goose.Migration{fillSearch(), respell()} },
	Steps: map[int64]string{
		1: "contacts, numbers, runs", 2: "an index for searching by name", 3: "every contact is entered into it, which takes a while",
		4: "what to do about a failed run", 5: "deletions that wait for a decision",
		9:  "every contact is entered anew, so that it is found by other spellings, which takes a while",
		10: "when each contact was changed last", 11: "agents",
		12: "which contacts are in which phonebook", 13: "the words of names in phonebooks",
		14: "contacts that are entered into the index for searching after their run",
		15: "which contacts each page of a run has shown",
	},
}

// Plan returns what opening a directory's file would change in it; nil where it would change nothing.
func Plan(ctx context.Context, path string) (*upgrade.Plan, error) { return format.Plan(ctx, path) }

// OpenAlone opens a directory's file to read all of it, for another store. See [sqlitefile.Format.OpenAlone].
func OpenAlone(ctx context.Context, path string) (*sqlitefile.Alone, error) {
	return format.OpenAlone(ctx, path)
}

// prepare makes sure that there is a file, and returns its absolute path.
func (s *Store) prepare(path string, mustExist bool) (file string, err error) {
	if path == Memory {
		if s.trash, err = os.MkdirTemp("", "contactbridge-"); err != nil {
			return "", err
		}
		path = filepath.Join(s.trash, format.Example)
	}
	file, there, err := format.Find(path)
	switch {
	case err != nil || there:
		return file, err
	case mustExist:
		return "", &failure.Error{
			Message: "nothing was synchronized into it yet", Err: ErrNoFile,
			Hint: "run 'contactbridge sync' into this file first, or give the path of the one that it writes (--db)",
		}
	}
	return file, sqlitefile.Make(file)
}

// explained adds what the operator can do about an error of SQLite.
func explained(err error) error { return format.Explain(err) }
