package pgtest

import "testing"

// A source counts the sessions of its database: those of statements that have ended must not be among them.
func TestEndedSessionsAreForgotten(t *testing.T) {
	db := server.Database(t)
	conn := db.Conn(t)
	for range 20 {
		db.Exec(t, "SELECT 1")
		var others int
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(&others)
		if err != nil || others != 0 {
			t.Fatalf("%d sessions are still listed (%v)", others, err)
		}
	}
}
