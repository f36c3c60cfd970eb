package gomysql

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	gosql "github.com/dolthub/go-mysql-server/sql"
	protocol "github.com/dolthub/vitess/go/mysql"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"
	_ "github.com/go-sql-driver/mysql"
	"github.com/sirupsen/logrus"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/mysql"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/sourcetest"
	"github.com/contactbridge/contactbridge/source/sqltable"
)

// A parser is that of go-mysql-server, with the errors of MySQL 8 where it has none of its own: for statements that it does not know, and for
// what InnoDB alone can tell, which a user without the privilege PROCESS may not ask.
type parser struct {
	gosql.Parser

	mu     sync.Mutex
	failed []string // statements that it does not know
}

// plan is a word of go-mysql-server's own, and of no MySQL.
var plan = regexp.MustCompile("([ (,])plan([ ),])")

// Parse implements [gosql.Parser].
func (p *parser) Parse(ctx *gosql.Context, query string, multi bool) (statement ast.Statement, parsed, rest string, err error) {
	if query, err = p.before(query); err == nil {
		statement, parsed, rest, err = p.Parser.Parse(ctx, query, multi)
	}
	return statement, parsed, rest, p.after(query, err)
}

// ParseWithOptions implements [gosql.Parser].
func (p *parser) ParseWithOptions(ctx context.Context, query string, delimiter rune, multi bool, options ast.ParserOptions) (statement ast.Statement, parsed, rest string, err error) {
	if query, err = p.before(query); err == nil {
		statement, parsed, rest, err = p.Parser.ParseWithOptions(ctx, query, delimiter, multi, options)
	}
	return statement, parsed, rest, p.after(query, err)
}

// ParseOneWithOptions implements [gosql.Parser].
func (p *parser) ParseOneWithOptions(ctx context.Context, query string, options ast.ParserOptions) (statement ast.Statement, end int, err error) {
	if query, err = p.before(query); err == nil {
		statement, end, err = p.Parser.ParseOneWithOptions(ctx, query, options)
	}
	return statement, end, p.after(query, err)
}

// before refuses what only InnoDB could answer.
func (p *parser) before(query string) (string, error) {
	if strings.HasPrefix(query, "SHOW ENGINE INNODB STATUS") || strings.Contains(query, "information_schema.innodb_trx") {
		return query, protocol.NewSQLError(1227, "42000", "Access denied; you need (at least one of) the PROCESS privilege(s) for this operation")
	}
	return plan.ReplaceAllString(query, "$1`plan`$2"), nil
}

// after gives a syntax error MySQL's number.
func (p *parser) after(query string, err error) error {
	if err == nil || errors.Is(err, ast.ErrEmpty) {
		return err
	}
	if _, known := err.(*protocol.SQLError); known {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = append(p.failed, query+": "+err.Error())
	return protocol.NewSQLError(1064, "42000", "You have an error in your SQL syntax; %s", err.Error())
}

// check fails the test if the source sent a statement that MySQL 8's grammar refuses, but for the one of MariaDB that it tries first.
func (p *parser) check(t testing.TB) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, statement := range p.failed {
		if !strings.HasPrefix(statement, "SHOW ALL REPLICAS STATUS: ") {
			t.Errorf("a statement is refused: %s", statement)
		}
	}
}

// start starts a server with an empty database crm, and returns its address.
func start(t testing.TB) (address string, p *parser) {
	t.Helper()
	logrus.SetOutput(io.Discard)
	db := memory.NewDatabase("crm")
	db.EnablePrimaryKeyIndexes()
	provider := memory.NewDBProvider(db)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	engine := sqle.NewDefault(provider)
	p = &parser{Parser: engine.Parser}
	engine.Parser = p
	address = listener.Addr().String()
	s, err := server.NewServer(server.Config{Protocol: "tcp", Address: address, Listener: listener}, engine, gosql.NewContext, memory.NewSessionBuilder(provider), nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Start() }() // its error is that it was closed
	t.Cleanup(func() { _ = s.Close() })
	return address, p
}

// open opens the database as an application does.
func open(t testing.TB, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", "root@tcp("+address+")/crm?interpolateParams=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// A numberedConn gives errors the number that stands in their text: the server sends all errors of its parser as 1105.
type numberedConn struct{ net.Conn }

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return numberedConn{conn}, err
}

var number = regexp.MustCompile(`\(errno (\d+)\) \(sqlstate (\w{5})\)`)

// Read implements [net.Conn]. An error is one packet, and comes in one piece.
func (c numberedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if at := bytes.Index(b[:n], []byte("\xff\x51\x04#HY000")); at >= 0 {
		if m := number.FindSubmatch(b[at:n]); m != nil {
			code, _ := strconv.Atoi(string(m[1])) // digits
			binary.LittleEndian.PutUint16(b[at+1:], uint16(code))
			copy(b[at+4:], m[2])
		}
	}
	return n, err
}

// suite is the suite of all sources.
func suite() sourcetest.SQL {
	return sourcetest.SQL{
		ID: "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin", Stamp: "datetime(6)", Replace: true,
		WriteStamp: func(t time.Time) any { return t.UTC().Format("2006-01-02 15:04:05.000000") },
		Open: func(t testing.TB) sourcetest.SQLDatabase {
			address, parser := start(t)
			t.Cleanup(func() { parser.check(t) })
			return sourcetest.SQLDatabase{DB: open(t, address), New: func(table sqltable.Config) (source.Factory, error) {
				table.TimeZone = "UTC"
				return factory(table, address)
			}}
		},
	}
}

func factory(table sqltable.Config, address string) (source.Factory, error) {
	cfg := mysql.Config{Config: table}
	var err error
	if cfg.DSN, err = source.ParseTemplate("mysql://root@" + address + "/crm"); err != nil {
		return nil, err
	}
	return mysql.New(cfg, source.Deps{Dial: dial})
}

func TestSource(t *testing.T)               { suite().Run(t) }
func TestSourceWithoutUpdated(t *testing.T) { suite().RunUnsorted(t) }

// Columns of other types are read, and compared, as in MariaDB.
func TestTypes(t *testing.T) {
	for _, c := range []struct {
		id, stamp string
		values    string // of rows in the order of updated
		want      string
	}{
		{"bigint", "timestamp(6)", "(2, '2026-01-01 00:00:00.000001'), (1, '2026-01-01 00:00:00.000002'), (10, '2026-01-02')", "2 1 10"},
		{"int unsigned", "datetime", "(4294967295, '2026-01-01'), (7, '2026-01-01 00:00:01')", "4294967295 7"},
		{"varchar(40) COLLATE utf8mb4_0900_ai_ci", "datetime(3)", "('b', '2026-01-01'), ('C', '2026-01-01'), ('a', '2026-01-03')", "b C a"},
		{"binary(4)", "date", "(x'00ff0102', '2026-01-01'), (x'0aff0102', '2026-01-02')", "00ff0102 0aff0102"},
		{"bigint", "bigint", "(5, 1767225600), (3, 1767225601)", "5 3"},
	} {
		t.Run(c.id+" by "+c.stamp, func(t *testing.T) {
			address, parser := start(t)
			db := open(t, address)
			for _, statement := range []string{
				"CREATE TABLE c (id " + c.id + " PRIMARY KEY, updated_at " + c.stamp + ", name text)", "CREATE INDEX changed ON c (updated_at, id)",
				"INSERT INTO c (id, updated_at) VALUES " + c.values,
			} {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			f, err := factory(sqltable.Config{Table: "c", ID: "id", Updated: "updated_at", TimeZone: "UTC", Fields: record.Fields{Name: "coalesce(name, 'n')"}}, address)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			src, err := f.Open(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			run, err := src.Begin(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			var at bridge.Position
			for page := 1; page > 0; { // of one contact each
				page = 0
				for change, err := range src.Read(t.Context(), run, at, 1) {
					if err != nil {
						t.Fatal(err)
					}
					at, page = slices.Clone(change.Position), 1
					if id := strings.Clone(change.Contact.ID); !change.Again && !slices.Contains(got, id) {
						got = append(got, id)
					}
				}
			}
			if ids := strings.Join(got, " "); ids != c.want {
				t.Errorf("read %s, want %s", ids, c.want)
			}
			parser.check(t)
		})
	}
}
