package registry

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	driver "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/directory"
)

// applicationID marks the file as ours ("cbhb", in the header's application id).
const applicationID = 0x63626862

const readers = 4 // connections that read a SQLite file

//go:embed migrations
var migrations embed.FS

func sqliteDialect() *dialect {
	return &dialect{
		words:   strings.NewReplacer("hub.", "", "{lock}", "", "{skip}", "", "{skip w, d}", ""),
		refusal: refusedBySQLite,
		explain: explainedSQLite,
	}
}

// openSQLite opens a file: one connection writes, a few read beside it (WAL). With synchronous=NORMAL a killed process loses
// nothing; after a power cut the last transactions may be missing, but never the middle of one.
func openSQLite(ctx context.Context, path string, o Options) (*DB, error) {
	d := &DB{dialect: sqliteDialect(), options: o}
	var err error
	if d.file, err = prepare(path); err == nil {
		err = d.connectSQLite(ctx, d.file)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the registry %s: %w", path, err), d.Close())
	}
	return d, nil
}

func (d *DB) connectSQLite(ctx context.Context, file string) (err error) {
	if err := patiently(ctx, func() error { return refuseForeign(ctx, file) }); err != nil {
		return err
	}
	if d.writer, err = connect(file, "_pragma=journal_mode(wal)", "_pragma=synchronous(normal)", "_txlock=immediate"); err != nil {
		return err
	}
	d.writer.SetMaxOpenConns(1)
	if d.reader, err = connect(file, "_pragma=query_only(1)"); err != nil {
		return err
	}
	d.reader.SetMaxOpenConns(readers)
	d.reader.SetMaxIdleConns(readers)
	return patiently(ctx, func() error { return migrateSQLite(ctx, d.writer) })
}

// prepare makes sure that there is a file, readable by its owner only, and returns its absolute path.
func prepare(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return "", &directory.Error{Message: "it is a folder", Hint: "give the path of a file, for instance " + filepath.Join(path, "hub.db")}
	case err == nil:
		return filepath.Abs(path)
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	made, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("make the file: %w", err)
	}
	if err := made.Close(); err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

func connect(file string, settings ...string) (*sql.DB, error) {
	dsn := (&url.URL{Scheme: "file", Path: file}).String() + "?_pragma=busy_timeout(15000)&_pragma=foreign_keys(1)"
	for _, setting := range settings {
		dsn += "&" + setting
	}
	return sql.Open("sqlite", dsn)
}

// patiently tries again what other processes that open the file at the same moment may have made fail.
func patiently(ctx context.Context, try func() error) error {
	const attempts = 5
	for attempt := 1; ; attempt++ {
		err := explainedSQLite(try())
		if err == nil || attempt == attempts || errors.As(err, new(*directory.Error)) && sqliteCode(err) != codeBusy {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(attempt) * 50 * time.Millisecond):
		}
	}
}

// refuseForeign looks into the file without changing it: even the switch to WAL would be a change.
func refuseForeign(ctx context.Context, file string) error {
	db, err := connect(file)
	if err != nil {
		return err
	}
	defer db.Close()
	var id, tables int64
	err = db.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)").Scan(&id, &tables)
	if err == nil && id != applicationID && tables > 0 {
		err = &directory.Error{Message: "the file is another program's database", Hint: "choose another file: nothing was changed in this one"}
	}
	return err
}

func migrateSQLite(ctx context.Context, db *sql.DB) error {
	var id int64
	if err := db.QueryRowContext(ctx, "SELECT application_id FROM pragma_application_id").Scan(&id); err != nil {
		return err
	}
	if id != applicationID {
		if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
			return err
		}
	}
	return migrate(ctx, db, database.DialectSQLite3, "sqlite", "registry_migrations")
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, db *sql.DB, kind database.Dialect, folder, table string) error {
	statements, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(kind, db, statements, goose.WithTableName(table))
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	target := sources[len(sources)-1].Version
	current, err := provider.GetDBVersion(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read the schema's version: %w", err)
	case current == target:
		return nil
	case current > target:
		return &directory.Error{
			Message: fmt.Sprintf("a newer contactbridge made the registry (schema %d, this one knows %d)", current, target),
			Hint:    "update contactbridge here as well",
		}
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// Result codes of SQLite.
const (
	codeBusy         = 5
	codeReadOnly     = 8
	codeCorrupt      = 11
	codeFull         = 13
	codeNotADatabase = 26

	codeForeignKey = 787
	codePrimaryKey = 1555
	codeUnique     = 2067
)

// sqliteCode is the result code of SQLite's error in the chain, without what extends it; 0 where there is none.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

func refusedBySQLite(err error) refusal {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		switch e.Code() {
		case codePrimaryKey, codeUnique:
			return refusedDouble
		case codeForeignKey:
			return refusedMissing
		}
	}
	return refusedNot
}

// explainedSQLite adds what the operator can do about an error of SQLite.
func explainedSQLite(err error) error {
	switch sqliteCode(err) {
	case codeBusy:
		return &directory.Error{Message: "another process is writing to the registry, for longer than usual", Hint: "wait for it, or end it, and try again", Err: err}
	case codeReadOnly:
		return &directory.Error{Message: "the registry cannot be written to", Hint: "give the user that runs contactbridge the right to write the file and its folder", Err: err}
	case codeFull:
		return &directory.Error{Message: "the disk is full", Hint: "make room where the registry lies, and try again", Err: err}
	case codeCorrupt, codeNotADatabase:
		return &directory.Error{Message: "it is no SQLite file, or a damaged one", Hint: "choose another file, or restore this one from a backup", Err: err}
	}
	return err
}
