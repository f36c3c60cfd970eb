// Package sqltable is the engine of all sources that read a SQL database: configuration, connections, runs, the statements of
// a page, fingerprints, inspection, and what errors mean live here once. A database adds what only it knows.
//
// # What a database gives
//
//   - A [Dialect]: how it writes SQL. The zero Dialect is standard SQL, so a database names only what differs.
//   - A [Database]: what is open for one caller's credentials. It hands out a [Session], one connection, and says what the
//     database's errors mean ([Diagnosis]).
//   - A [Session]: it runs a statement row by row, and tells the types of a query's columns without running it. [DriverConn]
//     does the first of these for every driver of database/sql.
//   - The safe horizon (E2), in one of two ways. Where columns have types, the session is a [Clocked] one: it says what time
//     it is, and up to which moment every change is visible. The engine does the rest: time zones, precision, numbers that are
//     times or sequences, clocks that go back. Stamps that only this database has are for [OwnStamps].
//
// Its factory is [New]'s, for an [Endpoint].
//
// # What a database may give
//
// Each is an interface that a session has or has not:
//
//   - [Adapter]: what else it must know about what is read.
//   - [Marker], with [Table.Changed]: how to tell what was changed since a run began (E12). Without it an initial run reads all
//     rows twice.
//   - [Lister]: which transactions are open, by names. Without it a sequence is safe once the clock says so.
//   - [Fingerprinter]: a fingerprint (E10) that the database computes. Without it the engine reads all rows for it.
//   - [Adviser]: what preview says about indexes and privileges.
//
// # How to add a database
//
// toy_test.go is the least that a database gives, with its suite: begin with that. source/postgres is the example of a database
// with types, a clock and everything that is optional; source/sqlite that of stamps that only one database has. Beside what is
// above a kind has a Config, which embeds [Config], a function New, and a function Kind, which describes it. Its suite is
// sourcetest.SQL: Run and RunUnsorted.
package sqltable
