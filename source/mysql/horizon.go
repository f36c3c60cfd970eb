package mysql

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/contactbridge/contactbridge/source/sqltable"
)

// Clock implements [sqltable.Clocked]. The order counts: a statement that has begun before the clock was read either runs still when
// the statements are listed, or has left its transaction open when the transactions are, or is visible.
func (s *session) Clock(ctx context.Context, _ *sqltable.Table, overlap time.Duration) (sqltable.Clock, error) {
	if marked := s.marked; marked != nil {
		s.marked = nil
		return *marked, nil
	}
	c, _, err := s.clock(ctx, overlap)
	return c, err
}

// clock reads the clock. quiet says that the list of transactions was read and shows no other that may still write.
func (s *session) clock(ctx context.Context, overlap time.Duration) (c sqltable.Clock, quiet bool, err error) {
	c.Find = findTransactions
	server, err := s.server(ctx)
	if err != nil {
		return c, false, fmt.Errorf("read clock: %w", err)
	}
	c.Now, c.Zone = server.now, server.zone()
	running, others, err := s.running(ctx, c.Now)
	if err != nil {
		return c, false, fmt.Errorf("list statements: %w", err)
	}
	replicated, err := s.replication(ctx)
	if err != nil {
		return c, false, fmt.Errorf("ask for replication: %w", err)
	}
	if server.isReplica || others || replicated.configured {
		return s.replicaClock(c, server, replicated, overlap), false, nil
	}
	oldest, err := s.oldest(ctx, overlap)
	c.Method, c.Safe = "oldest open transaction", earliest(c.Now, running, oldest)
	switch number := errorNumber(err); {
	case number == errNoPrivilege:
		c.Method, c.Safe = "overlap (no privilege)", c.Now.Add(-overlap)
		c.Hidden, c.Lacks = true, "other users' open transactions cannot be seen ("+grant+")"
	case errors.Is(err, errStale):
		c.Method, c.Safe = "overlap (list of transactions out of date)", c.Now.Add(-overlap)
		c.Lacks = "the server's list of open transactions stays out of date, since others ask for it all the time"
	case err != nil:
		return c, false, fmt.Errorf("list open transactions: %w", err)
	}
	return c, err == nil && oldest.IsZero(), nil
}

const findTransactions = "Find it: SELECT trx_mysql_thread_id, trx_started, trx_query FROM information_schema.innodb_trx ORDER BY trx_started; " +
	"running statements are in SHOW FULL PROCESSLIST."

const grant = "GRANT PROCESS ON *.* TO the user of dsn"

func earliest(t time.Time, others ...time.Time) time.Time {
	for _, other := range others {
		if !other.IsZero() && other.Before(t) {
			t = other
		}
	}
	return t
}

// A serverState is what a server says about itself.
type serverState struct {
	now                  time.Time
	globalZone, ownZone  string
	isReplica, isCluster bool
}

// server reads the clock, and the variables that matter.
func (s *session) server(ctx context.Context) (v serverState, err error) {
	found, err := s.rows(ctx, "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR), @@global.time_zone, @@system_time_zone, @@global.read_only")
	if err != nil {
		return v, err
	}
	if v.now, err = time.Parse("2006-01-02 15:04:05.999999", found[0][0]); err != nil {
		return v, err
	}
	v.globalZone, v.ownZone, v.isReplica = found[0][1], found[0][2], found[0][3] != "0" && found[0][3] != "OFF"
	found, err = s.rows(ctx, "SHOW GLOBAL VARIABLES LIKE 'wsrep_on'") // MySQL has no such variable
	v.isCluster = len(found) > 0 && found[0][1] == "ON"
	v.isReplica = v.isReplica || v.isCluster
	return v, err
}

// zone is the zone that NOW() is written in, as the names of zones have it. What has no such name stays as it is: then time_zone is
// asked for.
func (v serverState) zone() string {
	zone := v.globalZone
	if strings.EqualFold(zone, "SYSTEM") {
		zone = v.ownZone
	}
	if hours, isWhole := strings.CutSuffix(zone, ":00"); isWhole {
		n, err := strconv.Atoi(hours)
		switch {
		case err == nil && n == 0:
			return "UTC"
		case err == nil && n >= -12 && n <= 14:
			return fmt.Sprintf("Etc/GMT%+d", -n) // the sign is the other way round there
		}
	}
	return zone
}

// running returns the start of the oldest statement that somebody else runs, the zero time where there is none, and whether rows come
// from other servers. Without PROCESS it sees nobody else.
func (s *session) running(ctx context.Context, now time.Time) (oldest time.Time, others bool, err error) {
	found, err := s.rows(ctx, `SELECT COALESCE(MAX(CASE WHEN command IN ('Query', 'Execute', 'Fetch', 'Reset stmt', 'Long Data') AND user <> 'event_scheduler' THEN time END), -1),
		COALESCE(SUM(user = 'system user' AND command <> 'Daemon'), 0)
		FROM information_schema.processlist WHERE id <> CONNECTION_ID()`)
	if err != nil {
		return oldest, false, err
	}
	seconds, err := strconv.ParseFloat(found[0][0], 64)
	if err == nil && seconds >= 0 {
		oldest = now.Add(-time.Duration(seconds+1) * time.Second) // whole seconds
	}
	return oldest, found[0][1] != "0", err
}

// replicaClock is the clock of a server whose rows are written elsewhere: what was applied is visible.
func (s *session) replicaClock(c sqltable.Clock, v serverState, r replication, overlap time.Duration) sqltable.Clock {
	c.Blind, c.Lacks = true, replicaLacks
	switch {
	case v.isCluster:
		c.Lacks = clusterLacks
	case r.hidden:
		c.Lacks = replicaLacks + ", and this user may not see how far it is behind (" + grantMonitor + ")"
	}
	c.Method, c.Safe = "overlap (rows come from other servers)", c.Now.Add(-overlap)
	if c.Unsafe = r.stopped; c.Unsafe {
		c.Method = "nothing is safe: the replica does not apply what its primary writes"
		return c
	}
	c.Safe = c.Safe.Add(-r.lag)
	return c
}

const (
	replicaLacks = "this is a replica, or read-only, where the transactions of the primary cannot be seen"
	clusterLacks = "this is a server of a cluster, where the transactions of the other servers cannot be seen"
	grantMonitor = "GRANT REPLICA MONITOR ON *.* TO the user of dsn; in MySQL REPLICATION CLIENT"
)

// A replication is what a server tells of its primaries.
type replication struct {
	configured bool // there is at least one, or may be
	hidden     bool // this user may not see it
	stopped    bool // what one of them writes is not applied
	lag        time.Duration
}

// replication asks what the server replicates. A replica that was stopped has no threads that show it, so a user who may not ask is told by
// MariaDB's record of what was ever applied.
func (s *session) replication(ctx context.Context) (r replication, err error) {
	for _, statement := range []string{"SHOW ALL REPLICAS STATUS", "SHOW REPLICA STATUS"} { // the first one is MariaDB's, for several primaries
		r, err = s.replicationBy(ctx, statement)
		if errorNumber(err) != errSyntax {
			break
		}
	}
	switch errorNumber(err) {
	case errNoPrivilege:
		found, err := s.rows(ctx, "SHOW GLOBAL VARIABLES LIKE 'gtid_slave_pos'")
		return replication{configured: len(found) > 0 && found[0][1] != "", hidden: true}, err
	case errSyntax: // an old MySQL
		return replication{hidden: true}, nil
	}
	return r, err
}

// replicationBy asks by one of the statements.
func (s *session) replicationBy(ctx context.Context, statement string) (r replication, err error) {
	names, err := s.Columns(ctx, statement, nil)
	if err != nil {
		return r, err
	}
	at := -1
	for i, column := range names {
		if column.Name == "Seconds_Behind_Master" || column.Name == "Seconds_Behind_Source" {
			at = i
		}
	}
	found, err := s.rows(ctx, statement)
	if err != nil || at < 0 {
		return r, err
	}
	for _, row := range found {
		r.configured = true
		seconds, err := strconv.Atoi(row[at])
		if err != nil { // null
			r.stopped = true
		}
		r.lag = max(r.lag, time.Duration(seconds+1)*time.Second)
	}
	return r, nil
}

// errStale means that the list of transactions did not become newer than the question.
var errStale = errors.New("the list of transactions is out of date")

// The list is not renewed within a tenth of a second after somebody has read it.
const (
	staleWait  = 120 * time.Millisecond
	staleTries = 20
)

// oldest returns the start of the oldest transaction that may still write, the zero time where none is open.
func (s *session) oldest(ctx context.Context, overlap time.Duration) (oldest time.Time, err error) {
	for range staleTries {
		oldest, err = s.listed(ctx, overlap)
		if !errors.Is(err, errStale) {
			return oldest, err
		}
		select {
		case <-time.After(staleWait):
		case <-ctx.Done():
			return oldest, ctx.Err()
		}
	}
	return oldest, err
}

// listed reads the list of transactions within one of our own, whose statement the list must show. Times in the list are those of the
// server's machine, where an hour of autumn comes twice: the earlier one counts. A transaction without a connection is one that was
// prepared before the server started: nobody knows when it began. One that only reads writes no stamp.
func (s *session) listed(ctx context.Context, overlap time.Duration) (oldest time.Time, err error) {
	if _, err := s.SQL.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT"); err != nil {
		return oldest, err
	}
	defer func() {
		_, end := s.SQL.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, end)
	}()
	token := "contactbridge " + rand.Text()
	found, err := s.rows(ctx, `SELECT /* `+token+` */ COALESCE(SUM(own), 0), CAST(MIN(CASE WHEN own THEN NULL
			WHEN again = started THEN began - INTERVAL 1 HOUR ELSE began END - INTERVAL late SECOND) AS CHAR) FROM (
		SELECT started, began, own, late, CONVERT_TZ(began - INTERVAL 1 HOUR, '+00:00', 'SYSTEM') AS again FROM (
			SELECT trx_started AS started, CONVERT_TZ(trx_started, 'SYSTEM', '+00:00') AS began,
				trx_mysql_thread_id = CONNECTION_ID() AND COALESCE(trx_query, '') LIKE '%`+token+`%' AS own,
				IF(trx_mysql_thread_id = 0, `+strconv.Itoa(int(overlap.Seconds())+1)+`, 0) AS late
			FROM information_schema.innodb_trx
			WHERE trx_is_read_only = 0 OR trx_mysql_thread_id = CONNECTION_ID()) AS listed) AS dated`)
	if err != nil {
		return oldest, err
	}
	if found[0][0] == "0" {
		return oldest, errStale
	}
	if found[0][1] == "" {
		return oldest, nil
	}
	return time.Parse("2006-01-02 15:04:05.999999", found[0][1])
}

// The server's errors that are told apart here.
const (
	errNoPrivilege = 1227
	errSyntax      = 1064
)

// errorNumber is the number of a server's error; 0 for any other.
func errorNumber(err error) int {
	var e *driver.MySQLError
	if errors.As(err, &e) {
		return int(e.Number)
	}
	return 0
}

// Mark implements [sqltable.Marker]: the number that InnoDB gives the next transaction that writes. It is empty where no mark tells
// anything: then the rows are read again (E12).
func (s *session) Mark(ctx context.Context, t *sqltable.Table) (string, error) {
	const never = "unknown"
	if !shapeOf(t).transaction {
		return never, nil
	}
	next, err := s.nextTransaction(ctx)
	if err != nil || next == "" {
		return never, err
	}
	// A transaction that has its number already would not move the counter.
	quiet, err := s.isQuietNow(ctx, t)
	if err != nil || !quiet {
		return never, err
	}
	return next, nil
}

// isQuietNow reports whether no other transaction is open that may still write. The list that says so is the one that the run's clock
// needs as well, and a second list would be out of date for a tenth of a second: so the clock is read now, unless numbers of the table
// have to be read before it.
func (s *session) isQuietNow(ctx context.Context, t *sqltable.Table) (bool, error) {
	if t.Stamp.Kind != sqltable.Integers && t.Stamp.Kind != sqltable.Sequences {
		c, quiet, err := s.clock(ctx, t.Config.Overlap)
		if err != nil {
			return false, err
		}
		s.marked = &c
		if !c.Blind { // else the list was not read
			return quiet, nil
		}
	}
	oldest, err := s.oldest(ctx, 0)
	if errors.Is(err, errStale) || errorNumber(err) == errNoPrivilege {
		return false, nil
	}
	return err == nil && oldest.IsZero(), err
}

// IsQuiet implements [sqltable.Marker].
func (s *session) IsQuiet(ctx context.Context, t *sqltable.Table, mark string) (bool, error) {
	if _, err := strconv.ParseUint(mark, 10, 64); err != nil || !shapeOf(t).transaction {
		return false, nil
	}
	next, err := s.nextTransaction(ctx)
	return next == mark, err
}

// nextTransaction is the number of InnoDB's next transaction, which outlives the server; empty where the user may not see it.
func (s *session) nextTransaction(ctx context.Context) (next string, err error) {
	found, err := s.rows(ctx, "SHOW ENGINE INNODB STATUS")
	if errorNumber(err) == errNoPrivilege {
		return "", nil
	}
	if err != nil || len(found) == 0 {
		return "", err
	}
	_, after, _ := strings.Cut(found[0][2], "Trx id counter ")
	next, _, _ = strings.Cut(after, "\n")
	return strings.TrimSpace(next), nil
}
