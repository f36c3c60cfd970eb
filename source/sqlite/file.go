package sqlite

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	driver "modernc.org/sqlite"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// A location is where a database file is.
type location struct {
	name       string     // of the file
	parameters url.Values // of the SQLite URI
	ofCaller   bool       // the caller's credentials are in it
}

// parseLocation reads a file name, or an SQLite URI. find says where relative names start.
func parseLocation(text string, find func(string) string) (location, error) {
	rest, isURI := strings.CutPrefix(text, "file:")
	if !isURI {
		return location{name: find(text), parameters: url.Values{}}, nil
	}
	name, query, _ := strings.Cut(rest, "?")
	name, err := url.PathUnescape(name)
	parameters, err2 := url.ParseQuery(query)
	if err != nil || err2 != nil {
		return location{}, unavailable("has an address that cannot be read", "Write it as file:PATH?name=value.")
	}
	if local, hasHost := strings.CutPrefix(name, "//"); hasHost {
		name = local[max(0, strings.IndexByte(local, '/')):] // the host is empty or localhost
	}
	return location{name: find(name), parameters: parameters}, nil
}

// uri returns the file's address: read-only or writable, never one that creates it.
func (l location) uri(mode string, pragmas ...string) string {
	values := url.Values{}
	for key, list := range l.parameters {
		values[key] = append(values[key], list...)
	}
	values.Set("mode", mode)
	values["_pragma"] = append(values["_pragma"], pragmas...)
	return "file:" + (&url.URL{Path: filepath.ToSlash(l.name)}).EscapedPath() + "?" + values.Encode()
}

// tenant returns to whom the contacts of a file belong: its full name, and the parameters that decide what is read of it.
func (l location) tenant() source.Settings {
	t := source.Settings{"tenant.path": source.FullName(l.name), "tenant.vfs": l.parameters.Get("vfs")}
	for name, values := range l.parameters {
		if strings.HasPrefix(name, "_") && name != "_txlock" && name != "_pragma" { // the driver's: how values are written
			t["tenant."+name] = strings.Join(values, ",")
		}
	}
	return t
}

// check returns an error if there is no such file: SQLite's own says less.
func (l location) check() error {
	info, err := os.Stat(l.name)
	switch {
	case err == nil && info.IsDir():
		return unavailable("is a folder", "Set path to the database file.")
	case l.ofCaller && errors.Is(err, os.ErrNotExist):
		return &bridge.Error{
			Code: bridge.CodeUnauthorized, Message: "there is no file for these credentials", Hint: "Check the credentials against the source's path.",
		}
	case errors.Is(err, os.ErrNotExist):
		return unavailable("does not exist", "Check path: a relative one starts from the configuration's folder.")
	case err != nil:
		return unavailable("cannot be read", "Check the permissions of the file and of its folders.")
	}
	return nil
}

// A database is an open file. It is a [sqltable.Database].
type database struct {
	location location
	probe    bool            // probe_lock
	formats  []source.Format // [source.Deps.Formats]
	readers  *sql.DB
	writer   *sql.DB // for probe_lock; opens nothing until it is used
	watch    *watch
}

// openFile prepares connections to a file. None is made yet.
func openFile(l location, probe bool, formats []source.Format) (*database, error) {
	db := &database{location: l, probe: probe, formats: formats}
	var err error
	if db.readers, err = prepare(l.uri("ro", "busy_timeout(2000)", "query_only(1)"), 4); err != nil {
		return nil, err
	}
	if db.writer, err = prepare(l.uri("rw", "busy_timeout(50)"), 1); err != nil {
		return nil, errors.Join(err, db.readers.Close())
	}
	watcher, err := prepare(l.uri("ro", "busy_timeout(2000)", "query_only(1)"), 1)
	if err != nil {
		return nil, errors.Join(err, db.readers.Close(), db.writer.Close())
	}
	db.watch = &watch{db: watcher, name: l.name}
	return db, nil
}

func prepare(uri string, connections int) (*sql.DB, error) {
	connector, err := driver.NewConnector(uri)
	if err != nil {
		return nil, fmt.Errorf("open database file: %w", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(connections)
	db.SetConnMaxIdleTime(time.Minute)
	return db, nil
}

// Tenant implements [sqltable.Database].
func (db *database) Tenant() source.Settings { return db.location.tenant() }

// Session implements [sqltable.Database].
func (db *database) Session(ctx context.Context) (sqltable.Session, error) {
	if err := db.location.check(); err != nil {
		return nil, err
	}
	conn, err := sqltable.Connect(ctx, db.readers)
	return &session{conn, db}, err
}

// Close implements [sqltable.Database].
func (db *database) Close() error {
	return errors.Join(db.readers.Close(), db.writer.Close(), db.watch.close())
}

// A session is a connection to a file.
type session struct {
	*sqltable.DriverConn
	db *database
}

// Describe implements [sqltable.Session]. The columns have no types: any of them may hold anything.
func (s *session) Describe(ctx context.Context, query string) ([]sqltable.Type, error) {
	return s.Columns(ctx, query+" LIMIT 0", func(sqldriver.Rows, int) sqltable.Type { return sqltable.Type{Stamp: sqltable.Own} })
}

// Adapt implements [sqltable.Adapter].
func (s *session) Adapt(ctx context.Context, t *sqltable.Table) error {
	t.Stamp.Layout = keyset.Any
	encoding, err := sqltable.One(ctx, s, sqltable.Statement{SQL: "PRAGMA encoding"})
	if encoding.Text == "UTF-8" { // in UTF-16, a blob with an odd number of bytes would shift the text that follows
		t.Pack = pack
	}
	return err
}

// lock takes the write lock and gives it back. False: somebody is writing.
func (db *database) lock(ctx context.Context) (free bool, err error) {
	c, err := db.writer.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer c.Close()
	if _, err = c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		if isBusy(err) {
			return false, nil
		}
		return false, err
	}
	_, err = c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	return err == nil, err
}
