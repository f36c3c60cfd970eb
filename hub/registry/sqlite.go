package registry

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/contactbridge/contactbridge/internal/sqlitefile"
)

const readers = 4 // connections that read a SQLite file

//go:embed migrations
var migrations embed.FS

// format is that of a registry's file. Its mark is "cbhb".
var format = &sqlitefile.Format{
	Name: "registry", Example: "hub.db", ApplicationID: 0x63626862, Versions: "registry_migrations",
	Settings: []string{"_pragma=foreign_keys(1)"}, Migrations: migrations, Folder: "migrations/sqlite", Steps: steps,
}

// OpenAlone opens a registry's file to read all of it, for another database. See [sqlitefile.Format.OpenAlone].
func OpenAlone(ctx context.Context, path string) (*sqlitefile.Alone, error) {
	return format.OpenAlone(ctx, path)
}

func sqliteDialect() *dialect {
	return &dialect{
		words:   words("hub.", "", "{lock}", "", "{skip}", "", "{skip w, d}", "", "{words $1}", "json_each($1)", "{soon}", ""),
		refusal: refusedBySQLite,
		explain: format.Explain,
	}
}

// openSQLite opens a file, and makes it if it is missing: one connection writes, a few read beside it.
func openSQLite(ctx context.Context, path string, o OpenOptions) (*DB, error) {
	d := &DB{dialect: sqliteDialect(), options: o}
	if err := d.connectSQLite(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open the registry %s: %w", path, err), d.Close())
	}
	return d, nil
}

func (d *DB) connectSQLite(ctx context.Context, path string) (err error) {
	var there bool
	if d.file, there, err = format.Find(path); err == nil && !there {
		err = sqlitefile.Make(d.file)
	}
	if err != nil {
		return err
	}
	if err := format.Check(ctx, d.file); err != nil {
		return err
	}
	if d.writer, err = format.Writer(d.file); err != nil {
		return err
	}
	if d.reader, err = format.Reader(d.file, readers); err != nil {
		return err
	}
	d.reader.SetMaxIdleConns(readers)
	return format.Upgrade(ctx, d.writer)
}

func refusedBySQLite(err error) refusal {
	switch sqlitefile.ExtendedCode(err) {
	case sqlitefile.PrimaryKey, sqlitefile.Unique:
		return refusedDouble
	case sqlitefile.ForeignKey:
		return refusedMissing
	}
	return refusedNot
}
