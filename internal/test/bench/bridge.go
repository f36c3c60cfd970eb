package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

func bridgePostgres(ctx context.Context, l *laboratory) ([]result, error) {
	return l.bridgeAgainstCopy(ctx, "bridge-postgres", "{format: as-is}", 1.1)
}

func bridgePostgresE164(ctx context.Context, l *laboratory) ([]result, error) {
	return l.bridgeAgainstCopy(ctx, "bridge-postgres-e164", "{region: US, format: e164}", 0.9)
}

func (l *laboratory) bridgeAgainstCopy(ctx context.Context, name, phones string, target float64) ([]result, error) {
	s, err := l.serve(ctx, l.postgresSource("customers"), phones)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	return l.crawlAgainst(ctx, s, l.copyRate, result{
		Name: name, Target: target,
		against: "all pages over loopback HTTP, one client, against COPY (SELECT row_to_json …) TO STDOUT of the same columns",
	})
}

// copyRate is how many rows a second PostgreSQL itself gives out as JSON.
func (l *laboratory) copyRate(ctx context.Context) (float64, error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	started := time.Now()
	tag, err := conn.PgConn().CopyTo(ctx, io.Discard, "COPY (SELECT row_to_json(t) FROM (SELECT "+selected+" FROM customers) t) TO STDOUT")
	if err != nil {
		return 0, err
	}
	if int(tag.RowsAffected()) != l.contacts {
		return 0, fmt.Errorf("COPY gave %d rows", tag.RowsAffected())
	}
	return float64(l.contacts) / time.Since(started).Seconds(), nil
}

func bridgeSQLite(ctx context.Context, l *laboratory) ([]result, error) {
	if err := l.fillSQLite(ctx); err != nil {
		return nil, fmt.Errorf("fill SQLite: %w", err)
	}
	s, err := l.serve(ctx, l.sqliteSource(), "{format: as-is}")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	return l.crawlAgainst(ctx, s, l.scanRate, result{
		Name: "bridge-sqlite", Target: 0.65,
		against: "all pages over loopback HTTP, one client, against scanning the same query with the driver, encoding nothing",
	})
}

// scanRate is how many rows a second the SQLite driver reads.
func (l *laboratory) scanRate(ctx context.Context) (float64, error) {
	db, err := sql.Open("sqlite", "file:"+l.sqlitePath+"?mode=ro")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	return l.scan(ctx, db, "SELECT "+selected+" FROM customers ORDER BY updated_at, id")
}

// scan is how many rows a second a driver reads of a query of all customers.
func (l *laboratory) scan(ctx context.Context, db *sql.DB, query string) (float64, error) {
	started := time.Now()
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	values := make([]any, 13)
	into := make([]any, 13)
	for i := range values {
		into[i] = &values[i]
	}
	n := 0
	for ; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return 0, err
		}
	}
	if n != l.contacts {
		return 0, fmt.Errorf("the scan gave %d rows", n)
	}
	return float64(n) / time.Since(started).Seconds(), rows.Err()
}

// crawlAgainst measures all pages of a bridge against a limit, both in contacts a second, and the processor time of both.
func (l *laboratory) crawlAgainst(ctx context.Context, s *server, limit func(context.Context) (float64, error), r result) ([]result, error) {
	var ours, theirs usage
	crawl := func(ctx context.Context) (float64, error) {
		return ours.of(s.usage, func() (float64, error) { return l.crawl(ctx, s.url()) })
	}
	measured := func(ctx context.Context) (float64, error) {
		return theirs.of(ownUsage, func() (float64, error) { return limit(ctx) })
	}
	if _, err := l.crawl(ctx, s.url()); err != nil { // the first one learns the source
		return nil, err
	}
	var err error
	r.Unit = "contacts/s"
	r.Value, r.Limit, err = paired(ctx, l.repeat, crawl, measured)
	contacts := float64(l.repeat * l.contacts)
	r.CPU, r.LimitCPU, r.Allocs = ours.seconds*1e6/contacts, theirs.seconds*1e6/contacts, ours.allocations/contacts
	return []result{r}, err
}

// crawl follows all pages as a synchronizer would, but looks at nothing except what it needs to go on.
func (l *laboratory) crawl(ctx context.Context, url string) (float64, error) {
	started, offset, contacts := time.Now(), "", 0
	body := new(bytes.Buffer)
	for {
		meta := map[string]any{}
		if offset != "" {
			meta["offset"] = offset
		}
		request, _ := json.Marshal(map[string]any{"auth": map[string]string{"username": "agent", "password": secret}, "meta": meta})
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(request))
		if err != nil {
			return 0, err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept-Encoding", "identity") // loopback needs no compression
		asked := time.Now()
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, err
		}
		body.Reset()
		_, err = body.ReadFrom(response.Body)
		response.Body.Close()
		if err != nil {
			return 0, err
		}
		if response.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("the bridge answered %s: %s", response.Status, body)
		}
		l.longest = max(l.longest, time.Since(asked))
		contacts += countContacts(body.Bytes())
		if offset, err = nextOffset(body.Bytes()); err != nil {
			return 0, err
		}
		if offset == "" {
			break
		}
	}
	if contacts != l.contacts {
		return 0, fmt.Errorf("the bridge gave %d contacts, not %d", contacts, l.contacts)
	}
	return float64(contacts) / time.Since(started).Seconds(), nil
}

// countContacts counts the contacts of an answer without decoding them. Within a text, a quote has a backslash before it.
func countContacts(body []byte) (n int) {
	for {
		i := bytes.IndexByte(body, '{')
		if i < 0 {
			return n
		}
		if body = body[i:]; bytes.HasPrefix(body, []byte(`{"id":"`)) {
			n++
		}
		body = body[1:]
	}
}

// nextOffset finds the offset in an answer without decoding the contacts.
func nextOffset(body []byte) (string, error) {
	at := bytes.LastIndex(body, []byte(`"next_offset":"`))
	if at < 0 {
		if !bytes.Contains(body, []byte(`"contacts"`)) {
			return "", errors.New("an answer without contacts")
		}
		return "", nil
	}
	rest := string(body[at+len(`"next_offset":"`):])
	offset, _, found := strings.Cut(rest, `"`)
	if !found {
		return "", errors.New("an answer that was cut off")
	}
	return offset, nil
}
