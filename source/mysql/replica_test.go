package mysql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/internal/test/mysqltest"
)

// A pair is a primary and its replica, with a table c of contacts in the database of the same name.
type pair struct {
	t                testing.TB
	primary, replica *mysqltest.Server
	database         string
}

func newPair(t *testing.T) *pair {
	t.Helper()
	main := &mysqltest.Suite{Options: []string{"--log-bin=binlog", "--server-id=1"}}
	other := &mysqltest.Suite{Options: []string{"--server-id=2"}}
	p := &pair{t: t, primary: main.Server(t), replica: other.Server(t), database: "crm"}
	t.Cleanup(func() { _ = p.replica.Stop() })
	t.Cleanup(func() { _ = p.primary.Stop() })
	p.on(p.primary, `CREATE USER repl@'127.0.0.1' IDENTIFIED BY 'repl'; GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1';
		CREATE DATABASE crm; CREATE TABLE crm.c (id int PRIMARY KEY, name text, updated_at datetime(6), KEY (updated_at, id));
		CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'secret'; GRANT SELECT ON crm.* TO reader@'127.0.0.1'; GRANT PROCESS ON *.* TO reader@'127.0.0.1'`)
	p.on(p.replica, fmt.Sprintf(`CHANGE MASTER TO master_host='127.0.0.1', master_port=%d, master_user='repl', master_password='repl', master_use_gtid=slave_pos; START SLAVE`, p.primary.Port))
	return p
}

// on runs statements on a server as root.
func (p *pair) on(server *mysqltest.Server, statements string) {
	p.t.Helper()
	db, err := server.Open("root", "", "")
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(p.t.Context(), statements); err != nil {
		p.t.Fatalf("%s: %v", statements, err)
	}
}

// put writes a contact on the primary, and waits for it on the replica unless that stands still.
func (p *pair) put(id int, wait bool) {
	p.t.Helper()
	p.on(p.primary, fmt.Sprintf(`REPLACE INTO crm.c VALUES (%d, 'a', UTC_TIMESTAMP(6))`, id))
	if wait {
		p.arrived(id)
	}
}

// arrived waits until the replica has a contact.
func (p *pair) arrived(id int) {
	p.t.Helper()
	db, err := p.replica.Open("root", "", "")
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	for end := time.Now().Add(30 * time.Second); ; {
		var n int
		if err := db.QueryRowContext(p.t.Context(), `SELECT COUNT(*) FROM crm.c WHERE id = ?`, id).Scan(&n); err == nil && n == 1 {
			return
		}
		if time.Now().After(end) {
			p.t.Fatal("the replica does not replicate: " + p.replica.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A replica applies what its primary writes later than it is stamped. While it applies nothing the checkpoint stays, however the replica is
// stopped and whatever the reader may see; nothing that arrives afterwards is lost, however old its stamp is.
func TestReadingFromAReplica(t *testing.T) {
	if testing.Short() {
		t.Skip("OPTIONAL: it starts two servers")
	}
	p := newPair(t)
	p.put(1, true)
	const overlap = `{table: c, id: id, updated: updated_at, time_zone: UTC, overlap: 1s, clock_skew: 0s, fields: {name: name}}`
	dsn := p.replica.DSN("reader", "secret", p.database)
	next := 1
	for _, privilege := range []string{"PROCESS", "REPLICA MONITOR"} {
		p.on(p.replica, "GRANT "+privilege+" ON *.* TO reader@'127.0.0.1'")
		for _, stop := range []string{"SLAVE SQL_THREAD", "SLAVE"} {
			t.Run(privilege+", stopped "+stop, func(t *testing.T) {
				r := read(t, dsn, overlap)
				_, checkpoint := r.run(t, "", 10)
				p.on(p.replica, "STOP "+stop)
				next++
				p.put(next, false)
				time.Sleep(2500 * time.Millisecond) // longer than the overlap
				got, later := r.run(t, checkpoint, 10)
				if strings.Contains(ids(got), fmt.Sprint(next)) {
					t.Fatalf("the replica has %s and does not stand still", ids(got))
				}
				if found := r.inspect(t); !strings.Contains(found, "standby") {
					t.Errorf("the inspection finds %s", found)
				}
				p.on(p.replica, "START SLAVE")
				p.arrived(next)
				got, _ = r.run(t, later, 10)
				if missing := !strings.Contains(" "+ids(got)+" ", fmt.Sprintf(" %d ", next)); missing && privilege == "REPLICA MONITOR" {
					t.Errorf("contact %d is lost: the next run brought %q", next, ids(got))
				} else if missing && !strings.Contains(r.inspect(t), "REPLICA MONITOR") {
					t.Error("nothing says which privilege is missing")
				}
			})
		}
	}
	t.Run("a transaction that is open on the primary", func(t *testing.T) {
		r := read(t, dsn, strings.Replace(overlap, "overlap: 1s", "overlap: 1m", 1))
		db, err := p.primary.Open("root", "", "crm")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(t.Context(), `REPLACE INTO c VALUES (100, 'late', UTC_TIMESTAMP(6))`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		p.put(101, true)
		_, checkpoint := r.run(t, "", 10)
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		p.arrived(100)
		if got, _ := r.run(t, checkpoint, 10); !strings.Contains(ids(got), "100") {
			t.Errorf("the late contact is lost: %q", ids(got))
		}
	})
	t.Run("promoted", func(t *testing.T) {
		p.on(p.replica, "STOP SLAVE; RESET SLAVE ALL")
		r := read(t, dsn, overlap)
		if found := r.inspect(t); strings.Contains(found, "standby") {
			t.Errorf("a replica that became a primary counts as one still: %s", found)
		}
	})
}
