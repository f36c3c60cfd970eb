package sqltable

import (
	"context"
	"time"

	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
)

// A Database is open for one caller's credentials. It is used by many goroutines at once.
type Database interface {
	// Tenant says to whom the contacts of the connections belong: server, database, user, and the settings that decide which rows are
	// seen and how they are written (D10). No password is in it. It connects to nothing.
	Tenant() source.Settings
	// Session takes a connection, for one goroutine. Its errors go through Diagnose.
	Session(ctx context.Context) (Session, error)
	// Diagnose says what an error of this database means. err is not nil, and no error of a context.
	Diagnose(err error) Diagnosis
	// Close closes what is open. No session is in use then.
	Close() error
}

// A Diagnosis says what an error of a database means. The zero Diagnosis is an error of something else.
type Diagnosis struct {
	// Error is the error for the caller: a [*bridge.Error] with a code, and without what only the database's log may say (no
	// credential, no value of a row). nil keeps the error as it is.
	Error error
	// Statement says that the database refuses the text of a statement: no such column, a syntax error, no privilege. The
	// engine then finds the expression of the configuration that is to blame, and says Message and Hint of it.
	Statement bool
	// Stale says that what is read may have changed since it was described. Statement implies it.
	Stale bool
	// Message is the database's own text about a statement. Hint says what to do besides correcting the key; it may be empty.
	Message, Hint string
	// Cause is kept with the error about a statement; nil if the message is complete.
	Cause error
}

// A Session is one connection to a database. It is used by one goroutine at a time. It can do more where it has the methods of
// [Clocked] or [OwnStamps], of which it needs one, [Adapter], [Marker], [Lister], [Fingerprinter] and [Adviser].
type Session interface {
	// Query runs a statement and calls row for each of its rows, until row says false or returns an error, which is then
	// Query's. The slice is used again for the next row. Texts of it may be views of the connection's buffer: valid until row
	// returns. Integers are of kind Int, texts of kind Text, null is of kind None. Times are of kind Int, as [keyset.Layout]
	// says for the stamp: microseconds, or days, since 2000-01-01. Query allocates nothing for a row, and returns soon after its context is
	// done.
	Query(ctx context.Context, s Statement, row func(values []keyset.Value) (more bool, err error)) error
	// Describe names the columns of a SELECT and tells their types. The database does not run it.
	Describe(ctx context.Context, query string) ([]Type, error)
	// Release returns the connection. ctx is the one that it was taken with: if that is done, the connection may not be fit
	// to be used again.
	Release(ctx context.Context)
}

// A Statement is SQL and its arguments.
type Statement struct {
	SQL  string
	Args []keyset.Value
	// Prepare says that the statement will come again, and that its best plan does not depend on its arguments: it may be
	// prepared once for a connection. The plan of any other does depend on them: how many rows are after the horizon decides
	// which index is right.
	Prepare bool
}

// A Type describes a column of a query as the database reports it.
type Type struct {
	Name string // the column's, in a SELECT *
	// SQL is the type for people, and as a parameter is cast to it; empty where the database has no types.
	SQL string
	// Stamp is the kind of stamp of a value of this type as updated; NoStamp if it cannot be a stamp.
	Stamp     StampKind
	Precision time.Duration // of times: what they are rounded to
	// CheckID returns an error if a text is not a value of the type; nil if every text is one. It is asked before a checkpoint is used.
	CheckID func(text string) error
	// Digits says that an id of this type is read as an integer, and stands for the text of it: to write it costs the database more
	// than to read it costs us.
	Digits bool
	// Native is the type as the database itself knows it, for the kind alone.
	Native any
}

// A Clocked session knows a clock, and which transactions are open, so that the engine can find the horizon of the usual types
// of stamps.
type Clocked interface {
	// Clock reads the database's clock, and then finds the moment up to which every change is visible: a transaction that is
	// not seen has begun after the clock was read. It is the start of the oldest open transaction, or the clock itself where
	// none is open. Where open transactions cannot be seen it is the clock less overlap.
	Clock(ctx context.Context, t *Table, overlap time.Duration) (Clock, error)
}

// A Clock holds the times that a database reports.
type Clock struct {
	Now    time.Time // the database's clock
	Safe   time.Time // every change made at or before it is visible; the engine takes clock_skew and the precision off it
	Zone   string    // the name of the database's time zone, for stamps without one
	Method string    // how Safe was found, for people: "oldest open transaction"
	Lacks  string    // why Safe is only the overlap, for the log; empty if it is exact
	Hidden bool      // because other users' transactions cannot be seen
	Blind  bool      // the transactions that write what is read are not of this server, so a [Lister] is not asked
	Unsafe bool      // nothing is known to be visible
	Find   string    // how to find an open transaction that holds Safe back: a sentence
}

// OwnStamps is a session of a database with stamps unlike those of others: SQLite's have no types, PostgreSQL has transaction ids.
// It is asked about tables of [StampKind] Own.
type OwnStamps interface {
	// Horizon fixes how far the checkpoint of a run that starts now may go (E2). state has its layout and its mark. since is
	// where an incremental run starts; of an initial one only its form counts.
	Horizon(ctx context.Context, t *Table, state keyset.State, initial bool, since keyset.Since) (keyset.State, error)
	// InspectStamps says how the horizon is found ([Inspector.Order], facts) and what keeps it from being exact.
	InspectStamps(ctx context.Context, i *Inspector) error
}

// An Adapter is a session that knows more about what is read than the types of its columns.
type Adapter interface {
	// Adapt completes a table when it has been described: other SQL, a stamp of its own, [Table.Rows], [Table.Own]. Its error
	// may be a [source.ConfigError].
	Adapt(ctx context.Context, t *Table) error
}

// A Marker is a session that can tell whether anything was changed since a run began (E12); [Table.Changed] tells which rows were.
// Without it an initial run reads all rows once more.
type Marker interface {
	// Mark describes the database's state before a run reads anything. Empty means that there is no need to look again: every
	// change moves a row's stamp.
	Mark(ctx context.Context, t *Table) (string, error)
	// IsQuiet reports whether nothing can have been changed since a mark. It may be asked in another process.
	IsQuiet(ctx context.Context, t *Table, mark string) (bool, error)
}

// A Lister is a session that can name the transactions that are open. A sequence is safe when all have ended that were open when its
// greatest number was seen.
type Lister interface {
	// OpenTransactions names the transactions that are open and could write what is read. A name has no comma and no @.
	OpenTransactions(ctx context.Context) ([]string, error)
	// StillOpen returns those of a list that have not ended.
	StillOpen(ctx context.Context, names []string) ([]string, error)
	// AnyPrepared reports whether a transaction is prepared: it is not listed any more, and may be committed at any time.
	AnyPrepared(ctx context.Context) (bool, error)
}

// A Fingerprinter is a session of a database that computes a fingerprint by itself (E10).
type Fingerprinter interface {
	// Fingerprint returns a printable text without slash at its start that differs when any of the rows that list selects from
	// the table differs, whatever their order.
	Fingerprint(ctx context.Context, t *Table, list string) (string, error)
}

// An Adviser is a session that knows what makes runs quick and exact in its database.
type Adviser interface {
	// Advise adds facts and problems to an inspection: indexes, privileges.
	Advise(ctx context.Context, i *Inspector) error
}
