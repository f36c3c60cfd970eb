package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// A naive bridge is a bridge as people write it first, and it loses contacts. The torture must catch it, or it proves nothing.
//
//   - "max":  checkpoint = max(updated_at) of what was sent, and the next run asks for updated_at > checkpoint (T1, T2)
//   - "now":  checkpoint = the time at which the page is answered (T9)
type naive struct {
	database reader
	kind     string
}

// A reader gives the naive bridges a page of changed customers, ascending by stamp, counted with OFFSET (T5).
type reader interface {
	changedAfter(ctx context.Context, stamp string, offset, limit int) ([]customer, error)
	now(ctx context.Context) (string, error)
}

type customer struct {
	id, version int64
	deleted     bool
	stamp       string
}

const naivePage = 1000

func (n *naive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Meta struct {
			Checkpoint *string `json:"synchronization_checkpoint"`
			Offset     *string `json:"offset"`
		} `json:"meta"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	since, offset := "", 0
	if request.Meta.Checkpoint != nil {
		since = *request.Meta.Checkpoint
	}
	if request.Meta.Offset != nil {
		offset, _ = strconv.Atoi(*request.Meta.Offset)
	}
	page, err := n.page(r.Context(), since, offset)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(page)
}

func (n *naive) page(ctx context.Context, since string, offset int) (map[string]any, error) {
	customers, err := n.database.changedAfter(ctx, since, offset, naivePage)
	if err != nil {
		return nil, err
	}
	contacts, deleted := []any{}, []string{}
	checkpoint := since
	for _, c := range customers {
		id := strconv.FormatInt(c.id, 10)
		checkpoint = c.stamp
		if c.deleted {
			deleted = append(deleted, id)
			continue
		}
		contacts = append(contacts, map[string]any{"id": id, "name": "Customer " + id, "title": strconv.FormatInt(c.version, 10)})
	}
	if n.kind == "now" {
		if checkpoint, err = n.database.now(ctx); err != nil {
			return nil, err
		}
	}
	page := map[string]any{"contacts": contacts, "deleted_contacts": deleted, "synchronization_checkpoint": checkpoint}
	if len(customers) == naivePage {
		page["next_offset"] = strconv.Itoa(offset + naivePage)
	}
	return page, nil
}

// serveNaive serves a naive bridge on a free port until the context is done and returns its URL.
func serveNaive(ctx context.Context, d reader, kind string) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: &naive{d, kind}, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return fmt.Sprintf("http://%s/contact_sync", listener.Addr()), nil
}

func (d *postgresDatabase) now(ctx context.Context) (stamp string, err error) {
	return stamp, d.pool.QueryRow(ctx, "SELECT ("+d.stamps.postgres("clock_timestamp()")+")::text").Scan(&stamp)
}

func (d *postgresDatabase) changedAfter(ctx context.Context, stamp string, offset, limit int) ([]customer, error) {
	rows, err := d.pool.Query(ctx, `SELECT id, version, deleted_at IS NOT NULL, updated_at::text FROM customers
		WHERE $1 = '' AND updated_at IS NOT NULL OR updated_at > NULLIF($1, '')::`+d.stamps.postgresType()+` ORDER BY updated_at OFFSET $2 LIMIT $3`, stamp, offset, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []customer
	for rows.Next() {
		var c customer
		if err := rows.Scan(&c.id, &c.version, &c.deleted, &c.stamp); err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, rows.Err()
}

func (d *sqliteDatabase) now(ctx context.Context) (stamp string, err error) {
	return stamp, d.db.QueryRowContext(ctx, "SELECT "+d.stamps.sqliteNow()).Scan(&stamp)
}

func (d *sqliteDatabase) changedAfter(ctx context.Context, stamp string, offset, limit int) ([]customer, error) {
	return changed(ctx, d.db, `SELECT id, version, deleted_at IS NOT NULL, updated_at FROM customers
		WHERE updated_at > ? ORDER BY updated_at LIMIT ? OFFSET ?`, d.stamps.parse(stamp), limit, offset)
}

// changed reads customers: id, version, whether deleted, stamp.
func changed(ctx context.Context, db *sql.DB, query string, args ...any) ([]customer, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []customer
	for rows.Next() {
		var c customer
		if err := rows.Scan(&c.id, &c.version, &c.deleted, &c.stamp); err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, rows.Err()
}
